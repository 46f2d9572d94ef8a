"""The adapter by which a client is judged: some forty lines.

Methods are async. A client that blocks is called by `blocking`, which runs each call in a thread of its own. What a
client can't do its adapter says by raising `NotOffered` with the reason. Errors are the client's own: they pass
through, and `kind` sorts them, where the client lets its callers tell them apart.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

from flyteidl2.app import app_definition_pb2 as model

P = ParamSpec("P")
T = TypeVar("T")
WaitFor = Literal["activated", "deactivated"]


TokenFunction = Callable[[], Awaitable[str]]
"""A function that returns a bearer token, a new one each time."""


class Kind(StrEnum):
    """The kinds of errors that callers can tell apart."""

    FAILED = "failed"
    DELETED = "deleted"
    STALLED = "stalled"
    TIMEOUT = "timeout"
    NOT_FOUND = "not found"
    CONFLICT = "conflict"
    NETWORK = "network"
    OTHER = "other"


class HandleUnderTest(Protocol):
    """One app, as the client last saw it. `seconds`: how long a wait may take, None for the client's own."""

    @property
    def app(self) -> model.App:
        """The app as the handle shows it."""
        ...

    async def activate(self, *, wait: bool, seconds: float | None = None) -> object:
        """Let the app run; with `wait`, until it is active."""
        ...

    async def deactivate(self, *, wait: bool, seconds: float | None = None) -> object:
        """Let the app stop; with `wait`, until it has stopped."""
        ...

    async def watch(self, wait_for: WaitFor, *, seconds: float | None = None) -> object:
        """Wait until the app is there."""
        ...

    def ephemeral(self) -> AbstractAsyncContextManager[object]:
        """Return a context in which the app is active, and after which it is stopped."""
        ...


class ClientUnderTest(Protocol):
    """A client of one project and domain. `deadlines`: whether its waits take `seconds`.

    An adapter may have more; what is about it is not offered without: a method `with_tokens(token)` that returns a
    client of the same plane that gets bearer tokens from the function `token`; `with_timeout(seconds)`, one whose
    calls take so long at most, with all their attempts; `listall()`, which iterates over the project's apps; and
    `cancels`, true where a call ends once the task that awaits it is cancelled.
    """

    deadlines: bool

    async def get(self, name: str) -> HandleUnderTest:
        """Return the app of that name."""
        ...

    async def create(self, app: model.App) -> HandleUnderTest:
        """Create the app, or gives the one that exists this content."""
        ...

    async def replace(self, name: str, spec: model.Spec, reason: str) -> HandleUnderTest:
        """Give an existing app another spec."""
        ...

    async def update(self, app: model.App, reason: str) -> HandleUnderTest:
        """Update the app as sent, at the revision that it names."""
        ...

    async def delete(self, name: str) -> None:
        """Delete the app."""
        ...

    def kind(self, error: BaseException) -> Kind | None:
        """Return what the error says; None where this client doesn't let its callers tell."""
        ...

    async def close(self) -> None:
        """Free what the client holds."""
        ...


ClientFactory = Callable[[str, str, str], ClientUnderTest]
"""Makes a client of `http://127.0.0.1:PORT`, a project and a domain; called on the running loop."""


async def blocking(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of a call that blocks.

    Its thread is its own, so that a call that hangs keeps no other from ending.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(setter: Callable[[Any], None], value: Any) -> None:
        if not done.done():
            setter(value)

    def run() -> None:
        try:
            result: Any = call(*args, **kwargs)
        except BaseException as error:  # whatever it is, it is the caller's
            _tell(loop, settle, done.set_exception, error)
        else:
            _tell(loop, settle, done.set_result, result)

    threading.Thread(target=run, name="client under test", daemon=True).start()
    return await done


def _tell(loop: asyncio.AbstractEventLoop, settle: Callable[..., None], *arguments: Any) -> None:
    try:
        loop.call_soon_threadsafe(settle, *arguments)
    except RuntimeError:  # the check is over, its loop closed: nothing waits any longer
        return
