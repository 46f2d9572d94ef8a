"""One request of HTTP/1.1 and its response, passed between a client and a replica.

A request waits for a replica. It is sent a second time if its first replica can't be reached, or breaks before the
response although the request is idempotent and its body can be sent again. `request_seconds` bounds the time until the
response begins, as Knative's responseStartTimeoutSeconds does; from there on nothing is bounded, neither its duration
nor its pauses (timeoutSeconds bounds the former there; idleTimeoutSeconds is 0 there, too).
"""

from __future__ import annotations

import asyncio
import errno

from aiohttp import ClientError, web
from aiohttp.http import HttpProcessingError, HttpVersion11, RawResponseMessage
from aiohttp.streams import StreamReader

from flyteapps_fake.processes.ingress.answers import Answer, Refused, status_line, unavailable
from flyteapps_fake.processes.ingress.client_side import written
from flyteapps_fake.processes.ingress.heads import Fields, head, response_fields
from flyteapps_fake.processes.ingress.limits import RETRY_SECONDS
from flyteapps_fake.processes.ingress.passing.attempt import Attempt, Broken, Garbage, Unreachable
from flyteapps_fake.processes.ingress.passing.body import Body
from flyteapps_fake.processes.ingress.passing.relay import Relay, reset, take_over
from flyteapps_fake.processes.ingress.passing.upstream import Upstream, Upstreams
from flyteapps_fake.processes.routes import Backend, Route

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods of requests that may be sent twice (RFC 9110, 9.2.2)."""
_WITHOUT_BODY = frozenset({204, 304})
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_LAST_CHUNK = b"0\r\n\r\n"


class Exchange:
    """A request to an app, and the response to it.

    After `run` it has the `status` (0 where the client left before), the `number` of the replica (None where none had
    the request), and the `sent` bytes of the response's body.
    """

    def __init__(self, request: web.BaseRequest, fields: Fields, route: Route, upstreams: Upstreams) -> None:
        self.status = 0
        self.sent = 0
        self.number: int | None = None
        self._request = request
        self._fields = fields
        self._route = route
        self._upstreams = upstreams
        self._body = Body(request, fields)
        self._websocket = request.method == "GET" and fields.asks_for_websocket()
        self._interim = False
        self._keep_alive = False
        self._attempt: Attempt | None = None

    async def run(self, first: bytes, lines: list[bytes], deadline: float) -> web.StreamResponse:
        """Pass the request, whose head begins so, and write its response.

        Raises Refused before a byte of a response was written, and ConnectionError if the client has left.
        """
        if self._websocket:
            lines = [*lines, b"Connection: Upgrade", b"Upgrade: " + self._fields.value(b"upgrade")]
        elif self._body.chunked:
            lines = [*lines, b"Transfer-Encoding: chunked"]
        whole = False
        try:
            try:
                async with asyncio.timeout_at(deadline) as limit:
                    attempt, upstream, message, payload = await self._begin_response(head(first, lines))
                    limit.reschedule(None)
            except TimeoutError:
                raise Refused(self._too_late()) from None
            if message.code == 101:
                return await self._switch(attempt, upstream, message)
            whole = await self._pass_response(upstream, message, payload)
            return written(keep_alive=whole and self._keep_alive)
        finally:
            if self._attempt is not None:
                self._attempt.end(whole=whole)

    async def _begin_response(self, encoded: bytes) -> tuple[Attempt, Upstream, RawResponseMessage, StreamReader]:
        """Return the head of the response, by the first replica or a second one. Raises Refused."""
        tried: tuple[Backend, ...] = ()
        repeated = False
        while True:
            backend = await self._choose(tried)
            attempt = self._attempt = Attempt(backend, self._upstreams)
            self.number = backend.number
            upstream: Upstream | None = None
            try:
                upstream = await attempt.open()
                attempt.send(upstream, self._request.method, encoded, self._body)
                return attempt, upstream, *await self._final_head(attempt, upstream)
            except Unreachable as error:
                if error.errno in _NO_FILES:
                    raise Refused(self._failed("this server can open no more files: raise `ulimit -n`", 503)) from None
                why, may_repeat = f"accepts no connections: {error}", True
            except Broken as error:
                why, may_repeat = f"closed the connection before it answered ({error})", self._may_repeat()
            except Garbage as error:
                why, may_repeat = f"sent something that is no response of HTTP/1.1 ({error})", False
            if self._body.malformed:
                raise Refused(Answer(400, "the body of the request is malformed", self._route.app))
            if upstream is None or not upstream.reused:  # one that was idle may just have reached its end
                tried = (*tried, backend)
            if repeated or not may_repeat or self._route.choose(tried) is None:
                raise Refused(self._failed(f"replica {backend.number} {why}", 502))
            attempt.end()
            self._attempt = None
            repeated = True

    async def _choose(self, tried: tuple[Backend, ...]) -> Backend:
        """Return a replica, once there is one. Raises Refused where none is to come."""
        route = self._route
        while True:
            backend = route.choose(tried)
            if backend is not None:
                return backend
            if route.unavailable is not None:
                raise Refused(unavailable(route.app, route.unavailable))
            await route.changed()

    async def _final_head(self, attempt: Attempt, upstream: Upstream) -> tuple[RawResponseMessage, StreamReader]:
        """Return the head of the response and its body, and pass the interim ones before it."""
        while True:
            message, payload = await attempt.read(upstream)
            if message.code >= 200 or (message.code == 101 and self._websocket):
                return message, payload
            if message.code == 101:
                raise Garbage("it switches to a protocol that was not asked for")
            awaited = message.code != 100 or self._fields.has(b"expect")
            if awaited and self._request.version >= HttpVersion11:
                self._interim = True
                self._write(self._encoded(message, response_fields(message.raw_headers).lines))
                await self._request.writer.drain()

    def _may_repeat(self) -> bool:
        return self._request.method in IDEMPOTENT and not self._body.begun and not self._interim

    async def _pass_response(self, upstream: Upstream, message: RawResponseMessage, payload: StreamReader) -> bool:
        """Write the response; return whether it was whole."""
        request, fields = self._request, response_fields(message.raw_headers)
        lines = fields.lines
        bodiless = request.method == "HEAD" or message.code in _WITHOUT_BODY
        sized = fields.has(b"content-length") and not message.chunked
        chunked = not bodiless and not sized and request.version >= HttpVersion11
        self._keep_alive = request.keep_alive and request.version >= HttpVersion11
        if chunked:
            lines.append(b"Transfer-Encoding: chunked")
        if not self._keep_alive:
            lines.append(b"Connection: close")
        encoded = self._encoded(message, lines)
        self.status = message.code
        if bodiless:
            self._write(encoded)
            return True
        try:
            whole = await self._pass_body(encoded, payload, chunked=chunked)
        except BaseException:
            reset(request.transport)
            raise
        if not whole or (not sized and not message.chunked and upstream.broke()):
            reset(request.transport)
            return False
        if chunked:
            self._write(_LAST_CHUNK)
        return True

    async def _pass_body(self, encoded: bytes, payload: StreamReader, *, chunked: bool) -> bool:
        """Write the head and the body as it comes; return False if the replica broke off."""
        writer = self._request.writer
        try:
            data = payload.read_nowait()
        except Exception:
            data = b""  # the next read raises it again
        self.sent = len(data)
        self._write(b"%b%x\r\n%b\r\n" % (encoded, len(data), data) if chunked and data else encoded + data)
        if chunked:
            writer.enable_chunking()
        while not payload.at_eof():
            try:
                data = await payload.readany()
            except (ClientError, HttpProcessingError, OSError):
                return False
            if data:
                self.sent += len(data)
                await writer.write(data)
        return True

    async def _switch(self, attempt: Attempt, upstream: Upstream, message: RawResponseMessage) -> web.StreamResponse:
        """Pass the bytes of a WebSocket in both directions until it ends."""
        request, fields = self._request, response_fields(message.raw_headers)
        if not fields.asks_for_websocket() or upstream.transport is None or request.transport is None:
            raise Refused(self._failed(f"replica {attempt.backend.number} didn't switch to WebSocket", 502))
        lines = [*fields.lines, b"Connection: Upgrade", b"Upgrade: " + fields.value(b"upgrade")]
        encoded = self._encoded(message, lines)
        self.status = message.code
        early, first = _Tail(), _Tail()
        request.protocol.set_parser(early)  # type: ignore[arg-type]  # it needs feed_data and feed_eof alone
        upstream.set_parser(first, None)
        relay = Relay(request.protocol)
        backend, client = upstream.transport, request.transport
        attempt.upstream = None
        client.write(encoded)
        take_over(relay.client, client)
        take_over(relay.backend, backend)
        relay.client.data_received(early.data)
        relay.backend.data_received(first.data)
        try:
            await relay.run()
        finally:
            self.sent = relay.backend.received
        return written(keep_alive=False)

    def _encoded(self, message: RawResponseMessage, lines: list[bytes]) -> bytes:
        """Return the head of a response. Raises Refused for one with a line break in a header."""
        try:
            return head(status_line(message.code, message.reason), lines)
        except ValueError as error:
            raise Refused(self._failed(f"replica {self.number} sent an invalid response: {error}", 502)) from None

    def _write(self, data: bytes) -> None:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has left")
        transport.write(data)

    def _too_late(self) -> Answer:
        seconds = f"{self._route.request_seconds:g} s"
        if self._attempt is None:
            return self._failed(f"no replica was ready within {seconds}", 503)
        return self._failed(f"replica {self.number} began no response within {seconds}", 504)

    def _failed(self, why: str, status: int) -> Answer:
        app = self._route.app
        return Answer(status, f"The app {app}: {why}.", app, ((b"retry-after", b"%d" % RETRY_SECONDS),))


class _Tail:
    """A parser that keeps what was received after the head."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Do nothing: the relay learns of it from the transport."""
