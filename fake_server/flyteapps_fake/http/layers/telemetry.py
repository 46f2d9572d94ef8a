"""The outermost layer: each call is counted, logged and traced once it is over."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping

from flyteapps_fake.core.errors import Code
from flyteapps_fake.http.builtin.uploads import UPLOAD, UPLOADS
from flyteapps_fake.http.endpoints import Duplex, Stream
from flyteapps_fake.http.exchange import Exchange, Handler
from flyteapps_fake.http.options import AccessLine
from flyteapps_fake.http.telemetry.metrics import Metrics
from flyteapps_fake.http.telemetry.tracing import tracing

REQUEST_ID = b"x-request-id"
REQUEST_ID_FORM = re.compile(rb"[\x21-\x7e]{1,128}\Z")
CLOSED = "closed"
"""The word of access lines for a stream that its client closed, which is its usual end, instead of a code."""
STREAMS = (Stream, Duplex)
MAX_NAME_CHARACTERS = 100
"""Bound of an app's name, and of a path, in an access line."""


class Telemetry:
    """The layer that records calls. `paths`: those with labels of their own in the metrics.

    An upload has an access line, but metrics and traces don't count it.
    """

    def __init__(
        self,
        following: Handler,
        paths: Collection[str],
        metrics: Metrics,
        log: Callable[[AccessLine], None] | None,
    ) -> None:
        self._next = following
        self._paths = paths
        self._metrics = metrics
        self._log = log
        self._tracing = tracing()

    async def __call__(self, exchange: Exchange) -> None:
        """Pass the exchange on, and record its code where it has one."""
        exchange.started = time.perf_counter()
        try:
            await self._next(exchange)
        finally:
            if exchange.code:
                self._record(exchange)

    def _record(self, exchange: Exchange) -> None:
        code, headers = exchange.code, exchange.headers
        path: str = exchange.scope["path"]
        seconds = time.perf_counter() - exchange.started
        if exchange.endpoint is None and path.startswith(UPLOADS):
            if self._log is not None:
                self._log(AccessLine(UPLOAD.method.lower(), "", code, seconds * 1000, _request_id(headers)))
            return
        stream = isinstance(exchange.endpoint, STREAMS)
        self._metrics.count(path if path in self._paths else "/other", code, None if stream else seconds)
        if self._log is None and self._tracing is None:
            return
        app, path = exchange.app_name()[:MAX_NAME_CHARACTERS], path[-MAX_NAME_CHARACTERS:]
        if self._log is not None:
            shown = CLOSED if stream and code == Code.CANCELED.name else code
            method, request_id = path.rpartition(".")[2], _request_id(headers)
            self._log(AccessLine(method, app, shown, seconds * 1000, request_id, message=exchange.message))
        if self._tracing is not None:
            protocol = "grpc" if headers.get(b"content-type", b"").startswith(b"application/grpc") else "connect_rpc"
            self._tracing.record(headers, (path, protocol, app, code, seconds))


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """Return the request's id, "" where it has none or an invalid one."""
    given = headers.get(REQUEST_ID, b"")
    return given.decode() if REQUEST_ID_FORM.match(given) else ""
