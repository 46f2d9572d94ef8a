"""OpenTelemetry's spans, one a call, where a provider was set up before the server was made.

A span is written when its call is over: the plane has no steps that another process could observe.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

NAME = "flyteapps_fake"
Record = tuple[str, str, str, str, float]
"""Path, protocol, app, code, seconds."""


class Tracing:
    """A writer of spans, children of the span that the client's headers name."""

    def __init__(self, tracer: Tracer) -> None:
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, StatusCode

        self._tracer = tracer
        self._extract = extract
        self._kind = SpanKind.SERVER
        self._error = StatusCode.ERROR

    def record(self, headers: Mapping[bytes, bytes], record: Record) -> None:
        """Write the span of a call that has just ended."""
        path, protocol, app, code, seconds = record
        service, _, method = path.strip("/").rpartition("/")
        attributes: dict[str, Any] = {"rpc.system": protocol, "rpc.service": service, "rpc.method": method}
        attributes["flyteapps.code"] = code
        if app:
            attributes["flyteapps.app"] = app
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        end = time.time_ns()
        span = self._tracer.start_span(
            path.strip("/"),
            context=self._extract(carrier),
            kind=self._kind,
            attributes=attributes,
            start_time=end - int(seconds * 1e9),
        )
        if code != "OK":
            span.set_status(self._error, code)
        span.end(end)


def tracing() -> Tracing | None:
    """Return the writer of spans; None where no provider of the SDK is set up, as is certain before its import."""
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    provider = trace.get_tracer_provider()
    return Tracing(provider.get_tracer(NAME)) if isinstance(provider, TracerProvider) else None
