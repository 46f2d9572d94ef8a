"""Small answers that clients don't read: no large request, and no large answer that was refused, is held for them."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson

from flyteapps_fake.http import large_requests
from flyteapps_fake.http.front import Front

from .asgi_calls import PATIENCE, calling
from .messages import create, get
from .test_attack import REFLECTION, reflection
from .test_edges import CREATE, GET, GRPC, JSON, PROTO, SERVICE, frame

CLIENTS = 20
LARGE_BYTES = 1_000_000
"""Bytes of each request, or of each answer."""


async def held(front: Front, path: str, kind: str, body: bytes) -> int:
    """Return the bytes that a server holds for each of many clients that read nothing of their answers."""
    answering = 0
    all_answering = asyncio.Event()

    async def call() -> None:
        came = [{"type": "http.request", "body": bytes(bytearray(body)), "more_body": False}]

        async def receive() -> Any:
            if not came:
                await asyncio.get_running_loop().create_future()
            return came.pop()

        async def send(_: Any) -> None:
            nonlocal answering
            answering += 1
            if answering == CLIENTS:
                all_answering.set()
            await asyncio.get_running_loop().create_future()

        scope: dict[str, Any] = {"type": "http", "http_version": "2", "method": "POST", "scheme": "http", "path": path}
        scope |= {"root_path": "", "query_string": b"", "client": ("127.0.0.1", 1), "extensions": {}}
        scope["headers"] = [(b"host", b"localhost"), (b"content-type", kind.encode())]
        await front(scope, receive, send)

    tracemalloc.start()
    try:
        calls = [asyncio.create_task(call()) for _ in range(CLIENTS)]
        await asyncio.wait_for(all_answering.wait(), PATIENCE)
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    for each in calls:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return size // CLIENTS


@pytest.mark.parametrize("form", [GRPC, PROTO, JSON])
async def test_a_refusal_holds_no_request(form: str) -> None:
    """A Create of a megabyte is forgotten once it is refused, though its client doesn't read that."""
    request = create("not a name", stopped=True)
    request.app.metadata.labels["x"] = "y" * LARGE_BYTES
    message = MessageToJson(request).encode() if form == JSON else request.SerializeToString()
    async with calling() as caller:
        size = await held(caller.front, CREATE, form, frame(message) if form == GRPC else message)
    assert size < LARGE_BYTES // 2


@pytest.mark.parametrize("form", [GRPC, PROTO])
async def test_a_small_answer_holds_no_request(form: str) -> None:
    """So is a request of a megabyte that is answered by a small app."""
    padding = b"\xfa\xd5\x07" + b"\xc0\x84\x3d" + bytes(LARGE_BYTES)
    message = get("a").SerializeToString() + padding
    async with calling() as caller:
        caller.plane.stub().create(create("a", stopped=True))
        size = await held(caller.front, GET, form, frame(message) if form == GRPC else message)
    assert size < LARGE_BYTES // 2


async def test_a_refusal_holds_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large answers in JSON that are refused, since many wait to be made, are dropped at once."""
    monkeypatch.setattr(large_requests, "MAX_WAITING_BYTES", 1)
    request = create("a", stopped=True)
    request.app.metadata.labels["x"] = "y" * LARGE_BYTES
    async with calling() as caller:
        caller.plane.stub().create(request)
        size = await held(caller.front, f"{SERVICE}/List", JSON, b"{}")
    assert size < LARGE_BYTES // 2


async def test_a_client_that_leaves_reflection(capsys: pytest.CaptureFixture[str]) -> None:
    """A server's error for a client that left while it was answered is no defect: nothing is printed."""
    async with calling() as caller:
        came = [{"type": "http.request", "body": frame(reflection()), "more_body": True}]

        async def receive() -> Any:
            return came.pop() if came else {"type": "http.disconnect"}

        async def send(_: Any) -> None:
            raise RuntimeError("the client left")

        scope: dict[str, Any] = {"type": "http", "http_version": "2", "method": "POST", "path": REFLECTION}
        scope |= {"query_string": b"", "headers": [(b"host", b"localhost"), (b"content-type", GRPC.encode())]}
        await caller.front(scope, receive, send)
        assert [each.code for each in caller.lines] == ["closed"]
    assert capsys.readouterr().err == ""
