"""The options and settings of apps that really run: wrong ones are refused, with what to do, before anything starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli import startup
from flyteapps_fake.cli.options import ServeOptions
from flyteapps_fake.cli.serve import serve
from flyteapps_fake.cli.startup import StartupError
from flyteapps_fake.servers.listener import loopbacks
from serving.server_process import HTTP, ServerProcess

LOCAL = ("127.0.0.1",)


def options(*arguments: str) -> ServeOptions:
    """Return the values of all options for a command line."""
    with serve.make_context("flyteapps serve", list(arguments)) as context:
        return ServeOptions(**context.params)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--secret", "A=b"], ["--secret", "add --run"]),
        (["--show-logs"], ["--show-logs", "add --run"]),
        (["--run", "--data-plane", "none"], ["--run", "--data-plane none"]),
        (["--run", "--clock", "manual"], ["real time", "remove --clock manual"]),
        (["--run", "--clock", "auto"], ["real time", "remove --clock auto"]),
        (["--run", "--python", f"{sys.prefix}/bin/python"], ["give the directory", sys.prefix]),
        (["--run", "--dialect", "flyte-oss"], ["--run: ", "flyte-oss has no leases", "leave it out"]),
        (["--data-plane", "none", "--dialect", "flyte-oss"], ["--data-plane none: ", "flyte-oss has no leases"]),
        (
            ["--pool", "a=simulated", "--dialect", "flyte-oss@2.0.43"],
            ["--pool a=simulated: ", "flyte-oss has no leases"],
        ),
        (["--run", "--python", "/nowhere"], ["/nowhere", "python3 -m venv"]),
        (["--run", "--env-file", "/nowhere"], ["--env-file /nowhere", "No such file"]),
        (["--ingress", "port"], ["--run"]),
        (["--run", "--scenario", "*=busy"], ["--scenario", "--run", "do what their code does"]),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], words: list[str]) -> None:
    """Each says what is wrong, and what to do."""
    with pytest.raises(StartupError) as refused:
        startup.settings_of(options("--port", "0", *arguments), LOCAL)
    for word in words:
        assert word in str(refused.value)


def test_other_machines_run_nothing_without_credentials() -> None:
    """With --host beyond this machine --run needs --auth."""
    with pytest.raises(StartupError, match="run programs on it as you: add --auth"):
        startup.settings_of(options("--port", "0", "--run", "--host", "0.0.0.0"), ("0.0.0.0",))
    settings = startup.settings_of(options("--port", "0", "--run", "--host", "0.0.0.0", "--auth", "demo"), ("0.0.0.0",))
    assert settings["processes"] is not None


def test_secrets_of_files_and_of_the_command_line(tmp_path: Path) -> None:
    """Files are read as dotenv has them, later ones and the command line come last; nothing is interpolated."""
    first, second = tmp_path / "first.env", tmp_path / "second.env"
    first.write_text("# comment\nexport A=1\nB='two words'\nC=\"$A\"\n")
    second.write_text("B=3\n")
    arguments = ["--env-file", str(first), "--env-file", str(second), "--secret", "D=4=5"]
    settings = startup.settings_of(options("--port", "0", "--run", *arguments), LOCAL)
    assert settings["processes"]["secrets"] == {"A": "1", "B": "3", "C": "$A", "D": "4=5"}


def test_a_directory_that_is_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """Two servers can't share a directory: the second says so in one line."""
    plane = FakeControlPlane(data_plane="processes", processes={"directory": str(tmp_path)})
    with plane, pytest.raises(StartupError, match="in use by another server that runs apps"):
        startup.settings_of(options("--port", "0", "--run", "--app-directory", str(tmp_path)), LOCAL)
    startup.settings_of(options("--port", "0", "--run", "--app-directory", str(tmp_path)), LOCAL)


def test_a_line_without_a_value_is_named(tmp_path: Path) -> None:
    """A file with a name alone is refused."""
    file = tmp_path / "a.env"
    file.write_text("TOKEN\n")
    with pytest.raises(StartupError, match="TOKEN has no value: write TOKEN=VALUE"):
        startup.settings_of(options("--port", "0", "--run", "--env-file", str(file)), LOCAL)


def test_the_directory_is_the_users_unless_the_port_is_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on a port of its own finds its directory again; one on a free port has a temporary one."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    fixed = startup.settings_of(options("--port", "8123", "--run"), LOCAL)["processes"]
    assert fixed["directory"] == str(tmp_path / "flyteapps" / "run-8123")
    assert fixed["python"] is None
    assert startup.settings_of(options("--port", "0", "--run"), LOCAL)["processes"]["directory"] is None


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"processes": {"secrets": {}}}, "data_plane 'processes'"),
        ({"data_plane": "processes", "processes": {"secret": {}}}, "no field 'secret'"),
        ({"data_plane": "processes", "processes": {"stop_seconds": 0}}, "stop_seconds must be over 0"),
        ({"data_plane": "processes", "processes": {"directory": "here"}}, "an absolute path"),
        ({"data_plane": "processes", "clock": "manual"}, "real time"),
        ({"data_plane": "processes", "dialect": "flyte-oss"}, "no leases"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], word: str) -> None:
    """Each names the setting."""
    with pytest.raises(ValueError, match=r"processes|data_plane") as refused:
        FakeControlPlane(**settings)
    assert word in str(refused.value)


def test_the_clock_is_real() -> None:
    """The default clock gives way to real time; secrets show in no repr."""
    with FakeControlPlane(data_plane="processes", processes={"secrets": {"KEY": "hidden"}}) as plane:
        assert plane.settings.clock == "realtime"
        assert plane.settings.ingress == "port"
        assert "hidden" not in repr(plane.settings)


@pytest.mark.parametrize("host", loopbacks())
def test_the_console_of_a_server_on_one_address(host: str, tmp_path: Path) -> None:
    """The router on the console's port finds the plane's own pages at the address that the server has."""
    banner = r"https?://(?:localhost|127\.0\.0\.1|\[::1\]):(\d+)"
    options = ("--server", "portable", "--host", host, "--run", "--app-directory", str(tmp_path))
    with ServerProcess(*options, banner=banner) as server:
        shown = f"[{host}]" if ":" in host else host
        answer = HTTP.get(f"http://{shown}:{server.console_port}/healthz")
        assert answer.json()["status"] == "SERVING"
