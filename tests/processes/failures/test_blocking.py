"""Work that takes long keeps neither the plane's lock nor the data plane's loop: other apps answer meanwhile.

A test holds up one such work, in the thread that does it, and lets another app be created and answer before it goes on.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flyteapps_fake.processes import data_plane, programs, replica

from ..running import SERVE, Apps, body, script, until

pytestmark = pytest.mark.slow


class Held:
    """A function whose calls wait until `release`; `called` is set by the first one."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.called = threading.Event()
        self.released = threading.Event()
        self.threads: set[str] = set()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.threads.add(threading.current_thread().name)
        self.called.set()
        assert self.released.wait(60)
        return self._function(*arguments, **named)


Hold = Callable[[Any, str], Held]


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """Hold the calls of an owner's function; all go on after the test."""
    made: list[Held] = []

    def hold(owner: Any, name: str) -> Held:
        held = Held(getattr(owner, name))
        made.append(held)
        monkeypatch.setattr(owner, name, held)
        return held

    yield hold
    for each in made:
        each.released.set()


def check(apps: Apps, held: Held, other: Any) -> None:
    """Check that the plane and another app answer while the work is held up."""
    assert held.called.wait(60)
    assert held.threads.isdisjoint({"flyteapps-processes", threading.current_thread().name})
    assert body(other) == b"ok"
    assert apps.condition("other").status == "ACTIVE"
    held.released.set()


def test_a_large_bundle_is_read(apps: Apps, hold: Hold) -> None:
    other = apps.started("other")
    held = hold(replica, "bundle_problem")
    app = apps.create()
    check(apps, held, other)
    assert body(app.watch()) == b"ok"


def test_an_app_is_stopped_while_its_bundle_is_read(apps: Apps, hold: Hold) -> None:
    """Its directory is removed after that, and nothing is left."""
    other = apps.started("other")
    held = hold(replica, "bundle_problem")
    app = apps.create()
    assert held.called.wait(60)
    app.deactivate()
    check(apps, held, other)
    apps.reaches("STOPPED")
    assert len(list((apps.data_plane.directories.root / "apps").glob("*/*"))) == 1


def test_a_large_directory_is_removed(apps: Apps, hold: Hold) -> None:
    other = apps.started("other")
    app = apps.started()
    held = hold(shutil, "rmtree")
    app.deactivate()
    check(apps, held, other)
    apps.reaches("STOPPED")


def test_the_files_of_a_deleted_app_are_removed(apps: Apps, hold: Hold) -> None:
    other = apps.started("other")
    apps.started()
    held = hold(apps.data_plane.directories, "remove")
    apps.delete()
    assert held.called.wait(60)
    assert held.threads.isdisjoint({"flyteapps-processes"})
    assert body(other) == b"ok"
    held.released.set()
    until(lambda: len(list((apps.data_plane.directories.root / "data").iterdir())) == 1)


def test_the_machine_is_looked_at(apps: Apps, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_plane, "COUNT_SECONDS", 0.0)
    monkeypatch.setattr(data_plane, "USAGE_SECONDS", 0.01)
    other = apps.started("other")
    held = hold(data_plane, "usage_of")
    check(apps, held, other)


def test_open_ports_are_looked_for(apps: Apps, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "LISTEN_LOOK_SECONDS", 0.0)
    other = apps.started("other")
    held = hold(replica, "listening_ports")
    apps.create(text="import time\ntime.sleep(60)")
    check(apps, held, other)


def test_the_leftovers_of_a_killed_keeper_are_swept(apps: Apps, hold: Hold) -> None:
    """Programs start after that."""
    apps.started("other")
    held = hold(programs, "sweep")
    os.kill(apps.keeper, signal.SIGKILL)
    assert held.called.wait(60)
    assert held.threads.isdisjoint({"flyteapps-processes"})
    assert apps.condition("other").message
    until(lambda: not apps.processes())
    held.released.set()
    until(apps.processes)


def test_the_lock_of_the_plane_is_not_held_while_the_thread_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first app's Create returns before the thread runs."""
    going = threading.Event()
    listening = data_plane.listening_sockets

    def listen(*arguments: Any) -> Any:
        assert going.wait(60)
        return listening(*arguments)

    with Apps() as apps:
        monkeypatch.setattr(data_plane, "listening_sockets", listen)
        app = apps.create()
        assert apps.client.apps.get("web").name == "web"
        going.set()
        assert body(app.watch()) == b"ok"


def test_a_thread_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that needs it learns why; the plane's other calls answer."""

    def fail(*arguments: Any) -> Any:
        raise OSError("no port is left")

    monkeypatch.setattr(data_plane, "listening_sockets", fail)
    apps = Apps()
    apps.create()
    with pytest.raises(OSError, match="no port is left"):
        apps.data_plane.start()
    assert apps.client.apps.get("web").name == "web"
    apps.plane.close()


def test_clients_in_many_threads(apps: Apps) -> None:
    """Reads, logs and writes go on while replicas report."""
    ended = threading.Event()
    errors: list[BaseException] = []

    def read() -> None:
        try:
            while not ended.is_set():
                app = apps.client.apps.get("web")
                list(app.logs(follow=False))
        except BaseException as error:
            errors.append(error)

    text = f"import os\nwhile os.path.exists(os.environ['FILE']): print('line', flush=True)\n{SERVE}"
    file = Path(apps.data_plane.directories.root / "file")
    file.touch()
    apps.create(command=script(text), env={"FILE": str(file)})
    until(lambda: len(apps.lines()) > 10)
    readers = [threading.Thread(target=read) for _ in range(3)]
    for each in readers:
        each.start()
    until(lambda: len(apps.lines()) > 3_000)
    file.unlink()
    apps.reaches("ACTIVE")
    ended.set()
    for each in readers:
        each.join()
    assert errors == []
