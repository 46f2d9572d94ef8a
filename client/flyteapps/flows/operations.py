"""The operations that a flow yields, performed by a driver, one at a time.

Rules of this file: data alone, in plain classes, as a dataclass costs every import of the client half a millisecond. A
flow is a generator; it never does IO, never sleeps, never reads a clock by itself. It must not yield while it is being
closed (no `yield` in a `finally`): the driver owns the open streams and closes them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from enum import Enum
from functools import partial
from math import inf
from typing import Any, Generic, TypeAlias, TypeVar

from connectrpc.method import MethodInfo
from google.protobuf.message import Message

T = TypeVar("T")
U = TypeVar("U")

Method: TypeAlias = MethodInfo[Any, Any]


class Quiet(Enum):
    """The results of Next without a message."""

    SILENCE = "no message arrived in time"
    END = "the stream ended without an error"


class CredentialsExpired(Exception):  # noqa: N818  # never an error of a caller
    """A call was not made, as its credentials are to be renewed first."""


class Unary:
    """One call. Results in the response; raises `flyteapps.errors.Error`. `timeout` in seconds.

    `valid_until`: the time from which it isn't made, and raises CredentialsExpired.
    """

    __slots__ = ("headers", "method", "request", "timeout", "valid_until")

    def __init__(self, method: Method, request: Message, timeout: float | None, headers: dict[str, str]) -> None:
        self.method = method
        self.request = request
        self.timeout = timeout
        self.headers = headers
        self.valid_until = inf


class Open:
    """The opening of a server stream. Results in a stream for Next and Close; Next raises errors at the latest."""

    __slots__ = ("headers", "method", "request")

    def __init__(self, method: Method, request: Message, headers: dict[str, str]) -> None:
        self.method = method
        self.request = request
        self.headers = headers


class Next:
    """The receipt of a message, or a Quiet; `timeout` in seconds, None for no limit. Raises Error if it broke."""

    __slots__ = ("stream", "timeout")

    def __init__(self, stream: Any, timeout: float | None) -> None:
        self.stream = stream
        self.timeout = timeout


class Close:
    """The closing of a stream. Results in None, and never fails."""

    __slots__ = ("stream",)

    def __init__(self, stream: Any) -> None:
        self.stream = stream


class Sleep:
    """A pause of so many seconds."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Now:
    """The time: results in the seconds of a monotonic clock."""

    __slots__ = ()


class Perform:
    """An action of two forms, such as an HTTP request or a command; the driver runs the one of its kind.

    Results in the action's result; raises its errors as they are, with emptied frames: they may hold secrets.
    """

    __slots__ = ("awaiting", "blocking")

    def __init__(self, blocking: Callable[[], Any], awaiting: Callable[[], Awaitable[Any]]) -> None:
        self.blocking = blocking
        self.awaiting = awaiting


class Emit(Generic[T]):
    """One item of an iteration. `token`: with which a new iteration continues after it."""

    __slots__ = ("item", "token")

    def __init__(self, item: T, token: str = "") -> None:
        self.item = item
        self.token = token


Operation: TypeAlias = Unary | Open | Next | Close | Sleep | Now | Perform
Flow: TypeAlias = Generator[Operation, Any, T]
ItemFlow: TypeAlias = Generator[Operation | Emit[T], Any, None]


def mapped(flow: ItemFlow[T], convert: Callable[[T], U]) -> ItemFlow[U]:
    """Run the flow, with each item converted."""
    step: Callable[[], Operation | Emit[T]] = partial(next, flow)
    while True:
        try:
            operation = step()
        except StopIteration:
            return
        passed = Emit(convert(operation.item), operation.token) if isinstance(operation, Emit) else operation
        try:
            answer = yield passed
        except Exception as error:
            step = partial(flow.throw, error)
        else:
            step = partial(flow.send, answer)
