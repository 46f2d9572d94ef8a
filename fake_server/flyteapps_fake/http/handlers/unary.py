"""The hot path of unary calls in binary, over Connect and gRPC: limits, decoding and the call in one coroutine.

It never suspends once the body of a small request is there, but for the methods that run in a thread. A Get takes 0.54
(gRPC) to 0.70 (Connect) of the time on connectrpc's way, which answers all other forms (see general.py): parity with
bare ASGI, by `tests/benchmarks/bench_serving.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.rules.wire import COMPRESS_FROM_BYTES
from flyteapps_fake.core.validation import too_large
from flyteapps_fake.http.delays import outcome
from flyteapps_fake.http.endpoints import Unary
from flyteapps_fake.http.exchange import Exchange
from flyteapps_fake.http.handlers.services import Services
from flyteapps_fake.http.large_requests import LARGE_BYTES
from flyteapps_fake.http.protocol.compression import accepts_gzip, gunzip_body, gzip
from flyteapps_fake.http.protocol.deadlines import check_deadline, deadline_of
from flyteapps_fake.http.protocol.requests import PLAIN, check_version, message_of
from flyteapps_fake.http.protocol.wire import NO_SNIFF, OK_TRAILERS, Scope, decode, frame
from flyteapps_fake.http.streaming.live_streams import LiveStream

GRPC, CONNECT = 1, 2
BINARY = {b"application/grpc": GRPC, b"application/grpc+proto": GRPC, b"application/proto": CONNECT}
"""The content types of this path."""


def unary_encoding(headers: Mapping[bytes, bytes], scope: Scope) -> bytes | None:
    """Return how the body of a POST is compressed; None where it is not for this path."""
    protocol = BINARY.get(headers.get(b"content-type", b""))
    if protocol == CONNECT:
        encoding = headers.get(b"content-encoding", b"")
    elif protocol == GRPC and scope["http_version"] == "2":
        encoding = headers.get(b"grpc-encoding", b"")
    else:
        return None
    return encoding if encoding in PLAIN or encoding == b"gzip" else None


class UnaryHandler:
    """The handler of unary calls in binary."""

    def __init__(self, services: Services) -> None:
        self._request_limits = services.request_limits
        self._max_bytes = services.request_limits.request_bytes
        self._rules = services.request_limits.wire
        self._timeouts = services.timeouts
        self._large = services.large_requests
        self._unread = services.unread_answers

    async def __call__(self, exchange: Exchange, endpoint: Unary, encoding: bytes) -> None:
        """Answer the call. Raises RpcError, CallAbandoned."""
        exchange.code = "CANCELED"
        headers = exchange.headers
        content_type = headers[b"content-type"]
        grpc = BINARY[content_type] == GRPC
        exchange.until = until = deadline_of(headers, self._rules)
        body = await self._timeouts.body(exchange)
        in_turn = large = len(body) > LARGE_BYTES or encoding == b"gzip"
        if large:
            await self._large.acquire(len(body))
        try:
            if grpc:
                body = message_of(body, encoding, self._request_limits, content_type, endpoint.operation.request)
            else:
                check_version(headers, self._rules)
                if encoding == b"gzip" and body:
                    body = gunzip_body(body, self._max_bytes, self._rules)
            if len(body) > self._max_bytes:
                raise too_large(self._max_bytes)
            check_deadline(until)
            cache = endpoint.cache
            known = cache.lookup(body, "grpc" if grpc else "connect", headers) if cache is not None else None
            if known is not None:
                answer, exchange.request = known
            else:
                exchange.request = request = decode(endpoint.operation.request, body, self._request_limits)
                call = exchange.call(endpoint.operation, request)
                try:
                    if cache is not None:
                        answer = cache.read(body, call)
                    elif endpoint.in_thread:
                        answer = await asyncio.to_thread(endpoint.call, call)
                    else:
                        answer = endpoint.call(call)
                except Postponed as postponed:
                    if in_turn:  # a call that waits keeps no other from being decoded
                        in_turn = False
                        self._large.release()
                    client = LiveStream(exchange.receive, body, exchange.polled)
                    answer = await outcome(postponed, until, client)
        finally:
            if in_turn:
                self._large.release()
        if large:
            exchange.forget_request()
            body, request, call = b"", None, None
        exchange.code = "OK"
        exchange.answering = True
        send = exchange.send
        start = [(b"content-type", content_type), NO_SNIFF]
        compressible = len(answer) >= self._rules.compress_from_bytes
        if len(answer) >= COMPRESS_FROM_BYTES:
            send = self._unread.sliced(send, exchange.scope.get("client"))
        if grpc:
            flags = 0
            if compressible and accepts_gzip(headers, b"grpc-encoding"):
                start.append((b"grpc-encoding", b"gzip"))
                answer, flags = gzip(answer), 1
            answer = frame(answer, flags)
            await send({"type": "http.response.start", "status": 200, "headers": start, "trailers": True})
            await send({"type": "http.response.body", "body": answer, "more_body": False})
            await send({"type": "http.response.trailers", "headers": OK_TRAILERS, "more_trailers": False})
        else:
            if compressible and accepts_gzip(headers, b"content-encoding"):
                start.append((b"content-encoding", b"gzip"))
                start.append((b"vary", b"accept-encoding"))
                answer = gzip(answer)
            start.append((b"content-length", b"%d" % len(answer)))
            await send({"type": "http.response.start", "status": 200, "headers": start, "trailers": False})
            await send({"type": "http.response.body", "body": answer, "more_body": False})
