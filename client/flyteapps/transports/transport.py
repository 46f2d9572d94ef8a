"""The seam between the client and a wire. Whoever implements Transport can be handed in: `Client(transport=...)`.

Implementations raise `connectrpc.errors.ConnectError` for whatever the plane or the wire answers; the client turns that
into its own errors. Both halves, blocking and awaiting, are one object, so that one client serves both; who offers one
half only raises NotImplementedError in the other. An error may have an attribute `retry_after`: in how many seconds the
plane wants to be called again. A transport may have a property `hint`: why waiting may bring nothing at the moment,
such as a clock that stands still, "" otherwise; a wait repeats it. `timeout` is in seconds, None for none. `headers`
go along with the call where the wire has such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from connectrpc.method import MethodInfo
from google.protobuf.message import Message

SLICE = 0.1
"""Seconds that whoever blocks waits in one go. A signal that comes in the instant before a thread begins to wait is
noticed once it has waited: this is how late Ctrl-C can be."""

Res = TypeVar("Res", bound=Message)
Res_co = TypeVar("Res_co", covariant=True)


class Stream(Protocol[Res_co]):
    """An open server stream, read by blocking."""

    def receive(self, timeout: float | None = None) -> Res_co:
        """The next message. Raises TimeoutError where none came in time (the stream stays usable), EOFError once the
        stream has ended without an error, ConnectError once it broke."""
        ...

    def close(self) -> None:
        """Ends the stream, also one that another thread reads; returns soon, and leaves no thread."""
        ...


class AsyncStream(Protocol[Res_co]):
    """An open server stream, read by awaiting."""

    async def receive(self, timeout: float | None = None) -> Res_co:
        """As Stream.receive. Cancelling it loses no message."""
        ...

    async def aclose(self) -> None:
        """Ends the stream; returns soon, and leaves no task."""
        ...


@runtime_checkable
class Transport(Protocol):
    """One plane, reached somehow."""

    def unary(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Res:
        """One call, blocking."""
        ...

    def stream(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Stream[Res]:
        """Opens a server stream that is read by blocking; may return before the plane has answered."""
        ...

    async def async_unary(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Res:
        """One call, awaiting. Lets asyncio.CancelledError through as it is."""
        ...

    def async_stream(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncStream[Res]:
        """Opens a server stream that is read by awaiting, on the running event loop."""
        ...
