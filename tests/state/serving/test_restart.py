"""`flyteapps serve --state`: what was answered is there after a restart, however the server ended."""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path

import httpx
import pytest
from auth.support import user_info
from processes.running import SERVE, get, script, until

from flyteapps import Client, DeploymentStatus, new_app
from flyteapps.client import App
from flyteapps_fake.directory.checking import check
from serving.conftest import EACH_KIND
from serving.server_process import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kind", EACH_KIND)]

PORT = 18_331
"""One that no other test wants: that of an app's container."""


def serve(kind: str, state: Path, *more: str) -> ServerProcess:
    """Return a server that keeps its state in that directory."""
    return ServerProcess("--server", kind, "--state", str(state), *more)


def client_of(server: ServerProcess) -> Client:
    return Client(server.url, project="p", domain="d")


def deploy(client: Client, name: str, image: str = "i:1") -> App:
    """Return an app that has become active, and doesn't scale to zero when it has been idle for a while."""
    return client.apps.create(new_app(name, image=image, replicas=1)).watch()


def encoded(client: Client) -> dict[str, bytes]:
    """Return all apps, as bytes."""
    return {each.name: each.pb2.SerializeToString(deterministic=True) for each in client.apps.listall()}


def log(client: Client) -> list[str]:
    """Return the log of the app `one`."""
    return [f"{each.timestamp} {each}" for each in client.apps.get("one").logs(follow=False)]


def test_apps_are_there_after_a_kill(kind: str, tmp_path: Path) -> None:
    """Apps with their revisions, conditions and logs, deleted names and pages of lists go on after kill -9."""
    with serve(kind, tmp_path / "state", "--speed", "100") as server, client_of(server) as client:
        deploy(client, "one")
        deploy(client, "one", "i:2")
        deploy(client, "two").deactivate(wait=True)
        gone = deploy(client, "gone")
        gone.deactivate(wait=True)
        client.apps.delete("gone")
        lines = log(client)
        before = encoded(client)
        pages = client.apps.listall(limit=1)
        first = next(iter(pages)).name
        token = pages.token
        server.stop(signal.SIGKILL)
    ports = ("--port", str(server.port), "--console-port", str(server.console_port))
    with serve(kind, tmp_path / "state", "--speed", "100", *ports) as server, client_of(server) as client:
        assert re.search(r"state +\S+/state: 2 apps, of \d{4}-", server.output), server.output
        assert encoded(client) == before
        assert lines and log(client)[: len(lines)] == lines
        assert [first, *(each.name for each in client.apps.listall(limit=1, token=token))] == list(before)
        assert client.apps.get("one").revision == 2
        assert deploy(client, "one", "i:3").revision == 3
        assert deploy(client, "gone").endpoint != gone.endpoint  # a deleted name isn't given again


def test_a_stop_loses_nothing(kind: str, tmp_path: Path) -> None:
    """A change that was answered right before SIGTERM is there, and the server ends in time."""
    with serve(kind, tmp_path / "state") as server, client_of(server) as client:
        client.apps.create(new_app("one", image="i"))
        status, seconds = server.stop()
        assert status == 0 and seconds < server.soon, server.output
    with serve(kind, tmp_path / "state") as server, client_of(server) as client:
        assert [each.name for each in client.apps.listall()] == ["one"]
        client.apps.get("one").watch()


def test_the_process_that_has_a_directory(kind: str, tmp_path: Path) -> None:
    """The process that is named as the user of a directory is the one that was started, which a signal stops."""
    with serve(kind, tmp_path / "state") as server:
        assert check(tmp_path / "state").user == f"process {server.process.pid}"


def test_a_watch_goes_on(kind: str, tmp_path: Path) -> None:
    """A client that waits for an app goes on waiting over a restart, on the same port, and sees it active."""
    with serve(kind, tmp_path / "state", "--report-seconds", "3") as server:
        port, console = str(server.port), str(server.console_port)
        with client_of(server) as client:
            app = client.apps.create(new_app("one", image="i"))
            found: list[App] = []
            waiting = threading.Thread(target=lambda: found.append(app.watch(timeout=60)))
            waiting.start()
            server.stop(signal.SIGKILL)
            with serve(kind, tmp_path / "state", "--port", port, "--console-port", console):
                waiting.join(60)
            assert [each.deployment_status for each in found] == [DeploymentStatus.ACTIVE]


def test_tokens_are_still_valid(kind: str, tmp_path: Path) -> None:
    """A token that was issued before a restart is accepted after it."""
    path = tmp_path / "auth.yaml"
    path.write_text("clients: [{client_id: ci, secret: s3cret}]\n")
    with serve(kind, tmp_path / "state", "--auth", str(path)) as server:
        port = str(server.port)
        with httpx.Client(base_url=server.address, trust_env=False) as http:
            fields = {"grant_type": "client_credentials"}
            token = http.post("/oauth2/token", data=fields, auth=("ci", "s3cret")).json()["access_token"]
        server.stop(signal.SIGKILL)
    with (
        serve(kind, tmp_path / "state", "--auth", str(path), "--port", port) as server,
        httpx.Client(base_url=server.address, trust_env=False) as http,
    ):
        assert user_info(http, token).json()["subject"] == "ci"


def test_a_fresh_start(kind: str, tmp_path: Path) -> None:
    """--fresh begins without apps, and leaves those of before beside, where another start finds them."""
    with serve(kind, tmp_path / "state") as server, client_of(server) as client:
        deploy(client, "one")
    with serve(kind, tmp_path / "state", "--fresh") as server, client_of(server) as client:
        assert list(client.apps.listall()) == []
        [before] = tmp_path.glob("state.before-fresh-*")
        assert f"what was there is in {before.name}" in server.output
        deploy(client, "two")
    with serve(kind, before) as server, client_of(server) as client:
        assert [each.name for each in client.apps.listall()] == ["one"]
    with serve(kind, tmp_path / "state") as server, client_of(server) as client:
        assert [each.name for each in client.apps.listall()] == ["two"]


def test_processes_are_started_anew(kind: str, tmp_path: Path) -> None:
    """Apps that really run are started by the server's start, under their URLs; those that were stopped aren't."""
    with serve(kind, tmp_path / "state", "--run") as server, client_of(server) as client:
        urls = [
            client.apps.create(new_app(name, image="i", command=script(SERVE), port=PORT)).watch().endpoint
            for name in ("one", "two")
        ]
        client.apps.get("two").deactivate(wait=True)
        assert get(urls[0]) == (200, b"ok")
        server.stop(signal.SIGKILL)
    with serve(kind, tmp_path / "state", "--run") as server, client_of(server) as client:
        assert client.apps.get("one").watch().endpoint == urls[0]
        assert get(urls[0]) == (200, b"ok")
        assert client.apps.get("two").deployment_status == DeploymentStatus.STOPPED
        assert (tmp_path / "state" / "apps" / "logs").is_dir()
        server.stop()
    with serve(kind, tmp_path / "state") as server, client_of(server) as client:
        one = client.apps.get("one").watch()
        assert one.endpoint.startswith(f"http://localhost:{server.console_port}/apps/one-")
        assert until(lambda: get(one.endpoint)[0] == 501)
