"""The way of the calls that the front doesn't answer by itself: JSON, gRPC-Web, GET, and what is malformed.

connectrpc answers them. What it would call its own failure, or count wrongly, is seen to before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from flyteapps_fake.core.errors import Code
from flyteapps_fake.core.request_limits import Intake
from flyteapps_fake.http.endpoints import Endpoint, Stream, Unary
from flyteapps_fake.http.large_requests import Lane
from flyteapps_fake.http.protocol.answer import Answer
from flyteapps_fake.http.protocol.compression import Compressing, taken
from flyteapps_fake.http.protocol.connect import EXCHANGE, LIVE, Application, Exchange
from flyteapps_fake.http.protocol.deadlines import deadline_of
from flyteapps_fake.http.protocol.requests import check_flags, check_headers, check_query, refusal_of, unreadable
from flyteapps_fake.http.protocol.wire import NO_SNIFF, Event, HeaderList, Receive, Send, refuse, respond, with_headers
from flyteapps_fake.http.request_timeouts import Arrivals, Unanswerable
from flyteapps_fake.http.streaming.live_streams import LiveStream, Sweeper
from flyteapps_fake.http.streaming.stream_writer import encoding_of

FRAMED = ("application/grpc", ("application/grpc", "application/connect+"))
"""How the content types begin whose bodies are frames: of a unary method, of a stream."""


class GeneralPath:
    """Answers calls of methods that have one request."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        intake: Intake,
        arrivals: Arrivals,
        sweeper: Sweeper,
        lane: Lane,
        polled: bool,
    ) -> None:
        self._application = Application(endpoints, intake, lane)
        self._arrivals = arrivals
        self._sweeper = sweeper
        self._polled = polled

    async def answer(
        self,
        endpoint: Unary | Stream,
        exchange: Exchange,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        send: Send,
    ) -> str:
        """Answer the call; return the code that it is answered with."""
        EXCHANGE.set(exchange)
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        live = None
        try:
            exchange.until = deadline_of(headers)
            body = await self._arrivals.body(exchange.scope, content_type.encode("latin-1"), send, receive)
            pairs = taken(headers.items())  # a header that is there twice is for all of us what it is the last time
            check_headers(pairs)
            if exchange.scope["method"] == "GET":
                check_query(exchange.scope.get("query_string", b""))
            else:
                kind = content_type.partition(";")[0].strip().lower()
                if not kind.startswith("application/"):
                    await respond(send, 415, b"", b"")
                    return "HTTP_415"
                if kind.startswith(FRAMED[isinstance(endpoint, Stream)]):
                    check_flags(body, headers.get(encoding_of(kind), b""))
            live = LiveStream(receive, body, self._polled, exchange.scope.get("client"))
            LIVE.set(live)
            if isinstance(endpoint, Stream):
                self._sweeper.add(live)
            return await self._by_connectrpc(endpoint, exchange, live, pairs, headers, send)
        except Unanswerable as end:
            return end.code.name
        except Exception as error:
            if live is not None and live.gone:
                return Code.CANCELED.name
            refusal = unreadable(error) if exchange.request is None else refusal_of(error)
            if not exchange.answered:
                await refuse(send, content_type, refusal)
            return refusal.code.name
        finally:
            if live is not None:
                self._sweeper.discard(live)

    async def _by_connectrpc(
        self,
        endpoint: Unary | Stream,
        exchange: Exchange,
        live: LiveStream,
        pairs: HeaderList,
        headers: Mapping[bytes, bytes],
        send: Send,
    ) -> str:
        answer = Answer(Compressing(with_headers(send, [NO_SNIFF]), headers), live)
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        inner = {**exchange.scope, "headers": pairs}
        refused = False

        async def sending(event: Event) -> None:
            """A call that the plane refused is refused by the front, so that it looks the same on both ways."""
            nonlocal refused
            if exchange.refusal is None or not isinstance(endpoint, Unary):
                await answer(event)
            elif not refused:
                refused = True
                await refuse(send, content_type, exchange.refusal)

        try:
            await self._application(cast("Any", inner), cast("Any", live.receive), cast("Any", sending))
        finally:
            exchange.answered = answer.status > 0 or refused
        return exchange.code or answer.code()
