"""Many changes at once: of one app, of many, while they start and while they end; nothing is lost, nothing is left."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from glob import glob

import psutil
import pytest

from flyteapps.client import App
from flyteapps_fake.processes import data_plane

from ..running import FOREVER, SERVE, SERVER, Apps, Patience, body, descriptors, get, load, runs, until

pytestmark = pytest.mark.slow


def answer(text: str) -> str:
    return f"{SERVER}serve({text!r}.encode())"


def test_a_new_revision_starts_before_the_old_one_stops(apps: Apps) -> None:
    """Under load no request fails, and answers come from the old revision, then from the new one alone."""
    app = apps.started(text=answer("1"))
    with load(app) as answers:
        for number in range(2, 5):
            apps.create(text=answer(str(number))).watch()
            until(lambda number=number: answers[-1:] == [(200, str(number).encode())])
    assert {status for status, _ in answers} == {200}
    seen = [int(text) for _, text in answers]
    assert seen == sorted(seen)


def test_a_broken_revision_leaves_the_old_one_answering(apps: Apps) -> None:
    """The app has FAILED, says which revision answers, and the next one replaces both."""
    app = apps.started(text=answer("1"))
    with load(app) as answers:
        apps.create(text="raise ValueError('broken')")
        message = apps.reaches("FAILED", substate="CRASH_LOOP").message
        assert message == "Exited with code 1: ValueError: broken (3 times); revision 1 answers requests until it runs"
        assert body(app) == b"1"
        apps.create(text=answer("3")).watch()
        until(lambda: answers[-1:] == [(200, b"3")])
    assert {text for _, text in answers} == {b"1", b"3"}
    until(lambda: len(apps.processes()) == 1)


def test_a_broken_app_that_is_stopped_leaves_nothing(apps: Apps) -> None:
    app = apps.started(text=answer("1"))
    apps.create(text="raise ValueError('broken')")
    apps.reaches("FAILED")
    apps.stop()
    assert apps.processes() == []
    assert get(app.endpoint)[0] == 503


def test_fifty_updates_at_once(apps: Apps) -> None:
    """The last one runs at the end, alone, and no request fails meanwhile."""
    app = apps.started(text=answer("0"))
    with load(app) as answers:
        for number in range(1, 50):
            apps.create(text=answer(str(number)))
        apps.create(text=answer("50")).watch(timeout=Patience.seconds)
        until(lambda: answers[-1:] == [(200, b"50")])
    assert {status for status, _ in answers} == {200}
    until(lambda: len(apps.processes()) == 1)
    assert apps.condition().message.startswith("Running on port")


def test_activated_and_deactivated_again_and_again(apps: Apps) -> None:
    app = apps.started()
    for _ in range(20):
        app.deactivate()
        app.activate()
    until(lambda: len(apps.processes()) == 1 and apps.replica().is_ready)
    assert body(app) == b"ok"
    app.activate()
    apps.stop()
    assert apps.processes() == []


def test_deleted_and_created_at_once(apps: Apps) -> None:
    """The new app has the name of the old one, and nothing else of it."""
    for number in range(5):
        app = apps.started(text=answer(str(number)))
        assert body(app) == str(number).encode()
        [data] = (apps.data_plane.directories.root / "data").iterdir()
        assert list(data.iterdir()) == []
        (data / "file").touch()
        apps.delete()
    until(lambda: not list((apps.data_plane.directories.root / "data").iterdir()))
    assert apps.processes() == []


def test_created_by_another_kind_of_program(apps: Apps) -> None:
    """A deleted app's files, and its log, are not the next one's."""
    apps.started(text=f"print('first', flush=True)\n{SERVE}")
    apps.delete()
    app = apps.started(text=f"print('second', flush=True)\n{SERVE}")
    texts = [line.message for line in app.logs(follow=False)]
    assert "second" in texts
    assert "first" not in texts
    assert "first" not in "".join(each.read_text() for each in apps.logs().iterdir())


@pytest.mark.parametrize("text", [FOREVER, "import time; time.sleep(60)", "raise SystemExit(1)"])
def test_deleted_while_it_starts(apps: Apps, text: str) -> None:
    apps.create(text=text)
    apps.pid()
    apps.delete()
    until(lambda: not apps.processes() and not apps.data_plane._apps)  # pyright: ignore[reportPrivateUsage]
    until(lambda: not glob(f"{apps.data_plane.directories.root}/apps/*/*"))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_closed_while_apps_start(count: int) -> None:
    """At any moment: before the thread runs, before the keeper does, and between two starts."""
    for turns in range(5):
        with Apps() as apps:
            for number in range(count):
                apps.create(f"web-{number}")
            for _ in range(turns):
                apps.plane.now_ns()
            if turns == 4 and count:
                until(apps.processes)


@pytest.mark.slow
def test_a_hundred_apps_at_once() -> None:
    """All of them run at the end, each on its own port, and answer."""
    count = 100
    with Apps() as apps:

        def create(number: int) -> App:
            return apps.create(f"web-{number}", answer(str(number))).watch()

        with ThreadPoolExecutor(8) as pool:
            running = list(pool.map(create, range(count)))
        assert [int(body(app)) for app in running] == list(range(count))
        assert len({apps.replica(app.name).port for app in running}) == count
        assert len(apps.processes()) == count


def test_several_apps_at_once_of_several_planes() -> None:
    """They want the same ports, as parallel tests do; each gets ports of its own, and none fails."""
    planes = [Apps() for _ in range(3)]
    try:
        made = [
            apps.create(f"web-{number}", answer(str(index))) for number in range(2) for index, apps in enumerate(planes)
        ]
        answers = [body(app.watch()) for app in made]
        assert answers == [b"0", b"1", b"2"] * 2
        for apps in planes:
            assert not [
                line for each in ("web-0", "web-1") for line in apps.lines(each, system=True) if "again" in line
            ]
    finally:
        for apps in planes:
            apps.__exit__(None, None, None)


def test_many_deploys_leave_nothing(apps: Apps) -> None:
    """No file, process, thread or directory for each."""
    measure(apps, 8)


@pytest.mark.slow
def test_a_hundred_deploys_leave_nothing(apps: Apps) -> None:
    measure(apps, 100)


def measure(apps: Apps, count: int) -> None:
    """Deploy an app so many times, and compare what there is with what there was."""
    root = apps.data_plane.directories.root

    def deploy(number: int) -> None:
        app = apps.create(text=answer(str(number))).watch()
        until(lambda: body(app) == str(number).encode())
        until(lambda: len(apps.processes()) == 1)

    def settled() -> tuple[int, int, int, int, int]:
        gc.collect()
        own = psutil.Process()
        keeper = psutil.Process(apps.keeper)
        folders = [each for each in root.rglob("*") if each.is_dir()]
        return (
            descriptors(),
            keeper.num_fds(),
            len(own.children(recursive=True)),
            len(folders),
            threading.active_count(),
        )

    for number in range(3):
        deploy(number)
    before = settled()
    for number in range(count):
        deploy(number)
    until(lambda: all(now <= then for now, then in zip(settled()[:4], before[:4], strict=True)))
    assert threading.active_count() <= before[4] + (os.cpu_count() or 1) + 4  # the threads of the executor
    assert len(apps.data_plane._programs._running) == 1  # pyright: ignore[reportPrivateUsage]
    assert not apps.data_plane._programs._descriptors  # pyright: ignore[reportPrivateUsage]


def test_a_replica_that_is_killed_while_it_stops(apps: Apps) -> None:
    """In any order, the app is STOPPED at the end."""
    text = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\n{SERVE}"
    app = apps.started(text=text)
    pid = apps.pid()
    app.deactivate()
    os.kill(pid, 9)
    apps.reaches("STOPPED")
    assert not runs(pid)


def test_too_many_open_files(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that needs one more than the server can open has FAILED, says so, and runs once there are some."""
    first = apps.started("first")
    monkeypatch.setattr(data_plane, "PORT_SECONDS", 0.1)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 50, limits[1]))
    with contextlib.ExitStack() as held:
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        with contextlib.suppress(OSError):
            while True:
                held.callback(os.close, os.dup(0))
        apps.create("second")
        apps.reaches("FAILED", "second", text="oo many open files")
    apps.reaches("ACTIVE", "second")
    assert body(first) == body(apps.client.apps.get("second")) == b"ok"
