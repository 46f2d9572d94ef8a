"""MockTransport: a transport that answers as a function of the test says; there is no plane."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any, cast

from connectrpc.method import MethodInfo

from flyteapps.testing.answers import items_of, response_of
from flyteapps.testing.calls import Call
from flyteapps.testing.mock_streams import AsyncMockStream, MockStream, task_stream
from flyteapps.transports.transport import AsyncStream, Stream

Method = MethodInfo[Any, Any]
Headers = Mapping[str, str] | None


class MockTransport:
    """A transport whose calls a handler answers: `Client(transport=MockTransport(handler))`.

    `handler(call)` returns, or raises, for a unary call its response message or an exception, such as
    `connectrpc.errors.ConnectError` as transports raise it; for a stream an iterable or async iterable of messages. An
    exception among these is raised, EOFError or the end of the iterable ends the stream, and after `SILENCE` it stays
    open without a message. A stream of another transport, as `call.send` returns it, is passed on. A handler may be
    async where calls are awaited.

    `calls` are those of the client, in order. Calls raise TypeError where the handler returns anything else.
    """

    def __init__(self, handler: Callable[[Call], Any]) -> None:
        self._handler = handler
        self.calls: list[Call] = []

    def unary(self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None) -> Any:
        """See Transport.unary."""
        call = Call(method, request, timeout, headers or {})
        return response_of(call, self._answer(call))

    async def async_unary(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> Any:
        """See Transport.async_unary."""
        await asyncio.sleep(0)  # so that a loop of calls leaves a turn to other tasks
        call = Call(method, request, timeout, headers or {}, awaiting=True)
        found = self._answer(call)
        return response_of(call, await found if inspect.isawaitable(found) else found)

    def stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> Stream[Any]:
        """See Transport.stream."""
        call = Call(method, request, timeout, headers or {}, streaming=True)
        found = self._answer(call)
        return found if hasattr(found, "receive") else MockStream(items_of(call, found))

    def async_stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> AsyncStream[Any]:
        """See Transport.async_stream."""
        call = Call(method, request, timeout, headers or {}, streaming=True, awaiting=True)
        found = self._answer(call)
        if hasattr(found, "receive"):
            return found
        if isinstance(found, AsyncIterable):
            return task_stream(cast("AsyncIterable[Any]", found))
        return AsyncMockStream(MockStream(items_of(call, found)))

    def _answer(self, call: Call) -> Any:
        self.calls.append(call)
        return self._handler(call)
