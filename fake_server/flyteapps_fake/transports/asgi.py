"""The one ASGI front, the same on pyvoy and on hypercorn: routing by path, the fast path of unary calls, lifespan.

Fast: binary protobuf over Connect and gRPC, plain or gzip. A unary call never suspends, so its deadline has no bearing.
The rest goes to connectrpc's application; pages of the console and uploads have rooms of their own.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import parse_qs

from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.transports.answer import Answer
from flyteapps_fake.transports.endpoints import Unary, app_of, stream_operations, unary_endpoints
from flyteapps_fake.transports.neighbours import neighbour_endpoints
from flyteapps_fake.transports.streams import LiveStream, Sweeper
from flyteapps_fake.transports.uploads import UPLOADS, Uploads
from flyteapps_fake.transports.wire import (
    MAX_REQUEST,
    HeaderList,
    Receive,
    Scope,
    Send,
    check_frame,
    decode,
    discard,
    gunzip,
    read_body,
    refuse,
    respond,
    too_large,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from flyteapps_fake.control_plane import FakeControlPlane
    from flyteapps_fake.transports.connect import Application

Server = Literal["pyvoy", "hypercorn"]
GRPC_TYPES = frozenset((b"application/grpc", b"application/grpc+proto"))
ACCEPTS = frozenset((b"accept-encoding", b"connect-accept-encoding", b"grpc-accept-encoding"))
GRPC_TIMEOUT = re.compile(r"[0-9]{1,8}[HMSmun]\Z")
BASE64 = re.compile(r"(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?\Z")
FRAMED = ("application/grpc", ("application/grpc", "application/connect+"))
"""Content types whose bodies are frames: of a unary method, of a stream."""
OK_TRAILERS: HeaderList = [(b"grpc-status", b"0")]


@dataclass(frozen=True, slots=True)
class AccessLine:
    """One answered call."""

    method: str
    app: str
    code: str
    ms: float


Page = Callable[[str, str, str, str], tuple[int, bytes, bytes]]
"""(HTTP method, host, path, query string) -> (status, content type, body): what a browser gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppOptions:
    """What the server tells the front.

    `server`: whose receive() the streams read. `page`: answers what is no RPC.
    `on_startup`, `on_shutdown`: run inside the loop, before the first and after
    the last request.
    """

    server: Server
    console_port: int | None = None
    access_log: Callable[[AccessLine], None] | None = None
    page: Page | None = None
    on_startup: Callable[[Front], Awaitable[None]] | None = None
    on_shutdown: Callable[[Front], Awaitable[None]] | None = None


class Front:
    """An ASGI application over one plane."""

    def __init__(self, plane: FakeControlPlane, options: AppOptions) -> None:
        self.plane = plane
        self.options = options
        self.uploads = Uploads()
        self.unary: dict[str, Unary] = {
            **unary_endpoints(plane),
            **neighbour_endpoints(plane, self.uploads),
        }
        self.streams = stream_operations()
        self.sweeper = Sweeper()
        self._rest: Application | None = None
        self._log = options.access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        path: str = scope["path"]
        endpoint = self.unary.get(path)
        if endpoint is not None:
            await self._unary(endpoint, scope, receive, send)
        elif path in self.streams:
            await self._through_connectrpc(path, scope, receive, send)
        else:
            await self._other(path, scope, receive, send)

    async def _unary(self, endpoint: Unary, scope: Scope, receive: Receive, send: Send) -> None:
        content_type = encoding = b""
        grpc_encoding = b"identity"
        host = b"localhost"
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value
            elif name == b"content-encoding":
                encoding = value
            elif name == b"grpc-encoding":
                grpc_encoding = value
            elif name == b"host" or name == b":authority":
                host = value
        if scope["method"] == "POST":
            grpc = content_type in GRPC_TYPES
            if (grpc and scope["http_version"] == "2" and grpc_encoding in (b"identity", b"gzip")) or (
                content_type == b"application/proto" and encoding in (b"", b"identity", b"gzip")
            ):
                await self._fast(endpoint, grpc, content_type, grpc_encoding if grpc else encoding, host, receive, send)
                return
        await self._through_connectrpc(endpoint.path, scope, receive, send)

    async def _fast(
        self,
        endpoint: Unary,
        grpc: bool,
        content_type: bytes,
        encoding: bytes,
        host: bytes,
        receive: Receive,
        send: Send,
    ) -> None:
        started = time.perf_counter() if self._log else 0.0
        request: Message | None = None
        code = "OK"
        try:
            body = await read_body(receive)
            if body is None:
                self._line(endpoint.path, None, "CANCELED", started)
                return
            if grpc:
                body = _unframe(body, encoding)
            elif encoding == b"gzip" and body:
                body = gunzip(body)
            if len(body) > MAX_REQUEST:
                raise too_large()
            request = decode(endpoint.request, body)
            answer = endpoint.call(request, "http://" + host.decode("latin-1"))
        except Exception as error:
            refusal = _refusal(error)
            code = refusal.code.name
            await refuse(send, content_type.decode(), refusal)
        else:
            headers = [(b"content-type", content_type)]
            if grpc:
                body = b"\0" + len(answer).to_bytes(4, "big") + answer
                await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": True})
                await send({"type": "http.response.body", "body": body, "more_body": False})
                await send({"type": "http.response.trailers", "headers": OK_TRAILERS, "more_trailers": False})
            else:
                headers.append((b"content-length", b"%d" % len(answer)))
                await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
                await send({"type": "http.response.body", "body": answer, "more_body": False})
        if self._log:
            self._line(endpoint.path, request, code, started)

    async def _through_connectrpc(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        from flyteapps_fake.transports.connect import EXCHANGE, LIVE, Application, Exchange

        if self._rest is None:
            self._rest = Application(self.plane, self.unary, self.streams)
        started = time.perf_counter()
        content_type = _header(scope, b"content-type")
        if _is_grpc(content_type) and scope["http_version"] != "2":
            await discard(receive)
            await respond(send, 505, b"gRPC needs HTTP/2\n", b"text/plain; charset=utf-8")
            return
        exchange = Exchange("http://" + (_header(scope, b"host") or "localhost"))
        EXCHANGE.set(exchange)
        live = answer = None
        code = "CANCELED"  # also where the server cancels the handler of a client that left
        try:
            body = await read_body(receive)
            if body is None:
                return
            live = LiveStream(receive, body, polled=self.options.server == "pyvoy")
            LIVE.set(live)
            if path in self.streams:
                self.sweeper.add(live)
            headers = [pair for pair in scope["headers"] if pair[0] not in ACCEPTS]
            _check_headers(headers)
            if scope["method"] == "GET":
                _check_query(scope.get("query_string", b""))
            elif content_type.startswith(FRAMED[path in self.streams]):
                check_frame(body)
            answer = Answer(send, live)
            await self._rest(cast("Any", {**scope, "headers": headers}), cast("Any", live.receive), cast("Any", answer))
            code = exchange.code or answer.code()
        except Exception as error:
            if live is not None and live.gone:
                return
            refusal = _unreadable(error) if exchange.request is None else _refusal(error)
            code = refusal.code.name
            if answer is None or not answer.status:
                await refuse(send, content_type, refusal)
        finally:
            if live is not None:
                self.sweeper.streams.discard(live)
            self._line(path, exchange.request, code, started)

    async def _other(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        content_type = _header(scope, b"content-type")
        if path.startswith(UPLOADS):
            status, text = await self.uploads.put(scope, receive)
            await respond(send, status, text.encode(), b"text/plain; charset=utf-8")
            return
        grpc = content_type.startswith("application/grpc")
        if not grpc and self.options.page is not None and not _looks_like_rpc(path, content_type):
            method: str = scope["method"]
            query = scope.get("query_string", b"").decode("latin-1")
            status, kind, body = self.options.page(method, _header(scope, b"host"), path, query)
            await respond(send, status, body, kind, head=method == "HEAD")
            return
        started = time.perf_counter()
        await discard(receive)  # hypercorn breaks the connection where an answer overtakes the request
        message = f"{path.lstrip('/')} is not offered by this stand-in of the Flyte apps control plane"
        refusal = RpcError(Code.UNIMPLEMENTED, message)
        await refuse(send, content_type, refusal, None if grpc else 404)
        if self._log:
            self._line(path, None, refusal.code.name, started)

    def _line(self, path: str, request: Message | None, code: str, started: float) -> None:
        if self._log:
            ms = (time.perf_counter() - started) * 1000
            self._log(AccessLine(path.rpartition(".")[2], app_of(request), code, ms))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        from flyteapps_fake.transports.loop_driver import LoopDriver

        driver = LoopDriver(self.plane)
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                try:
                    driver.start()
                    self.sweeper.start()
                    if self.options.on_startup is not None:
                        await self.options.on_startup(self)
                except Exception as error:
                    traceback.print_exc()
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.drain()
                if self.options.on_shutdown is not None:
                    await self.options.on_shutdown(self)
                await self.sweeper.stop()
                driver.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def drain(self, seconds: float = 1.0) -> None:
        """End every stream by UNAVAILABLE, and give their last bytes time to leave."""
        self.sweeper.end("the server is shutting down")
        until = time.monotonic() + seconds
        while self.sweeper.streams and time.monotonic() < until:
            await asyncio.sleep(0.01)


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return ""


def _is_grpc(content_type: str) -> bool:
    return content_type.startswith("application/grpc") and not content_type.startswith("application/grpc-web")


def _looks_like_rpc(path: str, content_type: str) -> bool:
    service, _, method = path.strip("/").partition("/")
    if not method or "/" in method:
        return False
    return service.startswith("flyteidl2.") or content_type.startswith("application/")


def _unframe(body: bytes, encoding: bytes) -> bytes:
    """The one message of a gRPC request body."""
    check_frame(body)
    if body[0] & 1:
        if encoding != b"gzip":
            raise RpcError(Code.INVALID_ARGUMENT, "a compressed gRPC message without grpc-encoding")
        return gunzip(body[5:])
    return body[5:]


def _check_query(query: bytes) -> None:
    """Refuses a message of a Connect GET that is said to be base64 and isn't."""
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if given.get("base64") == ["1"] and not all(BASE64.match(each.rstrip("=")) for each in given.get("message", ())):
        raise RpcError(Code.INVALID_ARGUMENT, "the query's message is not base64")


def _check_headers(headers: HeaderList) -> None:
    """Refuses what connectrpc would call its own failure."""
    for name, value in headers:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise RpcError(Code.INVALID_ARGUMENT, f"the header {name.decode('latin-1')} is not UTF-8") from None
        if name == b"grpc-timeout" and not GRPC_TIMEOUT.match(text):
            raise RpcError(Code.INVALID_ARGUMENT, f"grpc-timeout {text!r}: give up to 8 digits and one of H M S m u n")


def _unreadable(error: Exception) -> RpcError:
    """A call that failed before its request was there: something about its headers."""
    if isinstance(error, RpcError):
        return error
    return RpcError(Code.INVALID_ARGUMENT, f"the request's headers can't be read: {error}")


def _refusal(error: Exception) -> RpcError:
    if isinstance(error, RpcError):
        return error
    traceback.print_exception(error, file=sys.stderr)
    return RpcError(Code.INTERNAL, f"a defect of the stand-in: {type(error).__name__}: {error}")


def build_app(plane: FakeControlPlane, options: AppOptions) -> Front:
    """The ASGI application that serves `plane`."""
    return Front(plane, options)
