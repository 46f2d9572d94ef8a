"""Secrets reach the apps that mount them, and nothing else: no log, message, repr, command line or other app."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import psutil
import pytest
from flyteidl2.core.security_pb2 import Secret

from flyteapps import Client, new_app
from flyteapps.client import App
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.processes.settings import Processes
from serving.conftest import EACH_KIND
from serving.server_process import ServerProcess

from .running import SERVER, Apps, body, get, script, until

VALUE = "very-secret-value"
SHOWS = f"{SERVER}serve(os.environ.get('TOKEN', '-').encode())"


def mounting(client: Client, name: str, text: str, **fields: Any) -> App:
    """Deploy an app that mounts the secret TOKEN."""
    made = new_app(name, image="img", command=script(text), port=8080)
    made.spec.security_context.secrets.add(key="TOKEN", **fields)
    return client.apps.create(made)


def test_a_secret_is_the_apps_alone() -> None:
    """Only an app that mounts it has it; its value is in no message and no line of ours."""
    with Apps(secrets={"TOKEN": VALUE}) as apps:
        assert body(mounting(apps.client, "web", SHOWS).watch()) == VALUE.encode()
        assert body(apps.started("other", SHOWS)) == b"-"
        logs = "".join(each.read_text() for each in apps.data_plane.directories.root.glob("logs/*/*"))
        assert logs
        assert VALUE not in logs
        assert VALUE not in str(apps.client.apps.get("web").pb2)
        for pid in (apps.keeper, apps.pid()):
            assert VALUE not in " ".join(psutil.Process(pid).cmdline())
        assert VALUE not in str(psutil.Process(apps.keeper).environ())


def test_a_secret_file_is_removed_with_its_replica() -> None:
    text = "import os, sys\npath = os.path.join(os.environ['FLYTE_SECRETS_DEFAULT_DIR'], 'default', 'TOKEN')\n"
    shows = f"{text}print(path, oct(os.stat(path).st_mode), flush=True)\n{SERVER}serve(open(path, 'rb').read())"
    with Apps(secrets={"TOKEN": VALUE}) as apps:
        app = mounting(apps.client, "web", shows, mount_requirement=Secret.FILE).watch()
        assert body(app) == VALUE.encode()
        path, mode = until(apps.lines)[0].split()
        assert mode == "0o100600"
        assert Path(path).read_text() == VALUE
        apps.stop()
        assert not Path(path).exists()


@pytest.mark.parametrize("key", ["../../escaped", "a/../../b", "..", "/etc/escaped"])
def test_a_secret_file_stays_in_its_directory(key: str) -> None:
    with Apps(secrets={key: VALUE}) as apps:
        made = new_app("web", image="img", command=script(SHOWS), port=8080)
        made.spec.security_context.secrets.add(key=key, group="..", mount_requirement=Secret.FILE)
        apps.client.apps.create(made)
        until(lambda: apps.condition().status in ("ACTIVE", "FAILED"))
        root = apps.data_plane.directories.root
        assert all("apps" in each.parts for each in root.rglob("*escaped*"))
        assert not Path("/etc/escaped").exists()


def test_a_secret_with_a_null_byte_is_not_in_the_message() -> None:
    with Apps(secrets={"TOKEN": f"{VALUE}\0"}) as apps:
        mounting(apps.client, "web", SHOWS)
        assert VALUE not in apps.reaches("FAILED").message


def test_no_value_is_in_a_repr() -> None:
    processes = Processes(secrets={"TOKEN": VALUE})
    settings = Settings(data_plane="processes", processes=processes)
    assert VALUE not in repr(processes)
    assert VALUE not in repr(settings)
    assert VALUE not in str(settings)


@pytest.mark.parametrize("wrong", [{"TOKEN": VALUE.encode()}, {1: VALUE}, [VALUE], VALUE])
def test_no_value_is_in_an_error(wrong: Any) -> None:
    with pytest.raises(TypeError, match="secrets") as caught:
        Processes(secrets=wrong)
    assert VALUE not in str(caught.value)


def test_no_value_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours in a start shows no environment."""
    from flyteapps_fake.processes import replica

    def fail(*arguments: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(replica, "bundle_problem", fail)
    with caplog.at_level(logging.DEBUG), Apps(secrets={"TOKEN": VALUE}) as apps:
        mounting(apps.client, "web", SHOWS)
        assert "by an error of this server: RuntimeError('broken')" in apps.reaches("FAILED").message
    assert "broken" in caplog.text
    assert VALUE not in caplog.text


@pytest.mark.parametrize("kind", EACH_KIND)
def test_the_command_lines_of_a_server(kind: str, tmp_path: Path) -> None:
    """`ps` shows others no value of an --env-file, nor has the output, nor an app that doesn't mount it."""
    (tmp_path / ".env").write_text(f"TOKEN={VALUE}\n")
    arguments = ("--run", "--app-directory", str(tmp_path / "run"), "--env-file", str(tmp_path / ".env"), "--show-logs")
    with ServerProcess("--server", kind, *arguments) as server, Client(server.url, project="p", domain="d") as client:
        app = mounting(client, "web", SHOWS).watch()
        assert get(app.endpoint) == (200, VALUE.encode())
        shows_all = script(f"{SERVER}serve(repr(os.environ).encode())")
        other = client.apps.create(new_app("other", image="img", command=shows_all, port=8080))
        assert VALUE.encode() not in body(other.watch())
        root = psutil.Process(server.process.pid)
        for process in (root, *root.children(recursive=True)):
            assert VALUE not in " ".join(process.cmdline())
    assert VALUE not in server.output
    assert not [each for each in (tmp_path / "run").rglob("*") if each.is_file() and VALUE in each.read_text()]
