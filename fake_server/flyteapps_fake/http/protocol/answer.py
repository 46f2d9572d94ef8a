"""What connectrpc answers on its way to the server: drops what a client that left would not get, reads the code.

The code is read off the wire, since connectrpc refuses some calls (an unknown encoding, a broken frame) by itself.
"""

from __future__ import annotations

import json
import re
from typing import Any

from flyteapps_fake.core.errors import Code
from flyteapps_fake.http.protocol.wire import Event, Send
from flyteapps_fake.http.streaming.live_streams import LiveStream

CONNECT_END, WEB_TRAILERS = 0x02, 0x80
LONGEST_ERROR = 64 * 1024
_WEB_STATUS = re.compile(rb"grpc-status: ?(\d+)", re.IGNORECASE)


class Answer:
    """A send for connectrpc; `status` is the HTTP status, 0 before the answer begins."""

    def __init__(self, send: Send, live: LiveStream) -> None:
        self._send = send
        self._live = live
        self.status = 0
        self._code = ""

    async def __call__(self, event: Event) -> None:
        kind = event["type"]
        if kind == "http.response.start":
            self.status = event["status"]
            self._read_headers(event.get("headers", ()))
        elif kind == "http.response.trailers":
            self._read_headers(event.get("headers", ()))
        elif kind == "http.response.body":
            self._read_body(event.get("body", b""))
        await self._live.deliver(self._send, event)

    def code(self) -> str:
        """The RPC code that was sent, "OK" where none was and HTTP says so, too."""
        return self._code or ("OK" if self.status == 200 else f"HTTP_{self.status}")

    def _read_headers(self, headers: Any) -> None:
        for name, value in headers:
            if name == b"grpc-status" and value.isdigit() and int(value):
                self._code = _name(int(value))

    def _read_body(self, body: bytes) -> None:
        if len(body) > LONGEST_ERROR or self._code:
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
