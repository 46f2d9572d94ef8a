"""Programs that the keeper runs for us: start, output, signals, exit. One keeper for all, started when first needed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flyteapps_fake.processes.usage import sweep

KEEPER = Path(__file__).with_name("keeper.py")
LOADER_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""The variables that an interpreter may need to start."""
ANSWER_BYTES = 65_536
MAX_DESCRIPTORS = 64
LOST = -1
"""Stands for a descriptor that was sent, and could not be received."""
KEEPER_SECONDS = 10.0
"""Time that the keeper has to end all that it runs."""


class CannotStart(Exception):  # noqa: N818  # reads as what happened
    """A program that could not be started, with the system's reason."""


class KeeperGone(ConnectionError):  # noqa: N818  # reads as what happened
    """The keeper has ended: all that it ran has ended with it."""


class Program:
    """One running program. `exited`: done when it has, with its status as `os.waitpid` has it."""

    def __init__(self, programs: Programs, name: str, pid: int, output: int) -> None:
        self._programs = programs
        self.name = name
        self.pid = pid
        self.output = output
        """The file descriptor of what it writes; its reader closes it."""
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def signal(self, number: int) -> None:
        """Send a signal to its process group; nothing happens where it is gone."""
        self._programs.send({"signal": self.name, "number": int(number)})

    def end(self) -> None:
        """Kill what is left of it, processes that it has left behind included."""
        self._programs.send({"end": self.name})

    async def stop(self, seconds: float) -> int:
        """End it by SIGTERM, after so many seconds by SIGKILL, with all that it has left behind; return its status."""
        if not self.exited.done():
            self.signal(signal.SIGTERM)
            await asyncio.wait((self.exited,), timeout=seconds)
        self.end()
        return await asyncio.shield(self.exited)


class Programs:
    """The programs of one keeper. `prefix`: the beginning of their marks, by which a later server finds them.

    `interpreter`: the Python that runs the keeper, by default this process's own. `directory`: one that the keeper
    removes, if this process is killed.
    """

    def __init__(self, prefix: str, interpreter: str | None = None, directory: str | None = None) -> None:
        self._prefix = prefix
        self._directory = directory
        self._opening = asyncio.Lock()
        self._cleaning: asyncio.Future[None] | None = None
        """The end of what a keeper that was killed has left behind."""
        self._interpreter = interpreter or sys.executable
        self._count = 0
        self._sock: socket.socket | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._starting: dict[str, asyncio.Future[Program]] = {}
        self._running: dict[str, Program] = {}
        self._buffer = b""
        self._descriptors: list[int] = []
        self._unsent = bytearray()

    @property
    def keeper(self) -> int | None:
        """The process id of the keeper, None before the first start."""
        return self._keeper.pid if self._keeper is not None else None

    async def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: str) -> Program:
        """Start a program. Raises CannotStart, KeeperGone."""
        async with self._opening:
            await self._open()
        self._count += 1
        name = f"{self._prefix}{self._count}"
        future: asyncio.Future[Program] = asyncio.get_running_loop().create_future()
        self._starting[name] = future
        self.send({"start": name, "argv": list(argv), "env": dict(env), "cwd": cwd})
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(_unwanted)
            raise

    def send(self, message: dict[str, Any]) -> None:
        """Send an order to the keeper; it is lost where that is gone, and all programs with it."""
        if self._sock is None:
            return
        self._unsent += json.dumps(message).encode() + b"\n"
        self._write()

    def close(self) -> None:
        """End the keeper, and with it all programs, at once."""
        self.send({"close": True})
        self._gone()
        self._end_keeper()

    def _end_keeper(self) -> None:
        """Wait for the keeper's end; what one that was killed has left behind is ended here."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        try:
            keeper.wait(KEEPER_SECONDS)
        except subprocess.TimeoutExpired:  # it was stopped, or the machine is overloaded
            keeper.kill()
            keeper.wait()
        if keeper.returncode:
            sweep(self._prefix)

    async def _open(self) -> None:
        """Start the keeper, unless it runs; whatever one before has left is ended first."""
        if self._sock is not None:
            return
        if self._cleaning is not None:
            await asyncio.shield(self._cleaning)
            self._cleaning = None
        await asyncio.to_thread(self._end_keeper)
        self._start_keeper()

    def _start_keeper(self) -> None:
        ours, theirs = socket.socketpair()
        arguments = [str(theirs.fileno()), str(os.getpid()), *filter(None, (self._directory,))]
        with theirs:
            try:
                self._keeper = subprocess.Popen(
                    [self._interpreter, "-I", "-S", "-E", str(KEEPER), *arguments],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    env={name: value for name, value in os.environ.items() if name in LOADER_VARIABLES},
                )
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        self._sock = ours
        self._buffer = b""
        asyncio.get_running_loop().add_reader(ours, self._read)

    def _write(self) -> None:
        sock = self._sock
        if sock is None:
            return
        loop = asyncio.get_running_loop()
        try:
            while self._unsent:
                del self._unsent[: sock.send(self._unsent)]
        except BlockingIOError:
            loop.add_writer(sock, self._write)
            return
        except OSError:
            self._gone()
            return
        loop.remove_writer(sock)

    def _read(self) -> None:
        assert self._sock is not None
        try:
            data, descriptors, flags, _ = socket.recv_fds(self._sock, ANSWER_BYTES, MAX_DESCRIPTORS)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors, flags = b"", list[int](), 0
        self._descriptors += descriptors
        if flags & socket.MSG_CTRUNC and not descriptors:  # this process has no file left for it
            self._descriptors.append(LOST)
        if not data:
            self._gone()
            self._cleaning = asyncio.get_running_loop().run_in_executor(None, self._end_keeper)
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "started" in message:
            name, output = message["started"], self._descriptors.pop(0)
            if output == LOST:
                self.send({"end": name})
                self._starting.pop(name).set_exception(CannotStart("this process has too many open files"))
                return
            os.set_inheritable(output, False)
            program = self._running[name] = Program(self, name, message["pid"], output)
            self._starting.pop(name).set_result(program)
        elif "failed" in message:
            self._starting.pop(message["failed"]).set_exception(CannotStart(message["why"]))
        else:
            program = self._running.pop(message["exited"], None)
            if program is not None:
                program.exited.set_result(message["status"])

    def _gone(self) -> None:
        """Take it that all programs have ended: the keeper is gone."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock)
        loop.remove_writer(sock)
        sock.close()
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._descriptors.clear()
        self._unsent.clear()
        for future in self._starting.values():
            future.set_exception(KeeperGone("the process that runs apps has ended"))
            future.exception()  # its starter may have been cancelled
        self._starting.clear()
        for program in self._running.values():
            program.exited.set_result(signal.SIGKILL)
        self._running.clear()


def _unwanted(started: asyncio.Future[Program]) -> None:
    """End a program whose starter was cancelled before it had started."""
    if started.exception() is None:
        program = started.result()
        os.close(program.output)
        program.end()


def exit_text(status: int) -> str:
    """Return how a program ended: "exited with code 1", "was killed by SIGSEGV"."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with code {code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"
