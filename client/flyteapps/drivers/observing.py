"""ObservedTransport: a transport whose calls are reported to hooks, and to OpenTelemetry.

Rules of this file: a client without either never loads it. What hooks raise goes to the caller.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from connectrpc.errors import ConnectError
from connectrpc.method import MethodInfo

from flyteapps.errors import Code
from flyteapps.support.clock import monotonic
from flyteapps.support.request_ids import REQUEST_ID
from flyteapps.transports.errors import app_of, code_of
from flyteapps.transports.transport import AsyncStream, Stream, Transport

Method = MethodInfo[Any, Any]
Headers = Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a call, for the hooks `on_request` and `on_response` of a client.

    `rpc`: such as "Get". `service`: with its package. `app`: "PROJECT/DOMAIN/NAME", "" for several. `request_id`: of
    all attempts of a call. `streaming`: whether it opens a stream; its response is its end. `seconds`, `code`: of the
    response; the code is OK where there is no error.
    """

    rpc: str
    service: str
    app: str
    request_id: str
    endpoint: str
    streaming: bool = False
    seconds: float = 0.0
    code: Code | None = None


Hook = Callable[[Attempt], object]


def observed(transport: Transport, endpoint: str, on_request: Hook | None, on_response: Hook | None) -> Transport:
    """Return the transport, observed if there is a hook, or a tracer provider of OpenTelemetry that records."""
    tracer = None
    if "opentelemetry.trace" in sys.modules:
        from opentelemetry import trace

        # the API alone, which many libraries import, has a provider that records nothing
        if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider):
            tracer = trace.get_tracer("flyteapps")
    if on_request is None and on_response is None and tracer is None:
        return transport
    return ObservedTransport(transport, endpoint, on_request, on_response, tracer)


class _Observation:
    """One attempt that is observed: from its request to its response."""

    def __init__(self, owner: ObservedTransport, method: Method, request: Any, headers: Headers, streams: bool) -> None:
        self.headers = dict(headers or {})
        self._owner = owner
        self._attempt = Attempt(
            method.name,
            method.service_name,
            app_of(request),
            self.headers.get(REQUEST_ID, ""),
            owner.endpoint,
            streams,
        )
        self._started = monotonic()
        self._ended = False
        self._span = owner.span(self._attempt, self.headers)
        if owner.on_request is not None:
            owner.on_request(self._attempt)

    def end(self, error: BaseException | None = None) -> None:
        """Report the response, once."""
        if self._ended:
            return
        self._ended = True
        code = Code.OK if error is None else code_of(error) if isinstance(error, ConnectError) else Code.CANCELLED
        attempt = replace(self._attempt, seconds=monotonic() - self._started, code=code)
        if self._span is not None:
            self._owner.end_span(self._span, attempt)
        if self._owner.on_response is not None:
            self._owner.on_response(attempt)


class ObservedTransport:
    """The transport of a client with hooks, or beside OpenTelemetry."""

    def __init__(
        self, transport: Transport, endpoint: str, on_request: Hook | None, on_response: Hook | None, tracer: Any
    ) -> None:
        self._transport = transport
        self._tracer = tracer
        self.endpoint = endpoint
        self.on_request = on_request
        self.on_response = on_response

    def span(self, attempt: Attempt, headers: dict[str, str]) -> Any:
        """Begin a span, and add its context to the headers; None without OpenTelemetry."""
        if self._tracer is None:
            return None
        from opentelemetry import propagate, trace

        span = self._tracer.start_span(
            f"{attempt.service}/{attempt.rpc}",
            kind=trace.SpanKind.CLIENT,
            attributes={
                "rpc.service": attempt.service,
                "rpc.method": attempt.rpc,
                "server.address": attempt.endpoint,
                "flyteapps.app": attempt.app,
                "flyteapps.request_id": attempt.request_id,
            },
        )
        propagate.inject(headers, trace.set_span_in_context(span))
        return span

    def end_span(self, span: Any, attempt: Attempt) -> None:
        """End a span with the code of the response."""
        from opentelemetry import trace

        assert attempt.code is not None
        span.set_attribute("rpc.grpc.status_code", int(attempt.code))
        if attempt.code is not Code.OK:
            span.set_status(trace.Status(trace.StatusCode.ERROR, attempt.code.name))
        span.end()

    def unary(self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None) -> Any:
        """See Transport.unary."""
        observation = _Observation(self, method, request, headers, False)
        try:
            response = self._transport.unary(method, request, timeout, observation.headers)
        except BaseException as error:
            observation.end(error)
            raise
        observation.end()
        return response

    async def async_unary(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> Any:
        """See Transport.async_unary."""
        observation = _Observation(self, method, request, headers, False)
        try:
            response = await self._transport.async_unary(method, request, timeout, observation.headers)
        except BaseException as error:
            observation.end(error)
            raise
        observation.end()
        return response

    def stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> Stream[Any]:
        """See Transport.stream."""
        observation = _Observation(self, method, request, headers, True)
        try:
            return _ObservedStream(self._transport.stream(method, request, timeout, observation.headers), observation)
        except BaseException as error:
            observation.end(error)
            raise

    def async_stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> AsyncStream[Any]:
        """See Transport.async_stream."""
        observation = _Observation(self, method, request, headers, True)
        try:
            stream = self._transport.async_stream(method, request, timeout, observation.headers)
        except BaseException as error:
            observation.end(error)
            raise
        return _ObservedAsyncStream(stream, observation)


class _ObservedStream:
    """An open stream whose end is reported."""

    def __init__(self, stream: Stream[Any], observation: _Observation) -> None:
        self._stream = stream
        self._observation = observation

    def receive(self, timeout: float | None = None) -> Any:
        """See Stream.receive."""
        try:
            return self._stream.receive(timeout)
        except (EOFError, ConnectError) as error:
            self._observation.end(error if isinstance(error, ConnectError) else None)
            raise

    def close(self) -> None:
        """See Stream.close."""
        self._stream.close()
        self._observation.end()


class _ObservedAsyncStream:
    """The same for awaiting."""

    def __init__(self, stream: AsyncStream[Any], observation: _Observation) -> None:
        self._stream = stream
        self._observation = observation

    async def receive(self, timeout: float | None = None) -> Any:
        """See AsyncStream.receive."""
        try:
            return await self._stream.receive(timeout)
        except (EOFError, ConnectError) as error:
            self._observation.end(error if isinstance(error, ConnectError) else None)
            raise

    async def aclose(self) -> None:
        """See AsyncStream.aclose."""
        await self._stream.aclose()
        self._observation.end()
