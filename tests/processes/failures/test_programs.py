"""Programs that the keeper runs: what it can't start, what is lost on the way, and what is asked of it at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import secrets
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import pytest

from flyteapps_fake.processes.programs import CannotStart, KeeperGone, Programs

from ..running import FOREVER, PYTHON, Patience, marked, until

pytestmark = pytest.mark.slow


@asynccontextmanager
async def keeping() -> AsyncGenerator[Programs]:
    """Yield programs of their own mark, of which none is left afterwards."""
    prefix = f"{secrets.token_hex(6)}-"
    programs = Programs(prefix)
    try:
        yield programs
    finally:
        programs.close()
    until(lambda: not marked(prefix))


@contextmanager
def no_file_left() -> Generator[None]:
    """Let this process open no further file."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 20, limits[1]))
    with contextlib.ExitStack() as held:
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        with contextlib.suppress(OSError):
            while True:
                held.callback(os.close, os.dup(0))
        yield


async def start(programs: Programs, text: str = FOREVER) -> int:
    """Start a program, and return its process."""
    program = await programs.start([*PYTHON, "-c", text], {}, "/")
    os.close(program.output)
    return program.pid


async def test_a_descriptor_that_cannot_be_received() -> None:
    """The program is ended, its starter learns why, and the descriptors of others aren't mixed up."""
    async with keeping() as programs, asyncio.timeout(Patience.seconds):
        first = await programs.start([*PYTHON, "-c", "print('first', flush=True)\n" + FOREVER], {}, "/")
        with no_file_left(), pytest.raises(CannotStart, match="too many open files"):
            await programs.start([*PYTHON, "-c", FOREVER], {}, "/")
        third = await programs.start([*PYTHON, "-c", "print('third', flush=True)\n" + FOREVER], {}, "/")
        assert await asyncio.to_thread(os.read, first.output, 99) == b"first\n"
        assert await asyncio.to_thread(os.read, third.output, 99) == b"third\n"
        for each in (first, third):
            os.close(each.output)


async def test_a_keeper_that_cannot_start() -> None:
    """Its interpreter is gone, or ends at once."""
    async with keeping() as programs:
        programs._interpreter = "/no/such/python"  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(FileNotFoundError):
            await start(programs)
        programs._interpreter = "/bin/false"  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(KeeperGone):
            await start(programs)


async def test_starts_at_once_share_a_keeper() -> None:
    async with keeping() as programs:
        pids = await asyncio.gather(*(start(programs) for _ in range(5)))
        assert len(set(pids)) == 5
        assert {os.getpgid(pid) for pid in pids} == set(pids)


async def test_a_start_that_is_cancelled() -> None:
    """At whatever point that is, nothing of it runs."""
    async with keeping() as programs:
        await start(programs)
        for turns in range(5):
            starting = asyncio.create_task(start(programs))
            for _ in range(turns):
                await asyncio.sleep(0)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
        while len(programs._running) > 1 or programs._starting:  # pyright: ignore[reportPrivateUsage]
            await asyncio.sleep(0.001)


async def test_a_program_is_stopped() -> None:
    """By SIGTERM; one that ignores it by SIGKILL; one that has ended, at once; and twice."""
    ignores = "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.write(1, b'x')\n" + FOREVER
    async with keeping() as programs:
        for text, seconds, status in ((FOREVER, 60, signal.SIGTERM), (ignores, 0.01, signal.SIGKILL), ("", 60, 0)):
            program = await programs.start([*PYTHON, "-c", text], {}, "/")
            if text == ignores:
                await asyncio.to_thread(os.read, program.output, 1)
            elif not text:
                await asyncio.shield(program.exited)
            assert await program.stop(seconds) == status
            assert await program.stop(seconds) == status
            os.close(program.output)


async def test_orders_after_the_end() -> None:
    """They are lost: nothing is there any more."""
    async with keeping() as programs:
        program = await programs.start([*PYTHON, "-c", FOREVER], {}, "/")
        os.close(program.output)
        programs.close()
        assert await program.exited == signal.SIGKILL
        program.signal(signal.SIGTERM)
        program.end()
        programs.close()


async def test_an_environment_and_arguments_of_a_megabyte() -> None:
    """They reach the program whole, in several pieces."""
    text = "import os, sys; print(len(os.environ['A']), len(sys.argv), flush=True)"
    async with keeping() as programs:
        program = await programs.start([*PYTHON, "-c", text, *["x" * 1_000] * 900], {"A": "ä" * 50_000}, "/")
        assert await asyncio.to_thread(os.read, program.output, 99) == b"50000 901\n"
        await asyncio.shield(program.exited)
        os.close(program.output)
        with pytest.raises(CannotStart, match="too long"):
            await programs.start([*PYTHON, "-c", text], {"A": "x" * 1_000_000}, "/")
