"""MockServer: a server that answers as a function of the test says; there is no plane."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine, Generator, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint

from flyteapps.testing.answers import items_of, response_of
from flyteapps.testing.calls import SILENCE, Call
from flyteapps.testing.http_server import CUT, HttpServer
from flyteapps.testing.services import Rpc, rpcs
from flyteapps.transports.transport import AsyncStream

Context = RequestContext[Any, Any]
T = TypeVar("T")


_GONE = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
"""The errors of a write to a client that has gone; which one depends on the moment."""


class MockServer:
    """A server whose calls a handler answers: `with MockServer(handler) as server: Client(server.url)`.

    It speaks Connect over HTTP/1.1 on the loopback, to clients of any language and in any process. `handler(call)`
    answers as that of `MockTransport`, and may be async; its calls are awaiting, so that it can pass them on by
    `call.send(transport)`. ConnectionResetError, returned, raised or among the messages of a stream, resets the
    connection, as does the error with which a transport reports it. Any other error is UNKNOWN to the client, and
    raised when the server is closed.

    With `with` the handler runs on a thread of the server, with `async with` on the running loop. `url` is the
    server's address, `calls` are those that came, in order. It ends when it is left, or dropped by all, its handler
    included; a forked process has no part in it.
    """

    def __init__(self, handler: Callable[[Call], Any]) -> None:
        # the thread must not keep this object: it may be dropped without being left
        self._service = _Service(handler)
        self._server = HttpServer(self._service.serve)
        self._thread: _LoopThread | None = None
        self._process = os.getpid()
        self.calls: list[Call] = self._service.calls
        self.url = ""

    def __enter__(self) -> Self:
        thread = self._thread = _LoopThread()
        self._dropped = weakref.finalize(self, _abandon, self._process, thread, self._server)
        self._dropped.atexit = False
        self.url = thread.run(self._server.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process != os.getpid():  # its thread is the parent's
            return
        assert self._thread is not None
        self._dropped.detach()
        self._thread.run(self._server.close())
        self._thread.end()
        self._raise_failure(error)

    async def __aenter__(self) -> Self:
        self.url = await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.close()
        self._raise_failure(error)

    def _raise_failure(self, error: BaseException | None) -> None:
        if error is None and self._service.failures:
            raise self._service.failures[0]


def _abandon(process: int, thread: _LoopThread, server: HttpServer) -> None:
    """End a server that was dropped without being left; return before it has ended."""
    if process == os.getpid():
        thread.abandon(server.close)


class _Service:
    """The handler's answers to requests: its calls, and its failures."""

    def __init__(self, handler: Callable[[Call], Any]) -> None:
        self._handler = handler
        self._application = _Application({f"/{name}": self._endpoint(rpc) for name, rpc in rpcs().items()})
        self.failures: list[Exception] = []
        self.calls: list[Call] = []

    async def serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer a request of ASGI."""
        _cut.set(scope[CUT])
        try:
            await self._application(cast("Any", scope), receive, send)
        except (*_GONE, ConnectError):  # a connection that was reset, a client that has gone
            pass
        except Exception as failure:
            self.failures.append(failure)

    def _endpoint(self, rpc: Rpc) -> Endpoint[Any, Any]:
        def call(request: Any, context: Context) -> Call:
            timeout = context.timeout_ms()
            headers = dict(context.request_headers().items())
            made = Call(rpc.method, request, timeout and timeout / 1_000, headers, rpc.streaming, awaiting=True)
            self.calls.append(made)
            return made

        async def unary(request: Any, context: Context) -> Any:
            made = call(request, context)
            with _cutting():
                return response_of(made, await self._answer(made))

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            made = call(request, context)
            with _cutting():
                async with contextlib.aclosing(_messages(made, await self._answer(made))) as messages:
                    async for message in messages:
                        yield message

        if rpc.streaming:
            return Endpoint.server_stream(method=rpc.method, function=stream)
        return Endpoint.unary(method=rpc.method, function=unary)

    async def _answer(self, call: Call) -> Any:
        found = self._handler(call)
        return await found if inspect.isawaitable(found) else found


class _Application(ConnectASGIApplication[None]):
    """The protocol of Connect, for these endpoints."""

    def __init__(self, endpoints: Mapping[str, Any]) -> None:
        super().__init__(service=None, endpoints=lambda _: endpoints)  # pyright: ignore[reportUnknownMemberType]

    @property
    def path(self) -> str:
        """The prefix of all paths."""
        return "/"


class _LoopThread:
    """A thread that runs a loop, which it closes."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(self._loop,), name="flyteapps mock server", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def end(self) -> None:
        """End loop and thread."""
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def abandon(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """End them, after what `close` does on the loop, and don't wait."""

        async def end() -> None:
            await close()
            await self._loop.shutdown_asyncgens()
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self._loop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


_cut: ContextVar[Callable[[], None]] = ContextVar("_cut")
"""The function that resets the connection of the request."""


@contextlib.contextmanager
def _cutting() -> Generator[None]:
    """Reset the connection on ConnectionResetError, and on the error of a transport that was caused by one."""
    try:
        yield
    except (ConnectionResetError, ConnectError) as error:
        if isinstance(error, ConnectionResetError) or isinstance(error.__cause__, ConnectionResetError):
            _cut.get()()
        raise


async def _messages(call: Call, found: Any) -> AsyncGenerator[Any]:
    """Yield the messages of a stream up to its end, or raise its error."""
    async with contextlib.aclosing(_items(call, found)) as items:
        async for item in items:
            if item is SILENCE:
                await asyncio.get_running_loop().create_future()
            if isinstance(item, EOFError):
                return
            if isinstance(item, BaseException):
                raise item
            yield item


async def _items(call: Call, found: Any) -> AsyncGenerator[Any]:
    """Yield the items of an iterable, an async iterable or a stream of another transport."""
    if isinstance(found, AsyncIterable):
        items = cast("AsyncIterable[Any]", found)
        try:
            async for item in items:
                yield item
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()
    elif hasattr(found, "receive"):
        stream = cast("AsyncStream[Any]", found)
        try:
            while True:
                yield await stream.receive()
        except EOFError:
            return
        finally:
            await stream.aclose()
    else:
        for item in items_of(call, found):
            yield item
