"""The hot path of server streams in binary, over gRPC, gRPC-Web and Connect: limits, decoding and the stream.

An event for many streams is framed once, and nothing else is made of it: connectrpc, which answers streams in JSON
(see general.py), takes five times as long for it, by `tests/benchmarks/bench_watchers.py`.
"""

from __future__ import annotations

import asyncio

from flyteapps_fake.http.endpoints import Stream
from flyteapps_fake.http.exchange import Exchange
from flyteapps_fake.http.handlers.services import Services
from flyteapps_fake.http.large_requests import LARGE_BYTES
from flyteapps_fake.http.protocol.deadlines import check_opening, deadline_of
from flyteapps_fake.http.protocol.requests import check_version, message_of, refusal_of
from flyteapps_fake.http.protocol.wire import decode
from flyteapps_fake.http.streaming.live_streams import LiveStream
from flyteapps_fake.http.streaming.stream_writer import StreamWriter


class StreamHandler:
    """The handler of server streams in binary."""

    def __init__(self, services: Services) -> None:
        self._request_limits = services.request_limits
        self._rules = services.request_limits.wire
        self._timeouts = services.timeouts
        self._large = services.large_requests
        self._sweeper = services.sweeper
        self._unread = services.unread_answers

    async def __call__(self, exchange: Exchange, endpoint: Stream, encoding: bytes) -> None:
        """Answer the call until its stream is over. Raises RpcError before it begins, CallAbandoned."""
        exchange.code = "CANCELED"  # also where the server cancels the handler of a client that left
        exchange.until = deadline_of(exchange.headers, self._rules)
        body = await self._timeouts.body(exchange)
        large = len(body) > LARGE_BYTES or encoding == b"gzip"
        if large:
            await self._large.acquire(len(body))
        try:
            kind = exchange.headers[b"content-type"]
            if kind.startswith(b"application/connect+"):
                check_version(exchange.headers, self._rules)
            message = message_of(body, encoding, self._request_limits, kind, endpoint.operation.request)
            exchange.request = request = decode(endpoint.operation.request, message, self._request_limits)
        finally:
            if large:
                self._large.release()
        del body
        check_opening(exchange.until, self._rules)
        client = exchange.scope.get("client")
        live = LiveStream(exchange.receive, b"", exchange.polled, client)
        large_send = self._unread.sliced(exchange.send, client)
        writer = StreamWriter(exchange.send, large_send, live, exchange.headers, self._rules.compress_from_bytes)
        try:
            live.listen()
            self._sweeper.add(live)
            exchange.ended(*await writer.run(endpoint, exchange.call(endpoint.operation, request)))
        except asyncio.CancelledError:
            if not live.gone:
                raise
            # the sweeper cancels a send that hangs, some time after the client left
        except Exception as error:
            if live.gone:
                return
            if not writer.begun:
                raise
            exchange.refused(refusal_of(error))
        finally:
            self._sweeper.discard(live)
