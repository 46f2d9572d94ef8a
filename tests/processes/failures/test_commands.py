"""Commands that can't run, end at once, or open no port or another one: the message says which, and what to do."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from flyteapps import errors

from ..running import FOREVER, SERVE, SERVER, Apps, body, get, script


def test_a_command_that_does_not_exist(apps: Apps) -> None:
    apps.create(command=["no-such-program", "8080"])
    condition = apps.reaches("FAILED")
    assert "'no-such-program' of the command is not on this machine" in condition.message
    assert "images are not pulled" in condition.message


def test_a_command_that_is_not_executable(apps: Apps, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    apps.create(command=[str(program)])
    assert f"'{program}' of the command is not executable: chmod +x it" in apps.reaches("FAILED").message


@pytest.mark.parametrize(
    ("text", "why"), [("\x7fELF", "Exec format error"), ("#!/no/such/interpreter\n", "No such file or directory")]
)
def test_a_command_that_the_system_refuses(apps: Apps, tmp_path: Path, text: str, why: str) -> None:
    program = tmp_path / "program"
    program.write_text(text)
    program.chmod(0o755)
    apps.create(command=[str(program)])
    assert f"'{program}' can't be started: {why}" in apps.reaches("FAILED").message


def test_a_command_that_is_a_directory(apps: Apps, tmp_path: Path) -> None:
    apps.create(command=[str(tmp_path)])
    assert "of the command" in apps.reaches("FAILED").message


def test_a_command_that_ends_at_once_with_code_0(apps: Apps) -> None:
    apps.create(text="print('done')")
    message = apps.reaches("FAILED", substate="CRASH_LOOP").message
    assert message == "Exited with code 0 before its port opened: a server has to keep running: done (3 times)"


def test_a_spec_without_a_command(apps: Apps) -> None:
    """Nothing is known that could run in the place of an image."""
    apps.create(command=[], image="ghcr.io/example/server:1")
    condition = apps.reaches("FAILED", substate="IMAGE_PULL_ERROR")
    assert "Images are not pulled here: ghcr.io/example/server:1 has no command in its spec" in condition.message


@pytest.mark.parametrize("command", [[""], ["."], ["/"], ["a/b"], ["\0"], [sys.executable, "\0"], ["x" * 5_000], ["-"]])
def test_odd_commands(apps: Apps, command: list[str]) -> None:
    apps.create(command=command)
    apps.reaches("FAILED")


@pytest.mark.parametrize("env", [{"A\0B": "x"}, {"A": "x\0y"}, {"A=B": "x"}])
def test_an_environment_that_no_process_can_have(apps: Apps, env: dict[str, str]) -> None:
    apps.create(env=env)
    apps.reaches("FAILED")
    assert apps.started("other")


def test_a_port_that_never_opens() -> None:
    with Apps(start_seconds=0.3) as apps:
        apps.create(text=f"print('computing', flush=True)\n{FOREVER}")
        message = apps.reaches("FAILED", substate="CRASH_LOOP").message
        port = apps.replica().port
        assert message == f"Port {port} did not open within 0.3 s: computing (3 times)"


def test_a_port_below_1024_becomes_another_one(apps: Apps) -> None:
    """Such a port is the administrator's: the app learns another one by PORT, and in its command."""
    app = apps.started(command=script(SERVER + "serve(port=int(sys.argv[1]))", "80"), port=80)
    assert apps.replica().port >= 1024
    assert body(app) == b"ok"


def test_an_app_that_listens_on_another_port(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has both ports, first as a hint, then as the failure."""
    module = "flyteapps_fake.processes.replica"
    monkeypatch.setattr(f"{module}.LISTEN_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(f"{module}.ELSEWHERE_SECONDS", 0.2)
    listens = "import socket\nsock = socket.create_server(('127.0.0.1', 0))\nprint(sock.getsockname()[1], flush=True)\n"
    apps.create(text=listens + FOREVER)
    hint = apps.reaches("DEPLOYING", text="listens on").message
    replica = apps.replica()
    expected = f"it should listen on port {replica.port} (the variable PORT has it), and listens on {apps.lines()[0]}"
    assert hint == f"Starting: {expected}"
    assert apps.reaches("FAILED").message.lower().startswith(expected.lower().rpartition(" ")[0])


def test_an_app_that_listens_on_ipv6_alone(apps: Apps) -> None:
    text = SERVER.replace('"127.0.0.1"', '"::1"').replace("backlog", "family=socket.AF_INET6, backlog") + "serve()"
    assert body(apps.started(text=text)) == b"ok"


def test_the_virtual_environment_is_deleted_while_apps_run(tmp_path: Path) -> None:
    """A running program goes on; one that starts says what is missing, and where."""
    environment = tmp_path / "env"
    (environment / "bin").mkdir(parents=True)
    program = environment / "bin" / "program"
    program.symlink_to(sys.executable)
    with Apps(python=str(environment)) as apps:
        app = apps.started(command=["program", "-I", "-S", "-c", SERVE])
        program.unlink()
        (environment / "bin").rmdir()
        assert body(app) == b"ok"
        apps.create("other", command=["program", "-c", SERVE])
        assert f"the command runs with what is in {environment}/bin" in apps.reaches("FAILED", "other").message
        os.kill(apps.pid(), signal.SIGKILL)
        apps.reaches("FAILED", text="'program' of the command is not on this machine")
        (environment / "bin").mkdir()
        program.symlink_to(sys.executable)
        apps.reaches("ACTIVE")


def test_two_apps_of_one_cname(apps: Apps) -> None:
    """The second one is refused, and the first one keeps the name; later another one can have it."""
    name = "shop.example.com"
    first = apps.started("first", cname=name)
    with pytest.raises(errors.Error, match=name):
        apps.create("second", cname=name)
    assert get(first.endpoint, host=name) == (200, b"ok")
    apps.delete("first")
    second = apps.started("second", text=f"{SERVER}serve(b'second')", cname=name)
    assert get(second.endpoint, host=name) == (200, b"second")
