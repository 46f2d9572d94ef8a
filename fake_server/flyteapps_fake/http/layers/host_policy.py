"""The layer that refuses foreign hosts and origins, and answers preflight requests, before anything else is read."""

from __future__ import annotations

from collections.abc import Awaitable

from flyteapps_fake.http.access.cors import cors_headers, preflight
from flyteapps_fake.http.access.host_check import SITE, HostCheck
from flyteapps_fake.http.exchange import Exchange, Handler
from flyteapps_fake.http.layers.telemetry import REQUEST_ID, REQUEST_ID_FORM
from flyteapps_fake.http.protocol.wire import with_headers
from flyteapps_fake.http.request_timeouts import RequestTimeouts

SPECIAL = frozenset((b"origin", SITE, REQUEST_ID))
"""Headers with which a request isn't passed on at once."""


class HostPolicyLayer:
    """The layer of host policy, CORS and request ids.

    A plain function passes on what needs no check, so that the layer costs a call of an RPC next to nothing.
    """

    def __init__(self, following: Handler, check: HostCheck, timeouts: RequestTimeouts) -> None:
        self._next = following
        self._check = check
        self._timeouts = timeouts

    def __call__(self, exchange: Exchange) -> Awaitable[None]:
        """Pass the exchange on where its host is known and it has neither an origin nor a request id; else check it."""
        headers = exchange.headers
        if (
            headers.get(b"host") in self._check.allowed
            and len(headers) == len(exchange.scope["headers"])
            and headers.keys().isdisjoint(SPECIAL)
        ):
            return self._next(exchange)
        return self._checked(exchange)

    async def _checked(self, exchange: Exchange) -> None:
        headers = exchange.headers
        request_id = headers.get(REQUEST_ID)
        if request_id is not None and REQUEST_ID_FORM.match(request_id):
            exchange.send = with_headers(exchange.send, [(REQUEST_ID, request_id)])
        refusal = self._check.refusal(exchange.scope["headers"], headers, page=exchange.endpoint is None)
        if refusal is not None:
            await self._timeouts.skip(exchange)
            raise refusal
        origin = headers.get(b"origin")
        if origin is not None:
            exchange.send = with_headers(exchange.send, cors_headers(origin))
            if exchange.scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                await self._timeouts.skip(exchange)
                await preflight(exchange.send, headers)
                return
        await self._next(exchange)
