"""The contexts in which an app runs: active inside, stopped afterwards. Each is also a decorator.

Rules of this file: it knows no app, only how to start and to stop one.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncContextDecorator, ContextDecorator
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

from flyteapps.errors import InvalidArgument

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


class Ephemeral(ContextDecorator, Generic[A]):
    """The context of `App.ephemeral_ctx_sync`. It keeps no state, so that it can be entered again."""

    def __init__(self, start: Callable[[], A], stop: Callable[[BaseException | None], None]) -> None:
        """`stop`: stop the app at the end of a block that was left by this error, None for none."""
        self._start = start
        self._stop = stop

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:  # pyright: ignore[reportIncompatibleMethodOverride]  # the same, with the parameters
        """Decorate a function. Raises InvalidArgument for one whose body runs after it has returned."""
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidArgument(
                f"ephemeral_ctx_sync() decorates functions, and {_name(function)} is async: use @app.ephemeral_ctx()"
            )
        return super().__call__(function)

    def __enter__(self) -> A:
        try:
            return self._start()
        except BaseException as error:
            self._leave(error)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        try:
            self._stop(error)
        except KeyboardInterrupt as interruption:  # while it stops: once more, without waiting
            self._stop(interruption)
            raise
        except Exception as second:
            if error is None:
                raise
            error.add_note(f"and the app could not be stopped: {second}")


class AsyncEphemeral(AsyncContextDecorator, Generic[A]):
    """The context of `App.ephemeral_ctx`. It keeps no state, so that it can be entered again."""

    def __init__(
        self, start: Callable[[], Awaitable[A]], stop: Callable[[BaseException | None], Awaitable[None]]
    ) -> None:
        """`stop`: as that of Ephemeral."""
        self._start = start
        self._stop = stop

    def __call__(self, function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:  # pyright: ignore[reportIncompatibleMethodOverride]  # the same, with the parameters
        """Decorate a coroutine function. Raises InvalidArgument for another, which couldn't be awaited."""
        if not inspect.iscoroutinefunction(function):
            raise InvalidArgument(
                f"ephemeral_ctx() decorates coroutine functions, and {_name(function)} is none: use "
                f"@app.ephemeral_ctx_sync()"
            )
        return super().__call__(function)

    async def __aenter__(self) -> A:
        try:
            return await self._start()
        except BaseException as error:
            await self._leave(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._leave(error)

    async def _leave(self, error: BaseException | None) -> None:
        try:
            await self._stop(error)
        except asyncio.CancelledError as interruption:  # while it stops: once more, without waiting
            await self._stop(interruption)
            raise
        except Exception as second:
            if error is None:
                raise
            error.add_note(f"and the app could not be stopped: {second}")


def _name(function: object) -> str:
    return getattr(function, "__qualname__", repr(function))
