"""The innermost layer: the handler of a request by its path, method and content type."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.http.builtin.uploads import UPLOADS
from flyteapps_fake.http.endpoints import Duplex, Stream, Unary
from flyteapps_fake.http.exchange import Exchange, Handler
from flyteapps_fake.http.handlers.duplex import DuplexHandler, codec_of
from flyteapps_fake.http.handlers.pages import PageHandler
from flyteapps_fake.http.handlers.stream import StreamHandler
from flyteapps_fake.http.handlers.unary import UnaryHandler, unary_encoding
from flyteapps_fake.http.handlers.uploads import UploadHandler
from flyteapps_fake.http.protocol.requests import form_of, looks_like_rpc, stream_encoding
from flyteapps_fake.http.protocol.wire import has_trailers, refuse, respond
from flyteapps_fake.services.platform import not_offered

if TYPE_CHECKING:
    from flyteapps_fake.http.handlers.services import Services

TEXT = b"text/plain; charset=utf-8"


class Dispatch:
    """The layer that chooses a handler. It awaits nothing, so that it adds no frame to the handler's."""

    def __init__(self, services: Services, pages: PageHandler | None) -> None:
        self._services = services
        self._timeouts = services.timeouts
        self._pages = pages
        self._unary = UnaryHandler(services)
        self._stream = StreamHandler(services)
        self._duplex = DuplexHandler(services)
        self._uploads = UploadHandler(services)
        self._general: Handler | None = None
        self._authorization: Handler | None = None
        self._authorization_paths: tuple[str, ...] = ()
        authentication = services.plane.authentication
        if authentication is not None and authentication.provider is None:
            from flyteapps_fake.http.handlers.authorization import PREFIXES, AuthorizationHandler

            self._authorization, self._authorization_paths = AuthorizationHandler(services), PREFIXES

    def __call__(self, exchange: Exchange) -> Awaitable[None]:
        """Pass the exchange to the handler of its kind."""
        endpoint, scope, headers = exchange.endpoint, exchange.scope, exchange.headers
        if endpoint is None:
            return self._other(exchange)
        if scope["method"] == "POST":
            if type(endpoint) is Unary:
                encoding = unary_encoding(headers, scope)
                if encoding is not None:
                    return self._unary(exchange, endpoint, encoding)
            elif type(endpoint) is Stream:
                encoding = stream_encoding(headers, scope)
                if encoding is not None:
                    return self._stream(exchange, endpoint, encoding)
        if scope["method"] == "OPTIONS" and self._services.request_limits.wire.answers_options:
            return self._status(exchange, 204)
        if has_trailers(headers.get(b"content-type", b"").decode("latin-1")) and scope["http_version"] != "2":
            return self._status(exchange, 505, b"gRPC needs HTTP/2\n")
        if scope["method"] == "HEAD":
            return self._status(exchange, 405)
        if not isinstance(endpoint, Duplex):
            return self._otherwise(exchange)
        if scope["method"] != "POST":
            return self._status(exchange, 405)
        return self._duplex(exchange) if codec_of(headers) is not None else self._status(exchange, 415)

    def _otherwise(self, exchange: Exchange) -> Awaitable[None]:
        """Pass on a call in JSON, over gRPC-Web or by GET: connectrpc is imported with the first of them."""
        if self._general is None:
            from flyteapps_fake.http.handlers.general import GeneralHandler

            self._general = GeneralHandler(self._services)
        return self._general(exchange)

    async def _other(self, exchange: Exchange) -> None:
        """Answer a request for no known method: an upload, a page, or UNIMPLEMENTED."""
        scope = exchange.scope
        path: str = scope["path"]
        if path.startswith(UPLOADS):
            await self._uploads(exchange)
            return
        if self._authorization is not None and path.startswith(self._authorization_paths):
            await self._authorization(exchange)
            return
        await self._timeouts.skip(exchange)
        form = form_of(scope, exchange.headers)
        grpc = form.startswith("application/grpc")
        pages = self._pages
        if pages is not None and not grpc and (pages.is_of_app(exchange) or not looks_like_rpc(path, form)):
            await pages.show(exchange)
            return
        exchange.code = Code.UNIMPLEMENTED.name
        no_method: Any = self._services.request_limits.no_method
        head: bool = scope["method"] == "HEAD"
        if no_method is not None:
            status, kind, body = no_method
            await respond(exchange.send, status, body, kind, head=head)
            return
        missing = RpcError(Code.UNIMPLEMENTED, not_offered(path))
        await refuse(exchange.send, form, missing, None if grpc else 404, head=head)

    async def _status(self, exchange: Exchange, status: int, text: bytes = b"") -> None:
        """Answer a call in no protocol that is spoken here."""
        await self._timeouts.skip(exchange)
        exchange.code = f"HTTP_{status}"
        await respond(exchange.send, status, text, TEXT if text else b"")
