"""Requests of a client that doesn't read its answers: some are answered, the others once it reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flyteidl2.app.app_service_connect import AppServiceClientSync

from .http2_frames import WINDOW_UPDATE, Flood, call, frame, head, settings
from .messages import create, get
from .server_process import HTTP, ServerProcess, eventually
from .test_edges import GET
from .usage import Usage

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
CALLS = 600
"""Calls of 50 bytes, whose answers have a megabyte each."""


def calls(count: int = CALLS) -> bytes:
    message = get("large").SerializeToString()
    return b"".join(call(number, head(GET), message) for number in range(1, 2 * count, 2))


@pytest.fixture(scope="module")
def hypercorn() -> Iterator[ServerProcess]:
    """The portable server, with an app of a megabyte; Envoy has buffers of its own."""
    request = create("large", stopped=True)
    request.app.metadata.labels["x"] = "y" * MIB
    with ServerProcess("--server", "portable", "--quiet") as running:
        with AppServiceClientSync(running.url) as client:
            client.create(request)
        yield running


def test_unread_answers_are_few(hypercorn: ServerProcess) -> None:
    """A client that reads none of 600 answers of a megabyte has a quarter of them computed; another one is answered."""
    with AppServiceClientSync(hypercorn.url) as client:
        client.get(get("large"))
        usage = Usage(hypercorn)
        usage.forget_peak()
        before, seconds = usage.peak(), usage.seconds()
        with Flood(hypercorn.port, settings(window=0)) as connection:
            connection.send(calls())
            connection.finish()
            client.get(get("large"), timeout_ms=60_000)
            assert usage.peak() - before < (CALLS // 4 + 64) * MIB
            assert usage.seconds() - seconds < 5
    eventually(lambda: HTTP.get(f"{hypercorn.url}/healthz").json()["tasks"] < 20, "tasks are left")


def test_unread_answers_that_are_read_late(hypercorn: ServerProcess) -> None:
    """Each call is answered once its client reads, however many waited for that."""
    with Flood(hypercorn.port, settings(window=0)) as connection:
        connection.send(calls())
        connection.finish()
        connection.send(frame(WINDOW_UPDATE, 0, 0, (2**30).to_bytes(4, "big")) + settings(window=2**24))
        eventually(lambda: connection.received > CALLS * MIB, "not all are answered")
