"""The code of connectrpc's answers, read from their bytes.

connectrpc refuses some calls (an unknown encoding, a broken frame) by itself, and reports no code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from flyteapps_fake.core.errors import Code
from flyteapps_fake.http.protocol.wire import Event, Send

CONNECT_END, WEB_TRAILERS = 0x02, 0x80
MAX_ERROR_BYTES = 64 * 1024
"""Bytes of a body that may hold an error; larger ones aren't read."""
_WEB_STATUS = re.compile(rb"grpc-status: ?(\d+)", re.IGNORECASE)


class ObservedAnswer:
    """A send for connectrpc, by way of `deliver`; `status` is the HTTP status, 0 before the answer begins."""

    def __init__(self, send: Send, deliver: Callable[[Send, Event], Awaitable[None]]) -> None:
        self._send = send
        self._deliver = deliver
        self.status = 0
        self._code = ""

    async def __call__(self, event: Event) -> None:
        """Read the code from an event, and send it."""
        kind = event["type"]
        if kind == "http.response.start":
            self.status = event["status"]
            self._read_headers(event.get("headers", ()))
        elif kind == "http.response.trailers":
            self._read_headers(event.get("headers", ()))
        elif kind == "http.response.body":
            self._read_body(event.get("body", b""))
        await self._deliver(self._send, event)

    def code(self) -> str:
        """Return the RPC code that was sent; without one "OK", or the HTTP status where that is another than 200."""
        return self._code or ("OK" if self.status == 200 else f"HTTP_{self.status}")

    def _read_headers(self, headers: Any) -> None:
        for name, value in headers:
            if name == b"grpc-status" and value.isdigit() and int(value):
                self._code = _name(int(value))

    def _read_body(self, body: bytes) -> None:
        if len(body) > MAX_ERROR_BYTES or self._code:
            return
        if self.status >= 400:
            self._code = _json_code(body, ())
        elif body[:1] == bytes((CONNECT_END,)):
            self._code = _json_code(body[5:], ("error",))
        elif body[:1] == bytes((WEB_TRAILERS,)) and (found := _WEB_STATUS.search(body)) and int(found[1]):
            self._code = _name(int(found[1]))


def _name(number: int) -> str:
    try:
        return Code(number).name
    except ValueError:
        return f"CODE_{number}"


def _json_code(body: bytes, path: tuple[str, ...]) -> str:
    try:
        found: Any = json.loads(body)
        for key in path:
            found = found[key]
        return str(found["code"]).upper()
    except (ValueError, KeyError, TypeError):
        return ""
