"""Nothing is left behind: processes that leave their group, planes that are dropped, keepers and parents that die."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from flyteapps_fake.processes import programs
from flyteapps_fake.processes.usage import sweep

from ..running import FOREVER, PYTHON, SERVE, Apps, Patience, body, get, marked, runs, script, until

pytestmark = pytest.mark.slow

LIFETIME = 600
"""Seconds for which such a process stays, should nothing end it."""
LEAVES = {
    "session": "if not os.fork(): os.setsid(); stay()",
    "daemon": "if not os.fork():\n    os.setsid()\n    if not os.fork(): os.chdir('/'); stay()\n    os._exit(0)",
    "group": "if not os.fork(): os.setpgid(0, 0); stay()",
    "unmarked": "if not os.fork(): os.setsid(); os.execve(sys.executable, [*flags, STAY, sys.argv[1]], {})",
}
"""The code by which a process leaves the group of its replica; `stay` writes its id, ignores SIGTERM and stays."""
STAYS = f"""
import os, signal, sys
STAY = '''import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.alarm({LIFETIME})  # a planted bug may leave it behind
with open(sys.argv[1], 'a') as file: print(os.getpid(), file=file)
while True: signal.pause()
'''
flags = [*{PYTHON!r}, "-c"]
def stay(): exec(STAY)
"""


def leaving(kind: str, folder: Path) -> tuple[list[str], Path]:
    """Return the command of an app with a process that leaves it, and the file of that process's id."""
    file = folder / "pids"
    return script(f"{STAYS}\n{LEAVES[kind]}\n{SERVE}", str(file)), file


def left(file: Path, count: int = 1) -> list[int]:
    """Return the ids of the processes that have left their group, as soon as there are so many."""

    def read() -> list[int]:
        with contextlib.suppress(FileNotFoundError):
            return [int(each) for each in file.read_text().split("\n")[:-1]]
        return []

    return until(lambda: (found := read())[count - 1 :] and found)


@pytest.mark.parametrize("kind", LEAVES)
def test_processes_that_leave_their_group_end_with_the_app(kind: str, apps: Apps, tmp_path: Path) -> None:
    """Each start's are gone once it is over: by a crash, and when the app is stopped."""
    command, file = leaving(kind, tmp_path)
    apps.started(command=command)
    [first] = left(file)
    os.kill(apps.pid(), signal.SIGKILL)
    _, second = left(file, 2)
    if kind == "unmarked":  # it has neither a mark nor a parent, and ends with the plane
        os.kill(first, signal.SIGKILL)
    until(lambda: not runs(first))
    apps.reaches("ACTIVE")
    assert runs(second)
    apps.stop()
    assert not runs(second)
    assert apps.processes() == []


@pytest.mark.parametrize("kind", LEAVES)
def test_processes_that_leave_their_group_end_with_the_plane(kind: str, tmp_path: Path) -> None:
    command, file = leaving(kind, tmp_path)
    with Apps() as apps:
        apps.started(command=command)
        [pid] = left(file)
    assert not runs(pid)


def test_processes_end_with_the_program_that_started_them(apps: Apps, tmp_path: Path) -> None:
    """As in a container: when the command ends, all of it does, and it is started again."""
    command, file = leaving("daemon", tmp_path)
    command[-2] = command[-2].replace(SERVE, "sys.exit(5)")
    apps.create(command=command)
    apps.reaches("FAILED", text="Exited with code 5")
    pids = left(file)
    apps.delete()
    until(lambda: not any(map(runs, pids)))


@pytest.mark.parametrize("kind", LEAVES)
def test_a_keeper_that_is_killed(kind: str, apps: Apps, tmp_path: Path) -> None:
    """All that it ran ends, and runs again under a new one."""
    command, file = leaving(kind, tmp_path)
    app = apps.started(command=command)
    keeper, pid = apps.keeper, apps.pid()
    [first] = left(file)
    os.kill(keeper, signal.SIGKILL)
    left(file, 2)
    assert not runs(pid)
    if kind != "unmarked":  # then it has neither a mark nor a parent
        assert not runs(first)
    else:
        os.kill(first, signal.SIGKILL)
    apps.reaches("ACTIVE")
    until(lambda: apps.replica().is_ready)
    assert apps.keeper != keeper
    assert body(app) == b"ok"


def test_a_keeper_that_is_stopped_does_not_keep_the_plane_from_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyteapps_fake.processes.programs.KEEPER_SECONDS", 0.2)
    with Apps(stop_seconds=0.2) as apps:
        apps.started()
        os.kill(apps.keeper, signal.SIGSTOP)


def test_signals_do_not_end_the_keeper(apps: Apps) -> None:
    """Ctrl-C reaches the server, which stops the apps in order."""
    app = apps.started()
    keeper, pid = apps.keeper, apps.pid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        os.kill(keeper, number)
    assert apps.started("other")
    assert body(app) == b"ok"
    assert (apps.keeper, apps.pid()) == (keeper, pid)


def test_a_plane_that_is_dropped() -> None:
    """Its apps end soon after, with the directory."""
    apps = Apps()
    app = apps.started()
    root, prefix, thread = (
        apps.data_plane.directories.root,
        apps.data_plane.directories.prefix,
        apps.data_plane._thread,  # pyright: ignore[reportPrivateUsage]
    )
    assert thread is not None
    pid = apps.pid()
    del apps, app
    gc.collect()
    thread.join()
    assert not runs(pid)
    assert marked(prefix) == []
    assert not root.exists()


def test_a_plane_that_never_ran_an_app() -> None:
    """No process was started for it, and no thread; its directory is gone."""
    apps = Apps()
    root = apps.data_plane.directories.root
    assert apps.data_plane._thread is None  # pyright: ignore[reportPrivateUsage]
    apps.plane.close()
    apps.plane.close()
    assert not root.exists()


PROGRAM = """
import os, signal, sys, time
from flyteapps_fake import FakeControlPlane
from flyteapps import Client, new_app
from flyteapps_fake.processes import programs
programs.KEEPER = KEEPER
plane = FakeControlPlane(data_plane="processes", processes={"stop_seconds": 5.0})
client = Client(transport=plane.transport(), project="p", domain="d")
app = client.apps.create(new_app("web", image="img", command=COMMAND, port=8080)).watch()
directories = plane._data_plane.directories
print(directories.prefix, directories.root, app.endpoint, flush=True)
"""
ENDS = {
    "end": "",
    "exit": "sys.exit(3)",
    "error": "raise ValueError",
    "_exit": "os._exit(0)",
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "terminate": "os.kill(os.getpid(), signal.SIGTERM)",
    "interrupt": "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
    "abort": "os.abort()",
}
RARE = ("exit", "error", "_exit", "terminate", "abort")


def program(end: str, command: list[str]) -> tuple[subprocess.Popen[str], str, Path, str]:
    """Return a process with a plane that runs an app, the beginning of its marks, its directory, the app's URL."""
    text = PROGRAM.replace("COMMAND", repr(command)).replace("= KEEPER", f"= {str(programs.KEEPER)!r}")
    process = subprocess.Popen(
        [sys.executable, "-c", text + textwrap.dedent(end)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    prefix, root, endpoint = process.stdout.readline().split()
    return process, prefix, Path(root), endpoint


@pytest.mark.parametrize("end", [pytest.param(each, marks=pytest.mark.slow if each in RARE else ()) for each in ENDS])
def test_a_process_that_ends_without_closing_its_plane(end: str, tmp_path: Path) -> None:
    """However it ends: the apps end with it, those that ignore SIGTERM too, and its temporary directory is removed."""
    command, _ = leaving("daemon", tmp_path)
    process, prefix, root, _ = program(ENDS[end], command)
    with process:
        process.wait(Patience.seconds)
        until(lambda: not marked(prefix))
        until(lambda: not root.exists())


def test_an_app_has_time_to_clean_up_when_the_process_ends(tmp_path: Path) -> None:
    """Its SIGTERM comes first, at a plain end too."""
    marker = tmp_path / "marker"
    end = "import signal, sys\ndef end(*_): open(sys.argv[1], 'w').close(); sys.exit()\n"
    text = f"{end}signal.signal(signal.SIGTERM, end)"
    process, *_ = program("", script(f"{text}\n{SERVE}", str(marker)))
    with process:
        process.wait()
    assert marker.exists()


FORKS = """
child = os.fork()
if not child:
    app.deactivate(wait=False)
    try:
        client.apps.create(new_app("other", image="img", command=COMMAND, port=8080))
    finally:
        plane.close()
        DONE
os.waitpid(child, 0)
print("forked", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    "done",
    [
        pytest.param("os._exit(0)", marks=pytest.mark.slow),
        pytest.param("sys.exit()", marks=pytest.mark.slow),
        "del plane, client, app; sys.exit()",
    ],
)
def test_a_forked_child_does_not_touch_the_apps_of_its_parent(done: str) -> None:
    """It can call its copy of the plane, close it, and exit."""
    command = script(SERVE)
    text = FORKS.replace("COMMAND", repr(command)).replace("DONE", done)
    process, prefix, _, endpoint = program(text, command)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "forked\n"
        assert get(endpoint) == (200, b"ok")
        assert len(marked(prefix)) == 1
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    assert marked(prefix) == []


def test_a_forked_child_that_lives_on_does_not_keep_the_apps_alive() -> None:
    """It has a copy of the socket to the keeper; that of its killed parent is closed all the same."""
    text = "child = os.fork()\nif not child:\n    while True: signal.pause()\nprint(child, flush=True)\nsignal.pause()"
    process, prefix, root, _ = program(text, script(SERVE))
    with process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            process.kill()
            until(lambda: not marked(prefix))
            until(lambda: not root.exists())
            assert runs(child)
        finally:
            os.kill(child, signal.SIGKILL)


def test_server_and_keeper_are_killed_at_once() -> None:
    """The system ends the programs that the keeper has started, as it ends the keeper."""
    process, prefix, _, _ = program("signal.pause()", script(SERVE))
    with process:
        [keeper] = psutil.Process(process.pid).children()
        keeper.kill()
        process.kill()
        try:
            until(lambda: not marked(prefix))
        finally:
            sweep(prefix)  # a planted bug leaves it behind, for good


def test_the_next_start_ends_what_is_left(tmp_path: Path) -> None:
    """Even where server and keeper were killed at once: by the marks of the directory."""
    with Apps(directory=str(tmp_path)) as apps:
        prefix = apps.data_plane.directories.prefix
    stale = subprocess.Popen([*PYTHON, "-c", FOREVER], env={"FLYTEAPPS_REPLICA": f"{prefix}7"})
    other = subprocess.Popen([*PYTHON, "-c", FOREVER], env={"FLYTEAPPS_REPLICA": "another-7"})
    try:
        until(lambda: marked(prefix))
        with Apps(directory=str(tmp_path)):
            assert stale.wait() == -signal.SIGKILL
            assert other.poll() is None
    finally:
        stale.kill()
        other.kill()
        stale.wait()
        other.wait()


def test_a_sweep_leaves_its_own_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may itself be the app of another one."""
    assert sweep("no-such-mark") == []
