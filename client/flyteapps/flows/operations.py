"""What a flow may yield, and what it is sent for it. A driver performs them, one at a time.

Rules of this file: data alone, in plain classes, as a dataclass costs every import of the client half a millisecond. A
flow is a generator; it never does IO, never sleeps, never reads a clock by itself. It must not yield while it is being
closed (no `yield` in a `finally`): the driver owns the open streams and closes them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import Enum
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

from connectrpc.method import MethodInfo
from google.protobuf.message import Message

T = TypeVar("T")
U = TypeVar("U")

Method: TypeAlias = MethodInfo[Any, Any]


class Quiet(Enum):
    """What Next gives where no message came."""

    SILENCE = "nothing came in time"
    END = "the stream ended without an error"


class Unary:
    """One call. Gives the response; raises `flyteapps.errors.Error`. `timeout` in seconds."""

    __slots__ = ("headers", "method", "request", "timeout")

    def __init__(self, method: Method, request: Message, timeout: float | None, headers: dict[str, str]) -> None:
        self.method = method
        self.request = request
        self.timeout = timeout
        self.headers = headers


class Open:
    """Opens a server stream. Gives a stream, to be used in Next and Close; what fails shows in Next at the latest."""

    __slots__ = ("headers", "method", "request")

    def __init__(self, method: Method, request: Message, headers: dict[str, str]) -> None:
        self.method = method
        self.request = request
        self.headers = headers


class Next:
    """The next message of a stream, or a Quiet; `timeout` in seconds, None for ever. Raises Error once it broke."""

    __slots__ = ("stream", "timeout")

    def __init__(self, stream: Any, timeout: float | None) -> None:
        self.stream = stream
        self.timeout = timeout


class Close:
    """Closes a stream. Gives None, and never fails."""

    __slots__ = ("stream",)

    def __init__(self, stream: Any) -> None:
        self.stream = stream


class Sleep:
    """Waits for so many seconds."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Now:
    """Gives the seconds of a clock that only goes forward."""

    __slots__ = ()


class Emit(Generic[T]):
    """Hands one item to whoever iterates. `token`: where a new iteration would go on after it."""

    __slots__ = ("item", "token")

    def __init__(self, item: T, token: str = "") -> None:
        self.item = item
        self.token = token


Operation: TypeAlias = Unary | Open | Next | Close | Sleep | Now
Flow: TypeAlias = Generator[Operation, Any, T]
ItemFlow: TypeAlias = Generator[Operation | Emit[T], Any, None]


def mapped(flow: ItemFlow[T], convert: Callable[[T], U]) -> ItemFlow[U]:
    """The same flow, with each item converted."""
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
