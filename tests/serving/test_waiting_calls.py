"""Calls that wait, with requests that are decoded in turn: they hold up no other call."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from flyteidl2.app.app_payload_pb2 import WatchRequest
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from .asgi_calls import calling
from .messages import create, get, identifier
from .test_edges import CREATE, GET, GRPC, JSON, PROTO, WATCH, WEB, frame

CONNECT_STREAM = "application/connect+proto"
HANG_SECONDS = 30.0
"""Time in which another call is answered, on a busy machine, too."""

Request = tuple[bytes, list[tuple[str, str]]]


def request_of(message: Message, form: str, *, compressed: bool = False) -> Request:
    """Return the body and the headers of a request."""
    body = MessageToJson(message).encode() if form == JSON else message.SerializeToString()
    framed = form not in (JSON, PROTO)
    headers = [("content-type", form)]
    if compressed:
        body = gzip.compress(body)
        name = (
            "content-encoding" if not framed else "connect-content-encoding" if "connect" in form else "grpc-encoding"
        )
        headers.append((name, "gzip"))
    return frame(body, int(compressed)) if framed else body, headers


def large_create(name: str) -> Message:
    """Return a Create of more than 4 KiB."""
    request = create(name, stopped=True)
    request.app.metadata.labels["x"] = "y" * 8192
    return request


HELD = [
    *((CREATE, create("held", stopped=True), form, True) for form in (GRPC, PROTO, JSON, WEB)),
    *((CREATE, large_create("held"), form, False) for form in (GRPC, PROTO, JSON, WEB)),
    *((WATCH, WatchRequest(app_id=identifier("held")), form, True) for form in (GRPC, CONNECT_STREAM, WEB)),
]


@pytest.mark.parametrize(
    ("path", "message", "form", "compressed"),
    HELD,
    ids=[f"{path[-6:]}-{form[12:]}-{zipped}" for path, _, form, zipped in HELD],
)
async def test_a_call_that_waits(path: str, message: Message, form: str, compressed: bool) -> None:
    """While a compressed or large call is delayed, others of its kind are answered; it goes on in its time."""
    async with calling() as caller:
        caller.plane.faults.delay(path.rpartition("/")[2], app="held", seconds="2s")
        held = asyncio.create_task(caller.send(path, *request_of(message, form, compressed=compressed)))
        while not caller.plane.clock.why() and not held.done():
            await asyncio.sleep(0)
        for other in (GRPC, PROTO):
            small = request_of(get("none"), other, compressed=True)
            assert await asyncio.wait_for(caller.code(GET, *small), HANG_SECONDS) == "NOT_FOUND"
            large = request_of(large_create(f"large-{len(other)}"), other)
            assert await asyncio.wait_for(caller.code(CREATE, *large), HANG_SECONDS) == "OK"
        assert not held.done()
        caller.plane.advance(2)
        if path == CREATE:
            await asyncio.wait_for(held, HANG_SECONDS)
            assert caller.lines[-1].code == "OK"
        else:
            held.cancel()
