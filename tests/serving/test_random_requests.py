"""Requests drawn from a seed, valid and broken, to all that a server offers: no code that says the server failed.

A short form runs by default. `FLYTEAPPS_FUZZ=1000000` draws as many in process, a tenth of that over the sockets of
each server; memory must be flat then.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from urllib.parse import quote

import httpx
import psutil
import pytest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.http.front import Front
from flyteapps_fake.http.options import FrontOptions

from .asgi_calls import Caller, calling
from .fuzzing import Request, Requests
from .raw_http2 import Answer, RawHttp2
from .server_process import ServerProcess
from .test_limits import answered

COUNT = int(os.environ.get("FLYTEAPPS_FUZZ", "2000"))
OVER_WIRES = COUNT // 10
SEED = int(os.environ.get("FLYTEAPPS_FUZZ_SEED", "25"))
A_PLANE = 2_000
"""Requests to one plane: what they create there meets those that come after."""
FAILED = {"INTERNAL", "UNKNOWN", "DATA_LOSS", "OUT_OF_RANGE"}
STATUSES = {"2", "11", "13", "15"}
"""The same as gRPC's statuses."""
FLAT_BYTES = 64 * 1024 * 1024
"""Bytes by which a process may grow while it answers any number of requests."""


def resident() -> int:
    return psutil.Process().memory_info().rss


@pytest.mark.timeout(max(300, COUNT // 20))
@pytest.mark.parametrize("dialect", ["standard", pytest.param("flyte-oss", marks=pytest.mark.matrix)])
def test_no_request_is_the_servers_failure(dialect: str) -> None:
    """In process: each is answered, by a code that says what is wrong with it."""
    codes: Counter[str] = Counter()

    async def some(seed: int, count: int) -> None:
        async with calling(dialect) as caller:
            requests = Requests(caller.front.endpoints, random.Random(seed))
            for _ in range(count):
                await _judge(caller, requests.draw(), dialect)
                codes.update(line.code for line in caller.lines)
                caller.lines.clear()
            assert caller.front.plane.open_streams() == 0

    before = 0
    for number, start in enumerate(range(0, COUNT, A_PLANE)):
        asyncio.run(some(SEED + number, min(A_PLANE, COUNT - start)))
        before = before or resident()
    assert resident() - before < FLAT_BYTES
    assert {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED"} <= codes.keys(), codes


async def _judge(caller: Caller, request: Request, dialect: str) -> None:
    events = await caller.send(request.path, request.body, request.headers, method=request.method, query=request.query)
    assert events, request
    for line in caller.lines:
        if dialect == "standard" or line.code != "INTERNAL":  # the backend of the other one answers it now and then
            assert line.code not in FAILED, f"{line.code}: {request}"


@pytest.mark.timeout(max(300, OVER_WIRES // 4))
def test_no_request_over_a_socket_is_the_servers_failure(kind: str) -> None:
    """Over HTTP/1.1 and HTTP/2: each is answered or cut, others are answered afterwards, and nothing is printed."""
    endpoints = Front(FakeControlPlane(), FrontOptions(server="pyvoy", control=False)).endpoints
    requests = Requests(endpoints, random.Random(SEED))
    with ServerProcess("--server", kind, "--quiet") as server:
        processes = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
        before = 0
        with httpx.Client(trust_env=False, timeout=60) as client:
            for start in range(0, OVER_WIRES, 50):
                with RawHttp2(server.port) as raw:
                    for number in range(min(50, OVER_WIRES - start)):
                        request = requests.draw()
                        if request.content_type.lower().startswith("application/grpc") or number % 2:
                            _check_http2(_over_http2(raw, request), request)
                        else:
                            _check(_over_http1(client, server, request), request)
                before = before or sum(process.memory_info().rss for process in processes)
        grown = sum(process.memory_info().rss for process in processes) - before
        assert grown < FLAT_BYTES, f"{grown:,} bytes"
        assert answered(server)
        assert "Traceback" not in server.output


def _over_http1(client: httpx.Client, server: ServerProcess, request: Request) -> httpx.Response:
    url = f"{server.url}{request.path}{'?' + request.query if request.query else ''}"
    return client.request(request.method, url, headers=list(request.headers), content=request.body)


def _check(answer: httpx.Response, request: Request) -> None:
    assert answer.status_code < 500 or answer.status_code in (501, 504), (answer, answer.content, request)
    for code in (b'"internal"', b'"unknown"', b'"out_of_range"'):
        assert code not in answer.content[-2_000:], (answer.content[-2_000:], request)


def _over_http2(raw: RawHttp2, request: Request) -> Answer:
    path = request.path + (f"?{quote(request.query, safe='&=%-_.~')}" if request.query else "")
    headers = {name: value for name, value in request.headers if name != "content-type"}
    return raw.answer(raw.asked(path, request.content_type, request.body, headers, method=request.method))


def _check_http2(answer: Answer, request: Request) -> None:
    assert answer.headers or answer.reset is not None, request
    assert answer.grpc_status not in STATUSES, (answer, bytes(answer.body), request)
