"""The serving of requests whose app is known: access, counts, the answers of the ingress itself, the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.http import HttpVersion11

from flyteapps_fake.processes.ingress.access import Authorize, check_token
from flyteapps_fake.processes.ingress.answers import Answer, Refused, encode
from flyteapps_fake.processes.ingress.client_side import written
from flyteapps_fake.processes.ingress.destinations import Destination
from flyteapps_fake.processes.ingress.heads import forwarded
from flyteapps_fake.processes.ingress.incoming import Incoming
from flyteapps_fake.processes.ingress.limits import MAX_IN_FLIGHT, MAX_SHOWN_CHARACTERS, RETRY_SECONDS
from flyteapps_fake.processes.ingress.passing.exchange import Exchange
from flyteapps_fake.processes.ingress.passing.relay import reset
from flyteapps_fake.processes.ingress.passing.upstream import Upstreams
from flyteapps_fake.processes.ingress.request_line import RequestLine

Log = Callable[[RequestLine], None]
_logger = logging.getLogger(__name__)


class Serving:
    """The requests to all apps; each is counted and logged once, however it ends."""

    def __init__(self, upstreams: Upstreams, authorize: Authorize | None, log: Log | None) -> None:
        self._upstreams = upstreams
        self._authorize = authorize
        self._log = log

    async def serve(self, incoming: Incoming, found: Destination) -> web.StreamResponse:
        """Serve a request to an app."""
        loop = asyncio.get_running_loop()
        route, request, began = found.route, incoming.request, loop.time()
        exchange: Exchange | None = None
        status = 0
        try:
            self._check(found, incoming)
            route.begin()
            try:
                exchange = Exchange(request, incoming.fields, route, self._upstreams)
                return await exchange.run(*_head(incoming, found), began + route.request_seconds)
            finally:
                route.end()
        except Refused as refused:
            status = refused.answer.status
            return write_answer(request, refused.answer, incoming.accept)
        except ConnectionError:
            return written(keep_alive=False)
        except Exception:
            _logger.exception("a request to the app %s failed in the ingress", route.app)
            status = 500
            if exchange is not None and exchange.status:
                reset(request.transport)
                return written(keep_alive=False)
            return write_answer(request, Answer(500, "The ingress failed.", route.app), incoming.accept)
        finally:
            if self._log is not None:
                number, sent = None, 0
                if exchange is not None:
                    number, sent, status = exchange.number, exchange.sent, exchange.status or status
                path = incoming.target[:MAX_SHOWN_CHARACTERS].decode("utf-8", "replace")
                seconds = loop.time() - began
                self._log(RequestLine(route.app, number, request.method, path, status, seconds, sent))

    def _check(self, found: Destination, incoming: Incoming) -> None:
        """Raise Refused for a request that the app doesn't get."""
        route = found.route
        if not found.is_internal:
            check_token(route, incoming, self._authorize)
        if route.raw:
            why = f"speaks another protocol than HTTP/1.1, gRPC say: connect to localhost:{route.port}"
            raise Refused(Answer(421, f"The app {route.app} {why}.", route.app))
        if route.in_flight >= MAX_IN_FLIGHT:
            why = f"The app {route.app} has {MAX_IN_FLIGHT:,} requests already."
            raise Refused(Answer(503, why, route.app, ((b"retry-after", b"%d" % RETRY_SECONDS),)))


async def serve_page(incoming: Incoming, found: Destination, upstreams: Upstreams) -> web.StreamResponse:
    """Serve a request to the plane's own server, which is neither counted nor logged."""
    deadline = asyncio.get_running_loop().time() + found.route.request_seconds
    exchange = Exchange(incoming.request, incoming.fields, found.route, upstreams)
    return await exchange.run(*_head(incoming, found), deadline)


def write_answer(request: web.BaseRequest, answer: Answer, accept: str) -> web.StreamResponse:
    """Write an answer of the ingress itself."""
    keep_alive = request.keep_alive and request.version >= HttpVersion11
    transport = request.transport
    if transport is not None and not transport.is_closing():
        transport.write(encode(answer, accept, body=request.method != "HEAD", close=not keep_alive))
    return written(keep_alive=keep_alive)


def _head(incoming: Incoming, found: Destination) -> tuple[bytes, list[bytes]]:
    """Return the request line for a replica, and the headers."""
    first = b"%b %b HTTP/1.1" % (incoming.request.method.encode(), found.target)
    added = forwarded(incoming.fields, incoming.client(), incoming.authority, found.prefix)
    return first, incoming.fields.lines + added
