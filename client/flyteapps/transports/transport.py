"""Transport: the protocol between the client and a wire. An implementation is passed as `Client(transport=...)`.

Implementations raise `connectrpc.errors.ConnectError` for errors of the plane and of the wire; the client converts them
into its own errors. Both halves, blocking and awaiting, are one object, so that one client serves both; a transport
with one half raises NotImplementedError in the other. An error may have an attribute `retry_after`: the seconds after
which the plane wants to be called again. A transport may have a property `hint`: why a wait may see no change at the
moment, such as a stopped clock, "" otherwise; a wait logs it. `timeout` is in seconds, None for no limit. `headers`
are sent with the call if the wire has headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from connectrpc.method import MethodInfo
from google.protobuf.message import Message

SLICE_SECONDS = 0.1
"""Maximum length of one blocking wait. A signal in the instant before a wait is noticed after it, so Ctrl-C can be this
late."""

Res = TypeVar("Res", bound=Message)
Res_co = TypeVar("Res_co", covariant=True)


class Stream(Protocol[Res_co]):
    """An open server stream, read by blocking."""

    def receive(self, timeout: float | None = None) -> Res_co:
        """Return the next message.

        Raises TimeoutError if none arrived in time (the stream stays usable), EOFError after the end of the stream,
        ConnectError if it broke.
        """
        ...

    def close(self) -> None:
        """End the stream, also one that another thread reads; return soon, and leave no thread."""
        ...


class AsyncStream(Protocol[Res_co]):
    """An open server stream, read by awaiting."""

    async def receive(self, timeout: float | None = None) -> Res_co:
        """Return the next message, as Stream.receive. Cancelling it loses no message."""
        ...

    async def aclose(self) -> None:
        """End the stream; return soon, and leave no task."""
        ...


@runtime_checkable
class Transport(Protocol):
    """A connection to one plane, by any wire."""

    def unary(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Res:
        """Make one call, blocking; return its response."""
        ...

    def stream(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Stream[Res]:
        """Open a server stream that is read by blocking; may return before the plane has responded."""
        ...

    async def async_unary(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Res:
        """Make one call, awaiting; return its response. Passes asyncio.CancelledError on unchanged."""
        ...

    def async_stream(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncStream[Res]:
        """Open a server stream that is read by awaiting, on the running event loop."""
        ...
