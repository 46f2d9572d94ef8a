"""Apps that end: the message says how, they are started again, ever later, and recover in place."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import psutil
import pytest

from flyteapps_fake.processes import data_plane, programs, replica
from flyteapps_fake.processes.usage import Usage

from ..running import FOREVER, SERVE, Apps, body, runs, script, until

FAIL_UNTIL = f"import os, sys\nif not os.path.exists(sys.argv[1]): sys.exit('not yet')\n{SERVE}"


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("raise SystemExit(3)", "Exited with code 3"),
        ("raise ValueError('bad')", "Exited with code 1: ValueError: bad"),
        ("raise SystemExit('two\\nlines')", "Exited with code 1: lines"),
        ("import os; os.write(1, b'half'); os._exit(300)", "Exited with code 44: half"),
        ("import os; os.kill(0, 9)", "Was killed by SIGKILL"),
        ("import os; os.kill(os.getpid(), 15)", "Was killed by SIGTERM"),
        ("import os; os.abort()", "Was killed by SIGABRT"),
        ("import os; os.kill(os.getpid(), 40)", "Was killed by signal 40"),
    ],
)
def test_ends(apps: Apps, end: str, how: str) -> None:
    """The message has the exit code or the signal, and the last line of the log; after three it is a crash loop."""
    apps.create(text=end)
    assert apps.reaches("FAILED", substate="CRASH_LOOP").message == f"{how} (3 times)"


def test_the_text_of_an_exit() -> None:
    assert [programs.exit_text(status) for status in (0, 3 << 8, 9, 139, 40)] == [
        "exited with code 0",
        "exited with code 3",
        "was killed by SIGKILL",
        "was killed by SIGSEGV",
        "was killed by signal 40",
    ]


def test_the_first_ends_are_no_failure_yet(apps: Apps, tmp_path: Path) -> None:
    """An app that runs at the second try was never FAILED."""
    text = f"import os, sys\nif not os.path.exists(sys.argv[1]): open(sys.argv[1], 'w'); sys.exit(7)\n{SERVE}"
    app = apps.create(command=[*script(text), str(tmp_path / "marker")])
    assert app.watch()
    assert not [each for each in app.pb2.status.conditions if "FAILED" in str(each)]
    assert "exited with code 7; it is started again in 0.02 s" in apps.lines(system=True)


def test_an_app_recovers_in_place(apps: Apps, tmp_path: Path) -> None:
    """The thing that it waits for appears, and it runs, with no new revision."""
    marker = tmp_path / "marker"
    app = apps.create(command=[*script(FAIL_UNTIL), str(marker)])
    assert apps.reaches("FAILED", substate="CRASH_LOOP").message.startswith("Exited with code 1: not yet")
    marker.touch()
    apps.reaches("ACTIVE")
    assert body(app) == b"ok"
    assert apps.client.apps.get("web").pb2.metadata.revision == 1


def test_the_back_off_grows(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    """It doubles with each end, up to a bound."""
    monkeypatch.setattr(replica, "LONGEST_RETRY_SECONDS", 0.1)
    apps.create(text="raise SystemExit(1)")
    until(lambda: len([each for each in apps.lines(system=True) if "again in" in each]) > 4)
    delays = [each.rpartition(" in ")[2] for each in apps.lines(system=True) if "again in" in each]
    assert delays[:5] == ["0.02 s", "0.04 s", "0.08 s", "0.1 s", "0.1 s"]


def test_an_app_that_has_run_for_long_begins_anew(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its earlier ends don't count any more, so that it is soon started again."""
    monkeypatch.setattr(replica, "STEADY_SECONDS", 0.0)
    apps.started()
    for _ in range(5):
        pid = apps.pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: apps.replica().program is not None and apps.pid() != pid and apps.replica().is_ready)
    lines = apps.lines(system=True)
    delays = [each.rpartition(" in ")[2] for each in lines if "was killed by SIGKILL; it is started again" in each]
    assert delays == ["0.02 s"] * 5, lines


def test_a_running_app_that_is_killed_fails_and_comes_back(apps: Apps) -> None:
    app = apps.started()
    events = app.events()
    pid = apps.pid()
    os.kill(pid, signal.SIGKILL)
    seen: list[str] = []
    for change in events:
        condition = change.app.pb2.status.conditions[-1]
        seen.append(condition.message)
        if len(seen) > 1 and condition.message.startswith("Running"):
            break
    assert "Was killed by SIGKILL" in seen
    assert body(app) == b"ok"
    assert apps.pid() != pid


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    with Apps(stop_seconds=0.2) as apps:
        apps.started(text=f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SERVE}")
        pid = apps.pid()
        apps.stop()
        assert not runs(pid)


def test_a_process_ends_by_itself_on_sigterm(apps: Apps, tmp_path: Path) -> None:
    """It has the time to clean up, and so have the processes of its group."""
    marker = tmp_path / "marker"
    text = (
        "import signal, sys\n"
        "def end(*_): open(sys.argv[1], 'w').close(); print('bye', flush=True); sys.exit(0)\n"
        f"signal.signal(signal.SIGTERM, end)\n{SERVE}"
    )
    apps.started(command=[*script(text), str(marker)])
    apps.stop()
    assert marker.exists()
    assert "bye" in next(apps.logs().glob("*.log")).read_text()


def test_a_stopped_process_is_ended_too() -> None:
    """SIGTERM stays pending for one that SIGSTOP has stopped."""
    with Apps(stop_seconds=0.2) as apps:
        apps.started()
        pid = apps.pid()
        os.kill(pid, signal.SIGSTOP)
        apps.stop()
        assert not runs(pid)


def test_the_memory_limit(apps: Apps) -> None:
    """The app is OOM_KILLED, with what it used and what it may."""
    text = f"print('loading', flush=True)\nheld = bytearray(150_000_000)\n{FOREVER}"
    apps.create(text=text, memory="100Mi")
    message = apps.reaches("FAILED", substate="OOM_KILLED").message
    assert re.fullmatch(r"Was killed: it used [0-9]{3} MB of memory, its limit is 105 MB", message)


def test_the_memory_limit_counts_all_processes(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared memory counts once."""
    looks: list[dict[int, int | None]] = []
    look = data_plane.usage_of

    def counted(limits: dict[int, int | None]) -> dict[int, Usage]:
        looks.append(limits)
        return look(limits)

    monkeypatch.setattr(data_plane, "usage_of", counted)
    text = f"import os\nheld = b'x' * 60_000_000\nfor _ in range(4):\n    if not os.fork():\n        {{}}\n{SERVE}"
    wait = "import signal; signal.pause()"
    apps.started("shared", text.format(wait), memory="200Mi")
    pid = apps.pid("shared")
    until(lambda: len(psutil.Process(pid).children()) == 4)
    seen = len(looks)
    until(lambda: len(looks) > seen + 2)
    assert apps.pid("shared") == pid
    own = "own = b'y' * 60_000_000; import signal; signal.pause()"
    apps.create("own", text.format(own), memory="200Mi")
    apps.reaches("FAILED", "own", substate="OOM_KILLED")
    assert apps.pid("shared") == pid


def test_processes_without_end(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that starts too many processes is ended, with all of them; the other apps go on."""
    monkeypatch.setattr(data_plane, "MAX_PROCESSES", 20)
    monkeypatch.setattr(data_plane, "COUNT_SECONDS", 0.1)
    other = apps.started("other")
    text = "import os, signal\nfor _ in range(60):\n    if not os.fork(): os.setsid(); signal.pause()\nsignal.pause()"
    apps.create(text=text)
    apps.reaches("FAILED", text="Was killed: it started too many processes")
    assert body(other) == b"ok"
    apps.delete()
    until(lambda: len(apps.processes()) == 1)


def test_a_port_that_is_taken_while_the_app_is_down() -> None:
    """It gets another one, and the requests go there."""
    with Apps(retry_seconds=0.3) as apps:
        app = apps.started()
        port = apps.replica().port
        os.kill(apps.pid(), signal.SIGKILL)
        apps.reaches("FAILED")
        with socket.create_server(("127.0.0.1", port)):
            apps.reaches("ACTIVE")
            assert apps.replica().port != port
            assert body(app) == b"ok"
            assert len([line for line in apps.lines(system=True) if "again in" in line]) == 1
