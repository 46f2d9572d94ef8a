"""The effects of a fault that the transport of a call carries out: wait, answer in HTTP, reset the connection.

The last two are refusals, as any other where there is no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flyteapps_control.codes import code_of_status
from flyteapps_fake.core.errors import Code, RpcError


class Postponed(Exception):  # noqa: N818  # no error of the server's
    """A call that goes on later.

    `real_seconds`: of the wall clock, to wait first. `left` then returns how many more there are until the plane's time
    is far enough, None where its clock is moved by hand. `resume` carries the call out, or raises as it does; `abandon`
    records that its client left. `purpose`: what passes meanwhile, for errors. `ends_with_client`: whether the call is
    given up once its client has left. `is_void`: returns whether there is nothing to wait for any more, of which
    `resume` raises the reason. `wake_by` takes a function that is called, from any thread, when the wait may be over;
    None for one that is over by the time alone. `is_woken`: whether that is sure, and nothing but it ends the wait.
    """

    def __init__(
        self,
        real_seconds: float,
        left: Callable[[], float | None],
        resume: Callable[[], Any],
        abandon: Callable[[], None],
        purpose: str = "the call was delayed",
        ends_with_client: bool = False,
        is_void: Callable[[], bool] = lambda: False,
        wake_by: Callable[[Callable[[], None]], None] | None = None,
        is_woken: bool = False,
    ) -> None:
        super().__init__("the call is delayed")
        self.real_seconds = real_seconds
        self.real_until: float | None = None
        """When the wait for them ends, in seconds of `time.monotonic()`; None before it begins."""
        self.left = left
        self.resume = resume
        self.abandon = abandon
        self.purpose = purpose
        self.ends_with_client = ends_with_client
        self.is_void = is_void
        self.wake_by = wake_by
        self.is_woken = is_woken

    def then(self, following: Callable[[Any], Any]) -> Postponed:
        """Return the same wait, after which `following` gets what the call returns."""
        resume = self.resume
        return self.changed(resume=lambda: following(resume()))

    def changed(self, resume: Callable[[], Any], abandon: Callable[[], None] | None = None) -> Postponed:
        """Return the same wait with another end."""
        return Postponed(
            self.real_seconds,
            self.left,
            resume,
            abandon or self.abandon,
            self.purpose,
            self.ends_with_client,
            self.is_void,
            self.wake_by,
            self.is_woken,
        )

    def in_turn(self, resume: Callable[[], Any] | None = None) -> Postponed:
        """Return this wait and those that follow it: `resume`, by default its own, may raise the next one.

        The next one has no wait in real time.
        """
        resumed = resume or self.resume
        following: list[Postponed | Callable[[], Any]] = []

        def left() -> float | None:
            if not following:
                first = self.left()
                if first != 0 and not self.is_void():
                    return first
                try:
                    result = resumed()
                    following.append(lambda: result)
                except Postponed as then:
                    following.append(then.in_turn())
                except RpcError as error:
                    following.append(raising(error))
            then = following[0]
            return then.left() if isinstance(then, Postponed) else 0.0

        def end() -> Any:
            if not following:
                return self.resume()  # which raises why it is void
            then = following[0]
            return then.resume() if isinstance(then, Postponed) else then()

        def present() -> Postponed | None:
            """Return the wait that goes on now."""
            then = following[0] if following else self
            return then if isinstance(then, Postponed) else None

        def abandon() -> None:
            if (now := present()) is not None:
                now.abandon()

        def is_void() -> bool:
            return (now := present()) is not None and now.is_void()

        def wake_by(wake: Callable[[], None]) -> None:
            if (now := present()) is not None and now.wake_by is not None:
                now.wake_by(wake)

        return Postponed(self.real_seconds, left, end, abandon, self.purpose, self.ends_with_client, is_void, wake_by)


def raising(error: Exception) -> Callable[[], Any]:
    """Return a function that raises an error."""

    def raise_it() -> Any:
        raise error

    return raise_it


class HttpAnswer(RpcError):  # noqa: N818  # as above
    """An answer of HTTP instead of the RPC's. Where there is no HTTP, it is the refusal that clients make of it."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes, message: str = "") -> None:
        text = message or f"HTTP {status} instead of an answer, by a fault"
        super().__init__(Code[code_of_status(status)], text)
        self.status = status
        self.headers = headers
        self.body = body


class ConnectionReset(RpcError):  # noqa: N818  # as above
    """The connection, or the HTTP/2 stream, is reset. Where there is none, it is the refusal UNAVAILABLE."""

    def __init__(self) -> None:
        super().__init__(Code.UNAVAILABLE, "the connection was reset, by a fault")


OF_HTTP = (HttpAnswer, ConnectionReset)
"""The refusals that a server answers in HTTP, and not in the protocol of the RPC."""
