"""OpenTelemetry for the command: spans are exported as the OTEL_... variables say, if the extra is installed.

In process, the test suite or the program sets up its own provider; this module is not used then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def set_up_traces() -> Callable[[], None]:
    """Set up the global provider; return a function that exports the last spans and shuts it down."""
    if not any(os.environ.get(name) for name in VARIABLES):
        return lambda: None
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        given = next(name for name in VARIABLES if os.environ.get(name))
        print(f"flyteapps: {given} is set, but no traces are exported: pip install 'flyteapps[otel]'", file=sys.stderr)
        return lambda: None
    name = os.environ.get("OTEL_SERVICE_NAME", "flyteapps")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.shutdown
