"""The one ASGI front, the same on pyvoy and on hypercorn: who may ask, routing by path, what is counted, lifespan.

Unary calls in binary, over Connect and gRPC, are answered here (fast: they never suspend once their body is there). The
rest goes to connectrpc's application; pages of the console and uploads have rooms of their own.
"""

from __future__ import annotations

import asyncio
import re
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.validation import too_large
from flyteapps_fake.http.access.cors import cors_headers, preflight
from flyteapps_fake.http.access.host_policy import Guard
from flyteapps_fake.http.access.refusals import SITE, Doorkeeper
from flyteapps_fake.http.builtin.uploads import UPLOADS, Uploads
from flyteapps_fake.http.endpoints import Duplex, Endpoint, HttpMetadata, Stream, Unary, app_of, protocol_of
from flyteapps_fake.http.large_requests import LARGE_BYTES, Lane
from flyteapps_fake.http.limits import Limits
from flyteapps_fake.http.page import Page, PageRequest
from flyteapps_fake.http.protocol import deadlines
from flyteapps_fake.http.protocol.compression import COMPRESS_FROM, gunzip, gzip, takes_gzip
from flyteapps_fake.http.protocol.deadlines import check_deadline, deadline_of
from flyteapps_fake.http.protocol.requests import PLAIN, form_of, looks_like_rpc, refusal_of, stream_encoding, unframe
from flyteapps_fake.http.protocol.wire import (
    OK_TRAILERS,
    HeaderList,
    Receive,
    Scope,
    Send,
    Whole,
    decode,
    discard,
    frame,
    has_trailers,
    refuse,
    respond,
    with_headers,
)
from flyteapps_fake.http.request_timeouts import Arrivals, Unanswerable
from flyteapps_fake.http.streaming.duplex import Conversation, codec_of
from flyteapps_fake.http.streaming.live_streams import LiveStream, Sweeper
from flyteapps_fake.http.streaming.stream_writer import Outflow
from flyteapps_fake.http.table import table
from flyteapps_fake.http.telemetry.metrics import Metrics
from flyteapps_fake.http.telemetry.tracing import tracing
from flyteapps_fake.services.platform import not_offered

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from flyteapps_fake.http.protocol.general_path import GeneralPath

Server = Literal["pyvoy", "hypercorn"]
GRPC, CONNECT = 1, 2
BINARY = {b"application/grpc": GRPC, b"application/grpc+proto": GRPC, b"application/proto": CONNECT}
"""The content types of the fast path."""
REQUEST_ID = b"x-request-id"
REQUEST_ID_FORM = re.compile(rb"[\x21-\x7e]{1,128}\Z")
SPECIAL = frozenset((b"origin", SITE, REQUEST_ID, deadlines.GRPC, deadlines.CONNECT))
"""Headers that are not looked for where none of them is there."""
LONGEST_NAME = 100
"""Characters of an app's name or of a path in an access line."""


@dataclass(frozen=True, slots=True)
class AccessLine:
    """One answered call."""

    method: str
    app: str
    code: str
    ms: float
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppOptions:
    """What the server tells the front.

    `server`: whose receive() the streams read. `guard`: who may ask. `page`:
    answers what is no RPC. `on_startup`, `on_shutdown`: run inside the loop, before
    the first and after the last request.
    """

    server: Server
    guard: Guard = field(default_factory=lambda: Guard("127.0.0.1"))
    limits: Limits = field(default_factory=Limits)
    console_port: int | None = None
    access_log: Callable[[AccessLine], None] | None = None
    page: Callable[[Front], Page] | None = None
    on_startup: Callable[[Front], Awaitable[None]] | None = None
    on_shutdown: Callable[[Front], Awaitable[None]] | None = None


class Front:
    """An ASGI application over one plane."""

    def __init__(self, plane: Plane, options: AppOptions) -> None:
        self.plane = plane
        self.options = options
        self.uploads = Uploads()
        self.endpoints: dict[str, Endpoint] = table(plane, self.uploads)
        self.intake = plane.intake
        self.arrivals = Arrivals(options.limits.request_seconds, self.intake.request_bytes)
        self.lane = Lane()
        self.sweeper = Sweeper(options.limits, self.arrivals)
        self.metrics = Metrics(
            {
                "flyteapps_open_streams": ("Server streams that are open.", lambda: len(self.sweeper.streams)),
                "flyteapps_apps": ("Apps that are stored.", plane.count),
            }
        )
        self._page = options.page(self) if options.page is not None else None
        self._tracing = tracing()
        self._log = options.access_log
        self._door = Doorkeeper(options.guard, lambda host: plane.find_by_host(host) is not None)
        self._general: GeneralPath | None = None
        self._driver: Any = None

    @property
    def services(self) -> list[str]:
        """The names of the services that are answered."""
        return sorted({endpoint.operation.service for endpoint in self.endpoints.values()})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if kind != "http":
            await (self._lifespan(receive, send) if kind == "lifespan" else send({"type": "websocket.close"}))
            return
        pairs: HeaderList = scope["headers"]
        headers: dict[bytes, bytes] = dict(pairs)
        path: str = scope["path"]
        endpoint = self.endpoints.get(path)
        special = not headers.keys().isdisjoint(SPECIAL)
        if special or len(headers) != len(pairs) or headers.get(b"host") not in self._door.good:
            admitted = await self._admit(scope, headers, receive, send)
            if admitted is None:
                return
            send = admitted
        if endpoint is None:
            await self._other(path, scope, headers, receive, send)
            return
        if type(endpoint) is Unary and scope["method"] == "POST":
            protocol = BINARY.get(headers.get(b"content-type", b""))
            if protocol == CONNECT:
                encoding = headers.get(b"content-encoding", b"")
            elif protocol == GRPC and scope["http_version"] == "2":
                encoding = headers.get(b"grpc-encoding", b"")
            else:
                encoding = None
            if encoding is not None and (encoding in PLAIN or encoding == b"gzip"):
                await self._fast(endpoint, protocol == GRPC, headers, encoding, special, scope, receive, send)
                return
        elif (
            type(endpoint) is Stream
            and scope["method"] == "POST"
            and (encoding := stream_encoding(headers, scope)) is not None
        ):
            await self._stream(endpoint, headers, encoding, scope, receive, send)
            return
        await self._otherwise(endpoint, scope, headers, receive, send)

    async def _stream(
        self,
        endpoint: Stream,
        headers: Mapping[bytes, bytes],
        encoding: bytes,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """A server stream in binary."""
        started = time.perf_counter()
        content_type = headers[b"content-type"]
        request: Message | None = None
        live = outflow = None
        code = "CANCELED"  # also where the server cancels the handler of a client that left
        try:
            until = deadline_of(headers)
            body = await self.arrivals.body(scope, content_type, send, receive)
            turn = len(body) > LARGE_BYTES or encoding == b"gzip"
            if turn:
                await self.lane.enter(len(body))
            try:
                request = decode(
                    endpoint.operation.request, unframe(body, encoding, self.intake.request_bytes), self.intake
                )
            finally:
                if turn:
                    self.lane.leave()
            check_deadline(until)
            live = LiveStream(receive, b"", self.options.server == "pyvoy", scope.get("client"))
            live.listen()
            self.sweeper.add(live)
            outflow = Outflow(send, live, headers)
            wire = protocol_of(content_type)
            call = Call(endpoint.operation, request, HttpMetadata(scope), until, protocol=wire)
            code = await outflow.run(endpoint, call)
        except Unanswerable as end:
            code = end.code.name
        except asyncio.CancelledError:
            if live is None or not live.gone:
                raise
            # the sweeper's doing: the client left a while ago, and this hung in a send
        except Exception as error:
            if live is not None and live.gone:
                return
            refusal = refusal_of(error)
            code = refusal.code.name
            if outflow is None or not outflow.begun:
                await refuse(send, content_type.decode(), refusal)
        finally:
            if live is not None:
                self.sweeper.discard(live)
            self._done(endpoint.operation.path, request, code, started, headers, stream=True)

    async def _fast(
        self,
        endpoint: Unary,
        grpc: bool,
        headers: Mapping[bytes, bytes],
        encoding: bytes,
        special: bool,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """A unary call in binary."""
        started = time.perf_counter()
        content_type = headers[b"content-type"]
        request: Message | None = None
        code = "OK"
        try:
            until = deadline_of(headers) if special else None
            body = await self.arrivals.body(scope, content_type, send, receive)
            turn = len(body) > LARGE_BYTES or encoding == b"gzip"
            if turn:
                await self.lane.enter(len(body))
            try:
                if grpc:
                    body = unframe(body, encoding, self.intake.request_bytes)
                elif encoding == b"gzip" and body:
                    body = gunzip(body, self.intake.request_bytes)
                if len(body) > self.intake.request_bytes:
                    raise too_large(self.intake.request_bytes)
                check_deadline(until)
                repeats = endpoint.repeats
                if repeats is not None and (known := repeats.again(body)) is not None:
                    answer, request = known
                else:
                    request = decode(endpoint.operation.request, body, self.intake)
                    wire = "grpc" if grpc else "connect"
                    call = Call(endpoint.operation, request, HttpMetadata(scope), until, protocol=wire)
                    answer = repeats.first(body, call) if repeats is not None else endpoint.call(call)
            finally:
                if turn:
                    self.lane.leave()
        except Unanswerable as end:
            code = end.code.name
        except Exception as error:
            refusal = refusal_of(error)
            code = refusal.code.name
            await refuse(send, content_type.decode(), refusal)
        else:
            start = [(b"content-type", content_type)]
            large = len(answer) >= COMPRESS_FROM
            if grpc:
                flags = 0
                if large and takes_gzip(headers, b"grpc-encoding"):
                    start.append((b"grpc-encoding", b"gzip"))
                    answer, flags = gzip(answer), 1
                await send({"type": "http.response.start", "status": 200, "headers": start, "trailers": True})
                await send({"type": "http.response.body", "body": frame(answer, flags), "more_body": False})
                await send({"type": "http.response.trailers", "headers": OK_TRAILERS, "more_trailers": False})
            else:
                if large and takes_gzip(headers, b"content-encoding"):
                    start.append((b"content-encoding", b"gzip"))
                    start.append((b"vary", b"accept-encoding"))
                    answer = gzip(answer)
                start.append((b"content-length", b"%d" % len(answer)))
                await send({"type": "http.response.start", "status": 200, "headers": start, "trailers": False})
                await send({"type": "http.response.body", "body": answer, "more_body": False})
        finally:
            self._done(endpoint.operation.path, request, code, started, headers)

    async def _otherwise(
        self, endpoint: Endpoint, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """A call in another form, or a duplex one."""
        if has_trailers(headers.get(b"content-type", b"").decode("latin-1")) and scope["http_version"] != "2":
            await self._status(505, b"gRPC needs HTTP/2\n", scope, headers, receive, send)
        elif scope["method"] == "HEAD":
            await self._status(405, b"", scope, headers, receive, send)
        elif isinstance(endpoint, Duplex):
            await self._duplex(endpoint, scope, headers, receive, send)
        else:
            await self._generally(endpoint, scope, headers, receive, send)

    async def _duplex(
        self, endpoint: Duplex, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        started = time.perf_counter()
        if scope["method"] == "POST" and codec_of(headers) is not None:
            conversation = Conversation(endpoint, headers, self.intake, send)
            code = await conversation.hold(self.arrivals, scope, receive)
            self._done(endpoint.operation.path, conversation.request, code, started, headers, stream=True)
        else:
            await self._status(415 if scope["method"] == "POST" else 405, b"", scope, headers, receive, send)

    async def _generally(
        self, endpoint: Unary | Stream, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        from flyteapps_fake.http.protocol.general_path import Exchange, GeneralPath

        if self._general is None:
            polled = self.options.server == "pyvoy"
            self._general = GeneralPath(self.endpoints, self.intake, self.arrivals, self.sweeper, self.lane, polled)
        started = time.perf_counter()
        exchange = Exchange(scope)
        code = "CANCELED"  # also where the server cancels the handler of a client that left
        try:
            code = await self._general.answer(endpoint, exchange, headers, receive, send)
        finally:
            self._done(
                endpoint.operation.path, exchange.request, code, started, headers, stream=isinstance(endpoint, Stream)
            )

    async def _status(
        self, status: int, text: bytes, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Answer a call that is none of any protocol."""
        if await self._skipped(scope, headers, receive, send):
            await respond(send, status, text, b"text/plain; charset=utf-8" if text else b"")
            self._done(scope["path"], None, f"HTTP_{status}", time.perf_counter(), headers)

    async def _skipped(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> bool:
        """Read the body of a request whose answer doesn't depend on it; False where it was late, and so refused."""
        try:
            await self.arrivals.skip(scope, form_of(scope, headers).encode("latin-1"), send, receive)
        except Unanswerable as end:
            self._done(scope["path"], None, end.code.name, time.perf_counter(), headers)
            return False
        return True

    async def _other(
        self, path: str, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        content_type = form_of(scope, headers)
        if path.startswith(UPLOADS):
            await self._upload(scope, receive, send)
            return
        if not await self._skipped(scope, headers, receive, send):
            return
        grpc = content_type.startswith("application/grpc")
        if not grpc and self._page is not None:
            host = headers.get(b"host", b"").decode("latin-1")
            if self._page.is_of_app(host, path) or not looks_like_rpc(path, content_type):
                await self._show(self._page, scope, headers, send)
                return
        if self.intake.no_method is not None:
            status, kind, body = self.intake.no_method
            await respond(send, status, body, kind, head=scope["method"] == "HEAD")
            self._done(path, None, Code.UNIMPLEMENTED.name, time.perf_counter(), headers)
            return
        missing = RpcError(Code.UNIMPLEMENTED, not_offered(path))
        await self._refuse(scope, headers, send, missing, None if grpc else 404)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def put(receive: Receive) -> tuple[int, str]:
            whole = Whole(receive)
            answer = await self.uploads.put(scope, whole)
            if not whole.read:  # it was refused by its head
                await discard(receive)
            return answer

        try:
            status, text = await self.arrivals.read(scope, b"text/plain", send, receive, put)
        except Unanswerable:
            return
        await respond(send, status, text.encode(), b"text/plain; charset=utf-8")

    async def answer_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application of the pages alone, under the same rules: for the console's port."""
        if scope["type"] != "http" or self._page is None:
            await send({"type": "websocket.close"})
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        admitted = await self._admit(scope, headers, receive, send)
        if admitted is not None and await self._skipped(scope, headers, receive, admitted):
            await self._show(self._page, scope, headers, admitted)

    @staticmethod
    async def _show(page: Page, scope: Scope, headers: Mapping[bytes, bytes], send: Send) -> None:
        method: str = scope["method"]
        query = scope.get("query_string", b"").decode("latin-1")
        host, accept = (headers.get(name, b"").decode("latin-1") for name in (b"host", b"accept"))
        shown = await page(PageRequest(method, host, scope["path"], query, accept))
        await respond(send, shown.status, shown.body, shown.content_type, shown.headers, head=method == "HEAD")

    async def _admit(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> Send | None:
        """The send of a caller that may ask, with what its answer has to carry; None for one that is answered now."""
        path: str = scope["path"]
        request_id = headers.get(REQUEST_ID)
        if request_id is not None and REQUEST_ID_FORM.match(request_id):
            send = with_headers(send, [(REQUEST_ID, request_id)])
        refusal = self._door.refusal(scope["headers"], headers, page=path not in self.endpoints)
        if refusal is not None:
            if await self._skipped(scope, headers, receive, send):
                await self._refuse(scope, headers, send, refusal)
            return None
        origin = headers.get(b"origin")
        if origin is not None:
            send = with_headers(send, cors_headers(origin))
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                if await self._skipped(scope, headers, receive, send):
                    await preflight(send, headers)
                return None
        return send

    async def _refuse(
        self, scope: Scope, headers: Mapping[bytes, bytes], send: Send, refusal: RpcError, status: int | None = None
    ) -> None:
        await refuse(send, form_of(scope, headers), refusal, status, head=scope["method"] == "HEAD")
        self._done(scope["path"], None, refusal.code.name, time.perf_counter(), headers)

    def _done(
        self,
        path: str,
        request: Message | None,
        code: str,
        started: float,
        headers: Mapping[bytes, bytes],
        *,
        stream: bool = False,
    ) -> None:
        """Counts, logs and traces a call that is over."""
        seconds = time.perf_counter() - started
        self.metrics.count(path if path in self.endpoints else "/other", code, None if stream else seconds)
        if self._log is None and self._tracing is None:
            return
        app, path = app_of(request)[:LONGEST_NAME], path[-LONGEST_NAME:]
        if self._log is not None:
            given = headers.get(REQUEST_ID, b"")
            request_id = given.decode() if REQUEST_ID_FORM.match(given) else ""
            self._log(AccessLine(path.rpartition(".")[2], app, code, seconds * 1000, request_id))
        if self._tracing is not None:
            protocol = "grpc" if headers.get(b"content-type", b"").startswith(b"application/grpc") else "connect_rpc"
            self._tracing.record(headers, (path, protocol, app, code, seconds))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                try:
                    await self.start()
                except Exception as error:
                    traceback.print_exc()
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def start(self) -> None:
        """Before the first request: moves the plane's clock from now on."""
        from flyteapps_fake.http.loop_driver import LoopDriver

        self._driver = LoopDriver(self.plane)
        self._driver.start()
        self.sweeper.start()
        if self.options.on_startup is not None:
            await self.options.on_startup(self)

    async def stop(self) -> None:
        """After the last request."""
        await self.drain()
        if self.options.on_shutdown is not None:
            await self.options.on_shutdown(self)
        await self.sweeper.stop()
        self._driver.stop()

    async def drain(self, seconds: float = 1.0) -> None:
        """End every stream by UNAVAILABLE, and give their last bytes time to leave."""
        self.sweeper.end("the server is shutting down")
        until = time.monotonic() + seconds
        while self.sweeper.streams and time.monotonic() < until:
            await asyncio.sleep(0.01)
