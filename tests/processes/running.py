"""A plane that runs apps, as tests use it, and the programs of these apps."""

from __future__ import annotations

import contextlib
import http.client
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import psutil
from flyteidl2.app.app_definition_pb2 import Status
from flyteidl2.core.tasks_pb2 import Resources
from innards import data_plane_of

from flyteapps import Client, new_app
from flyteapps.client import App
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.processes.data_plane import DataPlane
from flyteapps_fake.processes.keeper import MARK
from flyteapps_fake.processes.replica import Replica

PYTHON = (sys.executable, "-I", "-S", "-E")
"""A Python that starts quickly."""
SERVER = """
import os, socket, sys
def serve(answer=b"ok", port=None):
    sock = socket.create_server(("127.0.0.1", port or int(os.environ["PORT"])), backlog=1024)
    while True:
        with sock.accept()[0] as client:
            if client.recv(65536):
                head = b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(answer)
                client.sendall(head + answer)
"""
"""Defines `serve`, a server of one response."""
SERVE = SERVER + "serve()"
FOREVER = "import signal\nwhile True: signal.pause()"


class Condition(NamedTuple):
    """The last condition of an app."""

    status: str
    substate: str
    message: str


class Patience:
    """The time that a test waits: its own bound, but for planted bugs, for which a test should fail soon."""

    seconds: float | None = None


def until(condition: Callable[[], Any]) -> Any:
    """Return the condition's value as soon as it is true."""
    end = None if Patience.seconds is None else time.monotonic() + Patience.seconds
    while not (value := condition()):
        assert end is None or time.monotonic() < end, "the condition isn't met"
        time.sleep(0.005)
    return value


def script(text: str, *arguments: str) -> list[str]:
    """Return the command of a Python program."""
    return [*PYTHON, "-c", text, *arguments]


class Apps:
    """A plane that runs apps quickly, and its client. All of its processes, and its directory, are gone at the end."""

    def __init__(self, state: Path | None = None, **settings: Any) -> None:
        processes = {"retry_seconds": 0.02, "stop_seconds": 5.0, **settings}
        self.plane = FakeControlPlane(data_plane="processes", processes=processes, state=state)
        self.client = Client(transport=self.plane.transport(), project="p", domain="d")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        data_plane = self.data_plane
        self.plane.close()
        if error is None:
            assert self.processes() == []
            assert not data_plane.directories.is_temporary or not data_plane.directories.root.exists()

    @property
    def data_plane(self) -> DataPlane:
        """The plane's data plane."""
        return data_plane_of(self.plane)

    @property
    def keeper(self) -> int:
        """The process id of the keeper."""
        return self.data_plane._programs.keeper or 0  # pyright: ignore[reportPrivateUsage]

    def create(self, name: str = "web", text: str = SERVE, *, command: list[str] | None = None, **fields: Any) -> App:
        """Create an app that runs a Python program, or a command, or deploy another one for it."""
        fields.setdefault("port", 8080)
        fields.setdefault("image", "img")
        cname, memory = fields.pop("cname", ""), fields.pop("memory", "")
        made = new_app(name, command=script(text) if command is None else command, **fields)
        made.spec.ingress.cname = cname
        if memory:
            made.spec.container.resources.limits.add(name=Resources.MEMORY, value=memory)
        return self.client.apps.create(made)

    def started(self, name: str = "web", text: str = SERVE, **fields: Any) -> App:
        """Return an app that has become active."""
        return self.create(name, text, **fields).watch(timeout=Patience.seconds)

    def stop(self, name: str = "web") -> None:
        """Stop an app."""
        self.client.apps.get(name).deactivate(wait=True, timeout=Patience.seconds)

    def delete(self, name: str = "web") -> None:
        """Stop an app, and delete it."""
        self.stop(name)
        self.client.apps.delete(name)

    def condition(self, name: str = "web") -> Condition:
        """Return the last condition of an app."""
        last = self.client.apps.get(name).pb2.status.conditions[-1]
        status, substate = Status.DeploymentStatus.Name(last.deployment_status), Status.Substate.Name(last.substate)
        return Condition(status.removeprefix("DEPLOYMENT_STATUS_"), substate.removeprefix("SUBSTATE_"), last.message)

    def reaches(self, status: str, name: str = "web", *, text: str = "", substate: str = "") -> Condition:
        """Wait until the app's condition has this status, this substate, and this text in its message."""

        def reached() -> Condition | None:
            now = self.condition(name)
            fits = now.status == status and text in now.message and substate in ("", now.substate)
            return now if fits else None

        found: Condition = until(reached)
        return found

    def replicas(self, name: str = "web") -> list[Replica]:
        """Return the replicas of an app's present revision."""
        running = self.data_plane._apps  # pyright: ignore[reportPrivateUsage]
        return next((list(each.replicas) for key, each in list(running.items()) if key.name == name), [])

    def replica(self, name: str = "web") -> Replica:
        """Return the only replica of an app, as soon as there is one."""
        [found] = until(lambda: self.replicas(name))
        return found

    def pid(self, name: str = "web") -> int:
        """Return the process of an app's only replica, as soon as it runs."""
        program = until(lambda: self.replica(name).program)
        return program.pid

    def lines(self, name: str = "web", *, system: bool = False) -> list[str]:
        """Return what the only replica of an app has logged, the platform's lines or the program's."""
        return [line.text for line in self.replica(name).log.between(0, 1 << 63) if line.system == system]

    def logs(self, name: str = "web") -> Path:
        """Return the directory of an app's logs, as soon as it is there."""
        folder = self.data_plane.directories.root / "logs"
        return until(lambda: next(folder.glob(f"{name}-*"), None))

    def processes(self) -> list[int]:
        """Return the processes with the mark of this plane's replicas."""
        return marked(self.data_plane.directories.prefix)


def marked(prefix: str) -> list[int]:
    """Return the processes of replicas whose mark begins so."""
    found: list[int] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK, "").startswith(prefix) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def runs(pid: int) -> bool:
    """Return whether a process runs."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def get(url: str, host: str = "") -> tuple[int, bytes]:
    """Return the status and the body of the response to a GET."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"host": host} if host else {})) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def body(app: App) -> bytes:
    """Return the body of an app's response, which is 200."""
    status, answer = get(app.endpoint)
    assert status == 200, answer
    return answer


@contextlib.contextmanager
def load(app: App) -> Generator[list[tuple[int, bytes]]]:
    """Send requests to an app, one after the other; yield the list of the answers until now."""
    answers: list[tuple[int, bytes]] = []
    ended = threading.Event()
    port = urlsplit(app.endpoint).port

    def send() -> None:
        while not ended.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port)
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                answers.append((response.status, response.read()))
            except OSError as error:
                answers.append((0, str(error).encode()))
            finally:
                connection.close()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()


def descriptors() -> int:
    """Return the number of files that this process has open."""
    return len(os.listdir("/proc/self/fd"))
