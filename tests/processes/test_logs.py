"""The logs of apps that run: live and kept, of each replica, from both streams, however much they write."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from .running import SERVE, Apps, body, get, script, until

MEGABYTE = 1 << 20
ECHO = """
import os, socket
sock = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    with sock.accept()[0] as client:
        if data := client.recv(65536):
            os.write(1, data.split()[1] + b"\\n")
            client.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""
"""A server that logs the path of each request."""


def test_a_live_tail_gets_each_line_as_it_is_written(apps: Apps) -> None:
    """The line of one request is read before the next one is sent; times grow, and the replica is named."""
    app = apps.started(text=ECHO)
    lines = app.logs()
    seen = []
    for number in range(5):
        assert get(f"{app.endpoint}/{number}")[0] == 200
        line = next(each for each in lines if each.message == f"/{number}")
        seen.append(line)
    times = [line.timestamp for line in seen if line.timestamp is not None]
    assert len(times) == 5
    assert times == sorted(times)
    assert {line.originator for line in seen} == {"USER"}
    [replica] = {line.replica for line in seen}
    assert replica.startswith("web-")


def test_the_platforms_lines(apps: Apps) -> None:
    """They say what was started, with its process and port, and how it ended."""
    app = apps.started()
    pid, port = apps.pid(), apps.replica().port
    os.kill(pid, signal.SIGKILL)
    until(lambda: apps.replica().is_ready and apps.pid() != pid)
    lines = [line.message for line in app.logs(follow=False) if line.originator == "SYSTEM"]
    assert lines[0].endswith(f"starts: process {pid}, port {port}")
    assert lines[1] == "was killed by SIGKILL; it is started again in 0.02 s"
    assert lines[2].endswith(f"starts: process {apps.pid()}, port {port}")


def test_escape_sequences_are_no_messages(apps: Apps) -> None:
    """A message is shown in terminals: the last line's colors are escapes there; the line itself is as it is."""
    apps.create(text="import os\nos.write(1, b'\\x1b[31mred\\xc2\\x85x\\n')\nraise SystemExit(1)")
    assert "Exited with code 1: \\x1b[31mred\\x85x" in apps.reaches("FAILED", substate="CRASH_LOOP").message
    assert apps.lines()[0] == "\x1b[31mred\x85x"
    assert not [line for line in apps.lines(system=True) if "\x1b" in line]


def test_both_streams_and_a_last_line_without_an_end(apps: Apps) -> None:
    """In the order in which they were written; what is no UTF-8 is shown as well as it can be."""
    text = "import os\nos.write(1, b'out\\n')\nos.write(2, b'err \\xff\\n')\nos.write(1, b'no end')"
    apps.create(text=text)
    apps.reaches("FAILED", text="no end")
    assert apps.lines()[:3] == ["out", "err \ufffd", "no end"]


def test_a_partial_line_is_shown_once_it_is_complete(apps: Apps, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = f"import os, sys\nos.write(1, b'half ')\nopen(sys.argv[1]).read()\nos.write(1, b'whole\\n')\n{SERVE}"
    apps.create(command=script(text, str(pipe)))
    with pipe.open("w"):
        assert apps.lines() == []
    apps.reaches("ACTIVE")
    assert until(apps.lines) == ["half whole"]


def test_what_an_ended_replica_has_logged_is_still_there(apps: Apps) -> None:
    app = apps.started(text=f"print('first', flush=True)\n{SERVE}")
    apps.stop()
    assert "first" in [line.message for line in app.logs(follow=False)]
    app.activate(wait=True)
    names = {line.replica for line in app.logs(follow=False) if line.message == "first"}
    assert len(names) == 2
    for name in names:
        assert [line.message for line in app.logs(name, follow=False)].count("first") == 1


def test_the_logs_of_two_replicas(apps: Apps) -> None:
    """Each has its own, by its name."""
    app = apps.started(text=f"import os\nprint(os.getpid(), flush=True)\n{SERVE}", replicas=2)
    until(lambda: all(each.is_ready for each in apps.replicas()))
    pids = {str(each.program.pid) for each in apps.replicas() if each.program is not None}
    lines = until(lambda: (found := [each for each in app.logs(follow=False) if each.message in pids])[1:] and found)
    assert {line.message for line in lines} == pids
    assert len({line.replica for line in lines}) == 2
    for line in lines:
        own = [each.message for each in app.logs(line.replica, follow=False) if each.originator == "USER"]
        assert own == [line.message]


def test_a_live_tail_ends_when_the_app_stops(apps: Apps) -> None:
    app = apps.started(text=f"print('first', flush=True)\n{SERVE}")
    lines = app.logs(follow=True)
    assert next(each.message for each in lines if each.originator == "USER") == "first"
    app.deactivate()
    apps.reaches("STOPPED")
    assert [line.message for line in lines if line.originator == "USER"] == []


def test_the_log_on_disk(apps: Apps) -> None:
    """It outlives the app's end, and goes with the app."""
    apps.started(text=f"print('first', flush=True)\n{SERVE}")
    folder = apps.logs()
    apps.stop()
    [path] = folder.iterdir()
    assert path.name == "00001-1.log"
    assert [line.split(" ", 1)[1] for line in path.read_text().splitlines()][1] == "first"
    apps.client.apps.delete("web")
    until(lambda: not folder.exists())


def test_an_app_that_closes_its_output(apps: Apps) -> None:
    """It runs all the same."""
    app = apps.started(text=f"import os\nos.close(1)\nos.close(2)\n{SERVE}")
    assert body(app) == b"ok"
    apps.stop()
    assert apps.condition().status == "STOPPED"


def test_an_app_that_reads_its_input(apps: Apps) -> None:
    """There is none."""
    apps.create(text=f"import sys\nprint(repr(sys.stdin.read()), flush=True)\n{SERVE}")
    apps.reaches("ACTIVE")
    assert until(apps.lines) == ["''"]


WRITERS = {
    "no newline": "import os\nwhile True: os.write(1, b'x' * 65536)",
    "newlines": "import os\nwhile True: os.write(1, b'\\n' * 65536)",
    "lines": "import os\nwhile True: os.write(1, b'some line of a log\\n' * 3000)",
    "no UTF-8": "import os\nwhile True: os.write(1, b'\\x80' * 65536)",
}


def read_bytes(pid: int) -> int:
    """Return the bytes that a process has written."""
    return psutil.Process(pid).io_counters().write_chars


def bytes_in(folder: Path) -> int:
    """Return the bytes of a folder's files, of which some may go meanwhile."""
    found = 0
    for each in folder.iterdir():
        with suppress(FileNotFoundError):
            found += each.stat().st_size
    return found


@pytest.mark.parametrize(
    "kind", [pytest.param(each, marks=pytest.mark.slow if each != "no newline" else ()) for each in WRITERS]
)
def test_an_app_that_writes_without_end(kind: str, apps: Apps) -> None:
    """Memory stays flat, files are bounded, and other apps and the plane answer all the while."""
    other = apps.started("other")
    apps.create(text=f"import os\nif not os.fork():\n    {WRITERS[kind].splitlines()[1]}\n{SERVE}")
    apps.reaches("ACTIVE")
    [writer] = psutil.Process(apps.pid()).children()
    own = psutil.Process()
    amount = 40 * MEGABYTE if "lines" not in kind else MEGABYTE
    until(lambda: read_bytes(writer.pid) > amount)
    before, answers = own.memory_info().rss, 0
    end = read_bytes(writer.pid) + amount
    while read_bytes(writer.pid) < end:
        assert body(other) == b"ok"
        assert apps.client.apps.get("other").name == "other"
        answers += 1
    assert answers > 3
    assert own.memory_info().rss - before < 40 * MEGABYTE
    assert bytes_in(apps.logs()) < 40 * MEGABYTE


@pytest.mark.slow
def test_a_gigabyte_without_a_newline(apps: Apps) -> None:
    """It is read to its end, with flat memory."""
    own = psutil.Process()
    apps.create(
        text=f"import os\nfor _ in range(16_384): os.write(1, b'x' * 65_536)\nprint('\\nwritten', flush=True)\n{SERVE}"
    )
    until(lambda: len(apps.lines()) > 100)
    before = own.memory_info().rss
    apps.reaches("ACTIVE")
    assert own.memory_info().rss - before < 50 * MEGABYTE
    assert "written" in until(lambda: [each for each in apps.lines() if each == "written"])
