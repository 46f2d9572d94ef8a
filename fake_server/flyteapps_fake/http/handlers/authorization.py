"""The handler of the authorization server's endpoints: login pages, tokens, keys."""

from __future__ import annotations

from google.protobuf.struct_pb2 import Struct

from flyteapps_fake.auth.oauth.routes import PREFIXES, TOKEN_PATH, Routes, fields_of
from flyteapps_fake.auth.oauth.server import FORM_BYTES, AuthorizationServer
from flyteapps_fake.auth.oauth.web import Fields, WebAnswer, WebRequest, error_answer
from flyteapps_fake.control.effects import OF_HTTP, Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import Operation
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.http.delays import outcome
from flyteapps_fake.http.exchange import Exchange
from flyteapps_fake.http.handlers.services import Services
from flyteapps_fake.http.metadata import HttpMetadata
from flyteapps_fake.http.protocol.wire import HTTP_STATUS, respond

__all__ = ["PREFIXES", "TOKEN", "AuthorizationHandler"]

TOKEN = Operation("http", "Token", Struct, Struct, access="public")
"""The RPC as which the token endpoint has faults, and is recorded; secrets are left out of both."""
SHOWN = ("grant_type", "client_id", "scope", "audience")
"""The fields of a request for tokens that are recorded."""
FORM = b"application/x-www-form-urlencoded"


def _routes(plane: Plane) -> Routes:
    """Return the endpoints of a plane."""
    assert plane.authentication is not None
    return Routes(AuthorizationServer(plane.authentication, paces=plane.settings.clock == "realtime"))


class AuthorizationHandler:
    """The handler of the endpoints; all servers of a plane share its records."""

    def __init__(self, services: Services) -> None:
        self._plane = services.plane
        self._timeouts = services.timeouts
        self._routes = services.plane.companion(_routes)

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the request."""
        body = await self._timeouts.body(exchange)
        scope, headers = exchange.scope, exchange.headers
        metadata = HttpMetadata(scope)
        try:
            if len(body) > FORM_BYTES:
                raise ValueError
            form: Fields = fields_of(body.decode()) if headers.get(b"content-type", b"").startswith(FORM) else {}
            query = fields_of(scope.get("query_string", b"").decode("ascii"))
        except ValueError:
            await self._send(exchange, error_answer(400, "invalid_request", "the form can't be read"))
            return
        method: str = scope["method"]
        request = WebRequest(
            "GET" if method == "HEAD" else method,
            scope["path"],
            query,
            form,
            metadata.get("authorization", ""),
            metadata.origin,
        )
        if (request.method, request.path) == ("POST", TOKEN_PATH):
            answer = await self._token(exchange, request, metadata)
        else:
            answer = await self._answer(request)
        await self._send(exchange, answer)

    async def _answer(self, request: WebRequest) -> WebAnswer:
        """Answer a request, once what it has changed is safe."""
        try:
            return self._plane.safely(lambda: self._plane.run(lambda: self._routes.answer(request)))
        except Postponed as postponed:
            answer: WebAnswer = await outcome(postponed, None)
            return answer
        except RpcError as error:
            return error_answer(HTTP_STATUS[error.code], "temporarily_unavailable", error.message)

    async def _token(self, exchange: Exchange, request: WebRequest, metadata: HttpMetadata) -> WebAnswer:
        """Answer a request for tokens, with its faults. Raises RpcError for those that are answered in HTTP."""
        found: list[WebAnswer] = []

        def answer(call: Call[Struct]) -> bytes:
            found.append(self._routes.answer(request))
            return b""

        shown = Struct()
        shown.update({name: request.first(name) for name in SHOWN if name in request.form})
        call = Call(TOKEN, shown, metadata, exchange.until, protocol="http")
        try:
            try:
                self._plane.intercept(call, answer)
            except Postponed as postponed:
                await outcome(postponed, None)
        except OF_HTTP:
            raise
        except RpcError as error:
            status = HTTP_STATUS[error.code]
            return error_answer(status, "server_error" if status >= 500 else "temporarily_unavailable", error.message)
        return found[-1]

    @staticmethod
    async def _send(exchange: Exchange, answer: WebAnswer) -> None:
        exchange.answering = True
        headers = {name.lower(): value for name, value in answer.headers}
        kind = headers.pop("content-type", "text/plain; charset=utf-8").encode()
        further = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        head = exchange.scope["method"] == "HEAD"
        await respond(exchange.send, answer.status, answer.body.encode(), kind, further, head=head)
