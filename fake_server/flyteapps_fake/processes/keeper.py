"""The keeper, a small process that starts the replicas of apps, and ends them all when the server is gone or killed.

It is run as a file, by the bare interpreter, and imports the standard library alone: forking it is quick and safe, as
it has one thread. On Linux it is the parent of whatever its replicas leave behind, so that nothing escapes it.

Its arguments are the descriptor of a socket, the server's process id, and the directory to remove when the server was
killed, if there is one.

It speaks lines of JSON over the socket, and sends the reading end of a replica's output along as a file descriptor:
  {"start": ID, "argv": [...], "env": {...}, "cwd": DIR}   -> {"started": ID, "pid": PID} or {"failed": ID, "why": TEXT}
  {"signal": ID, "number": N}                              to the replica's process group
  {"close": true}                                          the server is about to end, and removes its directory
  {"end": ID}                                              SIGKILL to the group, to all that descend from it, and to
                                                           all with the replica's mark
                                                           -> {"exited": ID, "status": WAIT_STATUS}, when it has exited
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

MARK = "FLYTEAPPS_REPLICA"
"""The variable that every process of a replica inherits."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
FILES = 65_536
"""The files that a replica may open, unless the machine allows fewer."""
OOM_SCORE = "500"
"""The system that has no memory left kills a replica before the server."""
MORE_PROCESSES = 4_096
"""The processes and threads of this user that may be started besides those that there are."""
GONE_SECONDS = 2.0
"""Time that a killed server may take from closing its files to its end."""
ROUNDS = 100
"""The times that it looks at most for processes which start others while they are ended."""


def prctl() -> Callable[[int, int], object]:
    """Return Linux's prctl of two arguments; elsewhere a function that does nothing."""
    if not sys.platform.startswith("linux"):
        return lambda option, value: None
    import ctypes

    function = ctypes.CDLL(None, use_errno=True).prctl
    return lambda option, value: function(option, value, 0, 0, 0)


PRCTL = prctl()


class Keeper:
    """The replicas of one server, the process `server`, which is at the other end of `sock`.

    `directory`: it is removed when the server was killed, and could not do so itself; "" for none.
    """

    def __init__(self, sock: socket.socket, server: int, directory: str = "") -> None:
        self._sock = sock
        self._server = server
        self._directory = directory
        self._buffer = b""
        self._running: dict[int, str] = {}
        """The id of the replica by its process's id, as long as that isn't reaped."""
        self._groups: dict[str, int] = {}
        """The process group by the replica's id."""
        self._families: dict[str, set[int]] = {}
        """The processes that descended from a replica's when it was signalled."""

    def run(self) -> None:
        """Work until the server is gone, then end all replicas."""
        PRCTL(PR_SET_CHILD_SUBREAPER, 1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # Envoy, which may have started it, blocks SIGTERM
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        os.set_blocking(ours, False)
        signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the server says when to end
        # a child that the server forked may hold the other end of the socket open: its end alone isn't enough
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        PRCTL(PR_SET_PDEATHSIG, signal.SIGUSR1)
        selector = selectors.DefaultSelector()
        selector.register(self._sock, selectors.EVENT_READ)
        selector.register(ours, selectors.EVENT_READ)
        try:
            while os.getppid() == self._server:
                for key, _ in selector.select():
                    if key.fd == ours:
                        with contextlib.suppress(BlockingIOError):
                            os.read(ours, 65_536)
                        self._reap()
                    elif not self._receive():
                        return
        except OSError:  # the server is gone in the middle of an answer
            return
        finally:
            self._end_all()
            if self._directory and self._server_is_gone():
                shutil.rmtree(self._directory, ignore_errors=True)

    def _server_is_gone(self) -> bool:
        """Return whether the server has ended: one that was killed closes its files a moment before it is gone."""
        for _ in range(ROUNDS):
            if os.getppid() != self._server:
                return True
            time.sleep(GONE_SECONDS / ROUNDS)
        return False

    def _receive(self) -> bool:
        """Carry out what has come; return False at the end."""
        data = self._sock.recv(1 << 20)
        if not data:
            return False
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "close" in message:
                self._directory = ""  # the server removes it by itself
            elif "start" in message:
                self._start(message)
            elif "signal" in message:
                self._signal(message["signal"], message["number"])
            else:
                self._end(message["end"])
        return True

    def _start(self, message: dict[str, Any]) -> None:
        name = message["start"]
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(
                message["argv"],
                env={**message["env"], MARK: name},
                cwd=message["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
                preexec_fn=_prepare,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._send({"failed": name, "why": why})
        else:
            process.returncode = 0  # it is reaped here, with what replicas leave behind
            self._running[process.pid] = name
            self._groups[name] = process.pid
            self._send({"started": name, "pid": process.pid}, reading)
        finally:
            os.close(writing)
            os.close(reading)

    def _signal(self, name: str, number: int) -> None:
        group = self._groups.get(name)
        if group is not None:
            self._families.setdefault(name, set()).update(_descendants(group)[0])  # after its end they are orphans
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    def _end(self, name: str) -> None:
        """End all processes of a replica: its group, all that descend from it, and those with its mark.

        One that has left its group and has no mark any more, and whose replica ended by itself, ends with the server.
        """
        if name not in self._groups:
            return  # it has ended, and all was ended then
        self._signal(name, signal.SIGKILL)
        family = self._families.pop(name)
        _kill(lambda pid, mark: mark == name or (not mark and pid in family))

    def _end_all(self) -> None:
        for name in list(self._groups):
            self._signal(name, signal.SIGKILL)
        _kill(lambda pid, mark: True)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _reap(self) -> None:
        """Report the replicas that have exited, and end what they have left behind."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = _exited()
                if not pid:
                    return
                name = self._running.get(pid)
                if name is not None:
                    self._end(name)  # as long as it isn't reaped, no other process or group can have its id
                if status is None:
                    _, status = os.waitpid(pid, 0)
                if name is not None:
                    del self._running[pid], self._groups[name]
                    self._send({"exited": name, "status": status})

    def _send(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        rights = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        data = json.dumps(message).encode() + b"\n"
        sent = self._sock.sendmsg([data], rights)
        if sent < len(data):
            self._sock.sendall(data[sent:])


def _exited() -> tuple[int, int | None]:
    """Return a child that has exited, 0 if there is none, and its status, None where it isn't reaped yet.

    Raises ChildProcessError.
    """
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return os.waitpid(-1, os.WNOHANG)
    found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return (found.si_pid if found is not None else 0), None


def _prepare() -> None:
    """Prepare a replica's process before it runs its program."""
    PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, FILES)
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(OOM_SCORE)
        with contextlib.suppress(OSError, ValueError):
            _lower(resource.RLIMIT_NPROC, _threads_of_user() + MORE_PROCESSES)


def _lower(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (bound, hard))


def _threads_of_user() -> int:
    """Return about how many threads there are: those of all users, since who counts them has no time."""
    with open("/proc/loadavg", encoding="ascii") as file:
        return int(file.read().split()[3].partition("/")[2])


def _kill(chosen: Callable[[int, str], bool]) -> None:
    """Kill those descendants of this process that are `chosen`, by their id and mark, until none is left.

    A process that starts another and exits while they are looked for may hide the other: it isn't in the list, which
    is older. So the end is a look which finds none, and the same dead ones and ones without a mark as the one before.
    """
    before: object = None
    for _ in range(ROUNDS):
        living, dead = _descendants(os.getpid())
        marks = {pid: _mark_of(pid) for pid in living}
        left = [pid for pid in living if chosen(pid, marks[pid])]
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        found = (dead, {pid for pid in living if not marks[pid]})  # a process has no mark while it executes a program
        if not left and found == before:
            return
        before = found


def _descendants(root: int) -> tuple[list[int], set[int]]:
    """Return the processes that descend from that one, on Linux: those that live, and the dead that aren't reaped."""
    if not sys.platform.startswith("linux"):
        return [], set()
    children: dict[int, list[int]] = {}
    dead: set[int] = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{entry}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
                children.setdefault(int(parent), []).append(int(entry))
                if state in (b"Z", b"X"):
                    dead.add(int(entry))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), ())
        found += below
        waiting += below
    return [pid for pid in found if pid not in dead], dead.intersection(found)


def _mark_of(pid: int) -> str:
    """Return the mark in the environment of a process, "" where it has none, or has ended."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return ""
    start = f"{MARK}=".encode()
    return next((each[len(start) :].decode("ascii", "replace") for each in entries if each.startswith(start)), "")


if __name__ == "__main__":
    Keeper(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), *sys.argv[3:4]).run()
