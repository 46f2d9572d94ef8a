"""The plane without a wire: flyteidl2's generated clients whose calls enter the plane in this process.

Responses are parsed from the plane's bytes, so every caller owns its messages.
A client that waits for an event here moves an `auto` clock meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Generic, Self, TypeVar

from connectrpc.code import Code as ConnectCode
from connectrpc.errors import ConnectError
from connectrpc.method import MethodInfo
from flyteidl2.app.app_logs_service_connect import AppLogsServiceClient, AppLogsServiceClientSync
from flyteidl2.app.app_service_connect import AppServiceClient, AppServiceClientSync
from google.protobuf.message import Message

from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.waiting import pauses, sleep
from flyteapps_fake.core.call import NO_METADATA, Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import BY_METHOD
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.http.delays import nap

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)


def connect_error(error: RpcError) -> ConnectError:
    """Return the plane's error as connectrpc's."""
    return ConnectError(ConnectCode(error.code.name.lower()), error.message, error.details)


def _call(
    method: MethodInfo[Any, Any], request: Req, timeout: float | None, headers: Mapping[str, str] | None
) -> Call[Req]:
    """Return the call of a request, which stays the caller's."""
    operation = BY_METHOD.get(method.name)
    if operation is None or operation.service != method.service_name:
        raise RpcError(Code.UNIMPLEMENTED, f"{method.service_name}/{method.name} is not offered in process")
    copy = type(request)()
    copy.CopyFrom(request)
    deadline = time.monotonic() + timeout if timeout else None
    metadata = headers or NO_METADATA
    if metadata and not "".join(metadata).islower():
        metadata = {name.lower(): value for name, value in metadata.items()}
    return Call(operation, copy, metadata, deadline)


class DirectTransport:
    """Calls of one plane in this process, sync and async."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    @property
    def hint(self) -> str:
        """A hint for a wait that times out: that the plane's clock is manual, and where it stands; else ""."""
        return self._plane.standstill

    def unary(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Res:
        """Make a unary call, which is over at once unless a fault delays it. Raises ConnectError.

        `timeout`: in seconds, for one that is delayed.
        """
        try:
            return method.output.FromString(self._plane.call(_call(method, request, timeout, headers)))
        except Postponed as postponed:
            delayed = postponed
        except RpcError as error:
            raise connect_error(error) from error
        try:
            for seconds in pauses(delayed, _deadline(timeout)):
                sleep(delayed, seconds)
            return method.output.FromString(delayed.resume())
        except RpcError as error:
            raise connect_error(error) from error

    async def async_unary(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Res:
        """Make a unary call after other tasks had a turn: a loop of calls must not starve them. Raises ConnectError."""
        await asyncio.sleep(0)
        try:
            return method.output.FromString(self._plane.call(_call(method, request, timeout, headers)))
        except Postponed as postponed:
            delayed = postponed
        except RpcError as error:
            raise connect_error(error) from error
        try:
            for seconds in pauses(delayed, _deadline(timeout)):
                await nap(delayed, seconds, _deadline(timeout))
            return method.output.FromString(delayed.resume())
        except RpcError as error:
            raise connect_error(error) from error

    def stream(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DirectStream[Res]:
        """Open a server stream that is read by blocking; `timeout` in real seconds. Raises ConnectError."""
        return DirectStream(self._plane, method, request, timeout, headers)

    def async_stream(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncDirectStream[Res]:
        """Open a server stream that is read by awaiting; `timeout` in real seconds. Raises ConnectError."""
        return AsyncDirectStream(self._plane, method, request, timeout, headers)


class _NeverOpened:
    """A stream that a fault ended before it was opened."""

    closed = True
    wake: Callable[[], None] | None = None
    abandoned = False

    def close(self) -> None: ...


class _OpenStream(Generic[Res]):
    """The common part of both kinds of streams: the subscription, its deadline and its end."""

    def __init__(
        self,
        plane: Plane,
        method: MethodInfo[Any, Res],
        request: Message,
        timeout: float | None,
        headers: Mapping[str, str] | None,
    ) -> None:
        self._plane = plane
        self._output: type[Res] = method.output
        self._postponed: Postponed | None = None
        self._subscription: Any = None
        try:
            call = _call(method, request, timeout, headers)
            self._deadline = call.deadline
            self._subscription = plane.open(call)
        except Postponed as postponed:
            self._postponed = postponed
        except RpcError as error:
            raise connect_error(error) from error

    def close(self) -> None:
        """Close the stream."""
        if self._postponed is not None:
            self._postponed.abandon()
            self._postponed, self._subscription = None, _NeverOpened()
        self._subscription.close()

    def __del__(self) -> None:
        subscription = getattr(self, "_subscription", None)
        if subscription is not None:
            subscription.close()

    def _pauses(self, until: float | None) -> Iterator[float]:
        """Yield the real seconds to sleep until a stream that a fault opens late is there. Raises ConnectError.

        Raises TimeoutError once the monotonic clock shows `until`.
        """
        postponed = self._postponed
        if postponed is not None:
            try:
                yield from pauses(postponed, self._deadline, until)
                self._subscription = postponed.resume()
                self._postponed = None
            except RpcError as error:
                self._postponed, self._subscription = None, _NeverOpened()
                raise connect_error(error) from error

    def _next(self) -> Res | None:
        try:
            encoded = self._subscription.take()
        except EOFError:
            self.close()
            raise
        except RpcError as error:
            self.close()
            raise connect_error(error) from error
        if encoded is not None:
            return self._output.FromString(encoded)
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self.close()
            raise ConnectError(ConnectCode.DEADLINE_EXCEEDED, "the deadline passed while waiting for an event")
        return None

    def _pause(self, until: float | None) -> float | None:
        """Record that a client waits, and return how many seconds it may sleep, None for until woken.

        Raises TimeoutError once the monotonic clock shows `until`.
        """
        if until is not None and time.monotonic() >= until:
            raise TimeoutError("no event came in time")
        self._subscription.sent()
        self._plane.run_due()
        waits = [wait for wait in (self._plane.next_due(), _left(self._deadline), _left(until)) if wait is not None]
        return min(waits) if waits else None


class DirectStream(_OpenStream[Res]):
    """An open stream, read by blocking."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Res:
        try:
            return self.receive()
        except EOFError:
            raise StopIteration from None

    def receive(self, timeout: float | None = None) -> Res:
        """Return the next message. Raises TimeoutError if none came in `timeout` real seconds, EOFError at the end."""
        until = time.monotonic() + timeout if timeout is not None else None
        for seconds in self._pauses(until):
            time.sleep(seconds)
        woken = threading.Event()
        self._subscription.wake = woken.set
        while not self._subscription.closed:
            woken.clear()
            message = self._next()
            if message is not None:
                return message
            pause = self._pause(until)
            if self._subscription.idle():
                woken.wait(pause)
        raise EOFError("the stream was closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncDirectStream(_OpenStream[Res]):
    """An open stream, read by awaiting."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Res:
        try:
            return await self.receive()
        except EOFError:
            raise StopAsyncIteration from None

    async def receive(self, timeout: float | None = None) -> Res:
        """Return the next message. Raises TimeoutError if none came in `timeout` real seconds, EOFError at the end."""
        until = time.monotonic() + timeout if timeout is not None else None
        for seconds in self._pauses(until):
            await asyncio.sleep(seconds)
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        self._subscription.wake = wake
        self._subscription.abandoned = False
        while not self._subscription.closed:
            woken.clear()
            message = self._next()
            if message is not None:
                return message
            pause = self._pause(until)
            if self._subscription.idle():
                try:
                    # not wait_for, which loses a cancellation that comes together with an event, before Python 3.12
                    async with asyncio.timeout(pause):
                        await woken.wait()
                except TimeoutError:
                    pass
                except asyncio.CancelledError:
                    self._subscription.abandoned = True
                    raise
        raise EOFError("the stream was closed")

    async def aclose(self) -> None:
        """Close the stream."""
        self.close()


def _left(until: float | None) -> float | None:
    return max(0.0, until - time.monotonic()) if until is not None else None


def _deadline(timeout: float | None) -> float | None:
    return time.monotonic() + timeout if timeout else None


def _seconds(timeout_ms: int | None) -> float | None:
    return timeout_ms / 1_000 if timeout_ms else None


class _SyncCalls:
    """The calls of a generated sync client, over the plane in this process."""

    _transport: DirectTransport

    def execute_unary(
        self,
        *,
        request: Any,
        method: MethodInfo[Any, Any],
        headers: Mapping[str, str] | Any = None,
        timeout_ms: int | None = None,
        use_get: bool = False,
    ) -> Any:
        return self._transport.unary(method, request, timeout_ms / 1_000 if timeout_ms else None, headers)

    def execute_server_stream(
        self,
        *,
        request: Any,
        method: MethodInfo[Any, Any],
        headers: Mapping[str, str] | Any = None,
        timeout_ms: int | None = None,
    ) -> Iterator[Any]:
        return self._transport.stream(method, request, _seconds(timeout_ms), headers)


class _AsyncCalls:
    """The calls of a generated async client, over the plane in this process."""

    _transport: DirectTransport

    async def execute_unary(
        self,
        *,
        request: Any,
        method: MethodInfo[Any, Any],
        headers: Mapping[str, str] | Any = None,
        timeout_ms: int | None = None,
        use_get: bool = False,
    ) -> Any:
        return await self._transport.async_unary(method, request, _seconds(timeout_ms), headers)

    def execute_server_stream(
        self,
        *,
        request: Any,
        method: MethodInfo[Any, Any],
        headers: Mapping[str, str] | Any = None,
        timeout_ms: int | None = None,
    ) -> AsyncIterator[Any]:
        return self._transport.async_stream(method, request, _seconds(timeout_ms), headers)


class _SyncStub(_SyncCalls, AppServiceClientSync):
    pass


class _SyncLogsStub(_SyncCalls, AppLogsServiceClientSync):
    pass


class _AsyncStub(_AsyncCalls, AppServiceClient):
    pass


class _AsyncLogsStub(_AsyncCalls, AppLogsServiceClient):
    pass


_NO_WIRE: Any = object()
"""Instead of an HTTP client of pyqwest, whose runtime wouldn't survive a fork, and which none of these calls uses."""
_Stub = TypeVar("_Stub", _SyncStub, _SyncLogsStub, _AsyncStub, _AsyncLogsStub)


def _made(kind: Callable[..., _Stub], plane: Plane) -> _Stub:
    stub = kind("http://in-process", http_client=_NO_WIRE)
    stub._transport = DirectTransport(plane)  # pyright: ignore[reportPrivateUsage]  # of this file
    return stub


def sync_stub(plane: Plane) -> AppServiceClientSync:
    """Return the generated sync client over the plane."""
    return _made(_SyncStub, plane)


def async_stub(plane: Plane) -> AppServiceClient:
    """Return the generated async client over the plane."""
    return _made(_AsyncStub, plane)


def sync_logs_stub(plane: Plane) -> AppLogsServiceClientSync:
    """Return the generated sync client of AppLogsService over the plane."""
    return _made(_SyncLogsStub, plane)


def async_logs_stub(plane: Plane) -> AppLogsServiceClient:
    """Return the generated async client of AppLogsService over the plane."""
    return _made(_AsyncLogsStub, plane)
