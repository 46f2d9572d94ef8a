"""The cost of a request: CPU and memory in proportion to its bytes, and no other call waits for it.

CPU seconds are measured, so that a loaded machine changes nothing. `FLYTEAPPS_BUDGET=N` draws N requests for each RPC.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time

import pytest

from flyteapps_fake.core.operations import OPERATIONS, Operation

from .asgi_calls import calling
from .expensive import Expensive, allowed_seconds, draw
from .server_process import HTTP, ServerProcess
from .usage import AnotherClient, Usage

COUNT = int(os.environ.get("FLYTEAPPS_BUDGET", "5"))
OVER_WIRES = max(2, COUNT // 3)
SEED = 19
LOOP_SECONDS = 0.5
"""CPU seconds without a turn of the loop; another client's call needs a few turns."""
BASE_BYTES = 48 * 1024 * 1024
"""Bytes that a process may take besides: buffers of its allocator, its first use of a library."""
RPCS = list(OPERATIONS.values())
IDS = [operation.method for operation in RPCS]


class Turns:
    """The most CPU seconds of this thread between two turns of the loop."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest = max(self.longest, now - before)
            before = now


@pytest.mark.parametrize("dialect", ["standard", pytest.param("flyte-oss", marks=pytest.mark.matrix)])
@pytest.mark.parametrize("operation", RPCS, ids=IDS)
def test_a_request_costs_by_its_bytes(operation: Operation, dialect: str) -> None:
    """CPU of a front in this process: at most 50 ms and 20 ms a KiB, with turns of the loop in between."""

    async def run() -> None:
        rng = random.Random(f"{SEED} {operation.method}")
        async with calling(dialect) as caller:
            for warming in range(4):  # what is loaded or compiled for the first request isn't that request's
                first = draw(random.Random(warming), operation, 2048)
                kinds = [("content-type", first.content_type), *first.headers]
                await caller.send(operation.path, first.body, kinds, method=first.method, query=first.query)
            for _ in range(COUNT):
                request = draw(rng, operation)
                turns = Turns()
                watching = asyncio.create_task(turns.run())
                await asyncio.sleep(0)
                started = time.process_time()
                headers = [("content-type", request.content_type), *request.headers]
                await caller.send(operation.path, request.body, headers, method=request.method, query=request.query)
                seconds = time.process_time() - started
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                assert seconds <= allowed_seconds(request.size), f"{seconds:.2f} s of CPU for {request.what}"
                assert turns.longest <= LOOP_SECONDS, f"{turns.longest:.2f} s without a turn for {request.what}"

    asyncio.run(run())


def post(server: ServerProcess, request: Expensive) -> None:
    headers = dict([("content-type", request.content_type), *request.headers])
    url = f"{server.url}{request.operation.path}{'?' + request.query if request.query else ''}"
    answer = HTTP.request(request.method, url, content=request.body, headers=headers, timeout=120)
    assert answer.status_code in (200, 400, 404, 405, 409, 415, 429, 501, 504), (answer.status_code, request.what)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_served_request_costs_by_its_bytes(kind: str) -> None:
    """CPU and memory of the server's processes, and the CPU that they use until another client's Get is answered."""
    with ServerProcess("--server", kind, "--quiet") as server:
        usage = Usage(server)
        rng = random.Random(SEED)
        for operation in RPCS:  # the first call of each path loads what it needs
            post(server, draw(rng, operation, 2048))
        with AnotherClient(server, usage) as other:
            for operation in RPCS:
                for _ in range(OVER_WIRES):
                    request = draw(rng, operation)
                    usage.forget_peak()
                    memory, started, asked = usage.peak(), usage.seconds(), len(other.waits)
                    post(server, request)
                    gets = 0.01 * (len(other.waits) - asked + 1)
                    seconds = usage.seconds() - started - gets
                    assert seconds <= allowed_seconds(request.size) + 0.05, f"{seconds:.2f} s of CPU: {request.what}"
                    grown = usage.peak() - memory
                    assert grown <= BASE_BYTES + 10 * request.size, f"{grown:,} bytes of memory: {request.what}"
        waits = other.waits
        assert waits and max(waits) <= 1.0, f"a Get waited for {max(waits):.2f} s of CPU"
