"""Requests drawn from a seed, valid and broken, to all that a server offers: no code that says the server failed.

A short form runs by default. `FLYTEAPPS_FUZZ=1000000` draws as many in process, a tenth of that over the sockets of
each server, to its pages and ports, too; memory must be flat then.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from flyteapps_fake.auth import Auth, Client, User

from .asgi_calls import Caller, calling
from .fuzzing import Request, Requests
from .fuzzing_wires import Sizes, Wires
from .server_process import ServerProcess
from .test_limits import answered

COUNT = int(os.environ.get("FLYTEAPPS_FUZZ", "2000"))
OVER_WIRES = max(250, COUNT // 20)
"""Requests to each server without credentials, and as many to one that needs them."""
SEED = int(os.environ.get("FLYTEAPPS_FUZZ_SEED", "25"))
A_PLANE = 2_000
"""Requests to one plane: what they create there meets those that come after."""
ADMIN = ("ci", "not-so-secret")
ACCESS = """
users:
  - {subject: ann, role: contributor, projects: [p]}
  - {subject: root, role: admin}
clients:
  - {client_id: cli, redirect_uris: ["http://localhost:53593/callback"]}
  - {client_id: ci, secret: not-so-secret, role: admin}
"""
"""Users and clients, some of them those of fuzzing_web.py."""
FAILED = {"INTERNAL", "UNKNOWN", "DATA_LOSS", "OUT_OF_RANGE"}
ANSWERED = {"standard": frozenset[str](), "flyte-oss": frozenset({"INTERNAL", "UNKNOWN"})}
"""The codes of FAILED that the backend of each dialect has: UNKNOWN is for broken gzip and base64."""
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
        assert line.code not in FAILED - ANSWERED[dialect], f"{line.code}: {request}"


@pytest.mark.timeout(max(300, OVER_WIRES // 4))
@pytest.mark.parametrize("access", ["open", "with credentials"])
def test_no_request_over_a_socket_is_the_servers_failure(kind: str, access: str, tmp_path: Path) -> None:
    """Each is answered by a code of its RPC, or cut; then nothing has grown, and nothing was printed."""
    options, auth = ["--speed", "100"], None
    if access == "with credentials":
        file = tmp_path / "auth.yaml"
        file.write_text(ACCESS)
        auth = Auth(users=[User("root", "admin")], clients=[Client(*ADMIN, "admin")])  # for its endpoints
        options = ["--auth", str(file), "--clock", "manual", "--call-log-size", "1000"]
    with ServerProcess("--server", kind, "--quiet", *options) as server:
        banner = server.output
        wires = Wires(server, random.Random(SEED), auth, ADMIN)
        with closing(wires):
            wires.run(min(1_000, OVER_WIRES))  # pools and caches are filled
            sizes = Sizes(server)
            wires.run(OVER_WIRES)
        assert answered(server) or auth is not None
        sizes.check(FLAT_BYTES)
        assert server.output == banner
    assert {"OK", "INVALID_ARGUMENT", "page 200"} <= wires.codes.keys(), wires.codes
