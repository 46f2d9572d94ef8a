"""Servers that end, by kill -9 too: after few seconds no process of theirs is left, and all ports are free."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from flyteapps import Client, new_app
from flyteapps_fake.servers.listener import LOOPBACKS, is_taken
from serving.conftest import EACH_KIND, KINDS
from serving.server_process import ServerProcess

from ..running import SERVE, get, marked, script, until

pytestmark = pytest.mark.slow

LEFT_SECONDS = 5.0
"""Time until nothing is left of a server that was killed, on an idle machine; its start shows how idle it is."""
PORT = 18_123
"""One that no other test wants."""
IGNORES = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


def serve(kind: str, directory: Path, *more: str) -> ServerProcess:
    """Return a server that runs apps in that directory."""
    return ServerProcess("--server", kind, "--run", "--app-directory", str(directory), *more)


def deploy(server: ServerProcess, count: int, text: str = SERVE) -> list[str]:
    """Deploy so many apps, and return their URLs, which answer."""
    with Client(server.url, project="p", domain="d") as client:
        names = [f"web-{number}" for number in range(count)]
        apps = [client.apps.create(new_app(each, image="img", command=script(text), port=PORT)) for each in names]
        urls = [app.watch().endpoint for app in apps]
    assert all(get(each) == (200, b"ok") for each in urls)
    return urls


def family(server: ServerProcess) -> list[psutil.Process]:
    """Return the processes of a server: itself, its children, theirs."""
    root = psutil.Process(server.process.pid)
    return [root, *root.children(recursive=True)]


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def ports_of(processes: list[psutil.Process]) -> set[int]:
    return {each.laddr.port for one in processes for each in one.net_connections("tcp") if each.status == "LISTEN"}


def kill_server(server: ServerProcess) -> None:
    server.process.kill()


def kill_group(server: ServerProcess) -> None:
    os.killpg(server.process.pid, signal.SIGKILL)


def kill_last(server: ServerProcess) -> None:
    """Kill the process that holds the data plane: pyvoy's server has one beneath it."""
    keeper = next(each for each in family(server) if "keeper.py" in " ".join(each.cmdline()))
    os.kill(keeper.ppid(), signal.SIGKILL)


def kill(server: ServerProcess, count: int, how: Callable[[ServerProcess], None], prefix: str, text: str) -> float:
    """Kill a server with so many apps, and check what is left; return the seconds until it was gone."""
    with server:
        urls = deploy(server, count, text)
        processes = family(server)
        assert len(processes) >= count + 2
        ports = ports_of(processes)
        assert {urlsplit(each).port for each in urls} | {server.port, server.console_port} <= ports
        began = time.monotonic()
        how(server)
        until(lambda: not marked(prefix) and all(map(is_gone, processes)))
        seconds = time.monotonic() - began
        # a test beside this one may be given a port that has just become free, for a while
        until(
            lambda: not any(is_taken(each, port) for each in LOOPBACKS for port in (server.port, server.console_port))
        )
        return seconds


@pytest.mark.parametrize("how", [kill_server, kill_group, kill_last])
@pytest.mark.parametrize("kind", EACH_KIND)
def test_a_server_that_is_killed(kind: str, how: Callable[[ServerProcess], None], tmp_path: Path) -> None:
    server = serve(kind, tmp_path)
    kill(server, 2, how, (tmp_path / "id").read_text(), IGNORES + SERVE)
    assert not list((tmp_path / "uploads").iterdir())


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", EACH_KIND)
def test_a_server_that_is_killed_again_and_again(kind: str, tmp_path: Path) -> None:
    """Five times with ten apps, in the same directory: nothing is left after a few seconds. `make kills` does more."""
    for _ in range(5):
        server = serve(kind, tmp_path)
        seconds = kill(server, 10, kill_server, (tmp_path / "id").read_text(), SERVE)
        assert seconds < LEFT_SECONDS + server.soon


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", EACH_KIND)
def test_a_server_that_is_stopped(kind: str, number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM stop the apps in order, and leave the logs."""
    server = serve(kind, tmp_path)
    deploy(
        server,
        2,
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(print('bye', flush=True)))\n" + SERVE,
    )
    processes = family(server)
    status, _ = server.stop(number)
    assert status == 0, server.output
    assert all(map(is_gone, processes))
    assert not any(is_taken(each, port) for each in LOOPBACKS for port in (server.port, server.console_port))
    logs = [each.read_text() for each in tmp_path.glob("logs/*/*.log")]
    assert len(logs) == 2
    assert all(each.splitlines()[-1].endswith(" bye") for each in logs)
    assert not list((tmp_path / "apps").glob("*/*"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_directory_of_a_server_that_runs(kind: str, tmp_path: Path) -> None:
    """A second server doesn't end the apps of the first."""
    with serve(kind, tmp_path) as server:
        [url] = deploy(server, 1)
        command = [sys.executable, "-P", "-m", "flyteapps_fake.cli.serve", "--port", "0", "--run", "--server", kind]
        second = subprocess.run([*command, "--app-directory", str(tmp_path)], capture_output=True, text=True)
        assert second.returncode
        assert "is in use by another server that runs apps" in second.stderr
        assert get(url) == (200, b"ok")
