"""The handler of calls in JSON, over gRPC-Web, by GET, and of malformed ones: connectrpc answers them.

What connectrpc would report as its own failure, or count wrongly, is handled before.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from flyteapps_fake.control.effects import OF_HTTP
from flyteapps_fake.core.errors import Code
from flyteapps_fake.core.validation import check_stream_request
from flyteapps_fake.http.endpoints import Stream, Unary
from flyteapps_fake.http.exchange import Exchange
from flyteapps_fake.http.handlers.connectrpc import EXCHANGE, LIVE, Application, decoded
from flyteapps_fake.http.handlers.services import Services
from flyteapps_fake.http.protocol.answer import ObservedAnswer
from flyteapps_fake.http.protocol.compression import Compressing, without_own
from flyteapps_fake.http.protocol.deadlines import deadline_of
from flyteapps_fake.http.protocol.requests import (
    OPTIONAL_HEADERS,
    accept_post,
    check_headers,
    check_query,
    encoding_header,
    encoding_of_query,
    is_acceptable,
    one_frame,
    refusal_of,
    unreadable,
)
from flyteapps_fake.http.protocol.wire import NO_SNIFF, Event, HeaderList, refuse, respond, with_headers
from flyteapps_fake.http.request_timeouts import CallAbandoned
from flyteapps_fake.http.streaming.live_streams import LiveStream

FRAMED = ("application/grpc", ("application/grpc", "application/connect+"))
"""The beginnings of content types whose bodies are frames: of a unary method, of a stream."""
CODECS = ("proto", "json")
"""The codecs that a GET may name."""


class GeneralHandler:
    """The handler of calls of methods that have one request, in every form that connectrpc speaks."""

    def __init__(self, services: Services) -> None:
        self._application = Application(services.endpoints, services.request_limits, services.large_requests)
        self._limits = services.request_limits
        self._rules = services.request_limits.wire
        self._timeouts = services.timeouts
        self._sweeper = services.sweeper
        self._unread = services.unread_answers

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the call. Raises RpcError, CallAbandoned."""
        exchange.code = "CANCELED"  # also where the server cancels the handler of a client that left
        EXCHANGE.set(exchange)
        endpoint, headers, scope = exchange.endpoint, exchange.headers, exchange.scope
        assert isinstance(endpoint, Unary | Stream)
        live = None
        try:
            exchange.until = deadline_of(headers, self._rules)
            body: bytes | None = await self._timeouts.body(exchange)
            pairs = without_own(headers.items())  # of a repeated header, all of this code reads the last value
            check_headers(pairs)
            body = self._prepared(exchange, body)
            if body is None:
                exchange.code = "HTTP_415"
                further = accept_post(self._rules, streaming=isinstance(endpoint, Stream))
                await respond(exchange.send, 415, b"", b"", further)
                return
            if self._rules.empty_is_absent:
                pairs = [(name, value) for name, value in pairs if value or name not in OPTIONAL_HEADERS]
            live = LiveStream(exchange.receive, body, exchange.polled, scope.get("client"))
            LIVE.set(live)
            size, body = len(body), b""  # `live` has it until it is decoded
            if isinstance(endpoint, Stream):
                check_stream_request(size)  # which `live` keeps
                self._sweeper.add(live)
            exchange.code = await self._by_connectrpc(endpoint, exchange, live, pairs)
        except (CallAbandoned, *OF_HTTP):
            raise
        except Exception as error:
            if live is not None and live.gone:
                return
            refusal = unreadable(error) if exchange.request is None else refusal_of(error)
            exchange.refused(refusal)
            if not exchange.answering:
                raise refusal from None
        finally:
            if live is not None:
                self._sweeper.discard(live)

    def _prepared(self, exchange: Exchange, body: bytes) -> bytes | None:
        """Return the body for connectrpc, None for a content type that the method doesn't have. Raises RpcError."""
        endpoint, headers, scope, rules = exchange.endpoint, exchange.headers, exchange.scope, self._rules
        assert isinstance(endpoint, Unary | Stream)
        streaming = isinstance(endpoint, Stream)
        if scope["method"] == "GET":
            query: bytes = scope.get("query_string", b"")
            if rules.unary_types:
                if streaming or not endpoint.operation.no_side_effects:
                    return body  # connectrpc refuses the method
                if body or encoding_of_query(query) not in CODECS:
                    return None
            scope["query_string"] = check_query(query, rules)
            return body
        if rules.unary_types and scope["method"] != "POST":
            return body
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        if not is_acceptable(content_type, rules, streaming=streaming):
            return None
        kind = content_type.partition(";")[0].strip().lower()
        if kind.startswith(FRAMED[streaming]):
            encoding = headers.get(encoding_header(kind), b"")
            return one_frame(
                body, encoding, self._limits, kind, partial(decoded, endpoint, self._limits, json=kind.endswith("json"))
            )
        return body

    async def _by_connectrpc(
        self, endpoint: Unary | Stream, exchange: Exchange, live: LiveStream, pairs: HeaderList
    ) -> str:
        """Answer the call; return its code."""
        headers = exchange.headers
        client = exchange.scope.get("client")
        sliced = self._unread.sliced(with_headers(exchange.send, [NO_SNIFF]), client)
        answer = ObservedAnswer(Compressing(sliced, headers, self._rules.compress_from_bytes), live.deliver)
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        inner = {**exchange.scope, "headers": pairs}
        refused = False

        async def sending(event: Event) -> None:
            """Send an event, or the refusal of the plane in the same form as on the hot path."""
            nonlocal refused
            if isinstance(exchange.refusal, OF_HTTP) and not answer.status:
                return
            if exchange.refusal is None or not isinstance(endpoint, Unary):
                await answer(event)
            elif not refused:
                refused = True
                exchange.forget_request()
                await refuse(exchange.send, content_type, exchange.refusal)

        try:
            await self._application(cast("Any", inner), cast("Any", live.receive), cast("Any", sending))
        finally:
            exchange.answering = answer.status > 0 or refused
        if isinstance(exchange.refusal, OF_HTTP):
            raise exchange.refusal
        if exchange.refusal is not None:
            exchange.refused(exchange.refusal)
            return exchange.code
        if live.gone and isinstance(endpoint, Stream):
            return Code.CANCELED.name
        return answer.code()
