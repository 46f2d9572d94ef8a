"""Credentials that the program has itself: a token, a function, and those of a block of code."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextvars import ContextVar
from typing import Any, ClassVar, cast

from flyteapps.auth.base import Auth, Context
from flyteapps.auth.sources.token_endpoint import is_token
from flyteapps.auth.tokens import Token, bearer
from flyteapps.errors import ConfigError, DeadlineExceeded, Error, Unauthenticated
from flyteapps.flows.operations import Flow, Now, Perform
from flyteapps.options import Found
from flyteapps.support.durations import positive
from flyteapps.support.latch import running_loop
from flyteapps.support.secret import Secret, checked_headers, hidden


class StaticToken(Auth):
    """One bearer token, which can't be renewed: a call that is refused with it fails."""

    mode: ClassVar[str] = "static token"
    renewable: ClassVar[bool] = False

    def __init__(self, token: str, *, header: str = "authorization") -> None:
        """Validate the arguments. Raises ConfigError for anything that is no token."""
        token = Secret(token.strip()) if isinstance(token, str) else token  # pyright: ignore[reportUnnecessaryIsInstance]
        if not is_token(token):
            raise ConfigError("auth: the token should be a string of visible ASCII characters, without the word Bearer")
        self._token = token
        self._header = header

    def __repr__(self) -> str:
        return "StaticToken(...)"

    def fetch(self, context: Context, last: Token | None, timeout: float) -> Flow[Token]:
        """See Auth.fetch."""
        now: float = yield Now()
        return Token(bearer(self._token, self._header), now)


class TokenFunction(Auth):
    """A function, sync or async, that returns a token, or a token and its lifetime in seconds.

    It is called when a token is needed: in the thread of the call that needs it, for an awaited call in its event loop.
    """

    mode: ClassVar[str] = "token function"

    def __init__(self, function: Callable[[], Found | Awaitable[Found]], *, header: str = "authorization") -> None:
        """Validate the arguments. Raises ConfigError for anything that can't be called."""
        if not callable(function):
            raise ConfigError(f"auth: a function is needed, and this is a {type(function).__name__}")
        self._function = function
        self._header = header

    @property
    def _name(self) -> str:
        return getattr(self._function, "__qualname__", None) or type(self._function).__name__

    def __repr__(self) -> str:
        return f"TokenFunction({self._name})"

    def fetch(self, context: Context, last: Token | None, timeout: float) -> Flow[Token]:
        """See Auth.fetch."""
        requested_at: float = yield Now()
        try:
            found: Any = yield Perform(lambda: self._call(timeout), lambda: self._async_call(timeout))
        except Error:
            raise
        except TimeoutError:
            raise DeadlineExceeded(
                f"auth: the function {self._name} returned no token within {timeout:.3g} s", endpoint=context.endpoint
            ) from None
        except Exception as error:
            raise Unauthenticated(
                f"auth: the function {self._name} raised {type(error).__name__}", endpoint=context.endpoint
            ) from error
        is_pair = isinstance(found, tuple) and len(cast("tuple[Any, ...]", found)) == 2
        token, lifetime = cast("tuple[Any, Any]", found if is_pair else (found, None))
        if not is_token(token):
            raise ConfigError(
                f"auth: the function {self._name} should return a token, or a token and its lifetime in seconds"
            )
        seconds = None if lifetime is None else positive(lifetime, f"auth: the lifetime that {self._name} returned")
        return Token(bearer(cast("str", token), self._header), requested_at, seconds)

    def _call(self, timeout: float) -> Any:
        found: Any = self._function()
        if not inspect.isawaitable(found):
            return _hidden(found)
        import asyncio

        async def run() -> Any:
            async with asyncio.timeout(timeout):
                return await found

        if running_loop() is None:
            return _hidden(asyncio.run(run()))
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as thread:  # a blocking call within a coroutine
            return _hidden(thread.submit(asyncio.run, run()).result())

    async def _async_call(self, timeout: float) -> Any:
        import asyncio

        found: Any = self._function()
        if inspect.isawaitable(found):
            async with asyncio.timeout(timeout):
                found = await found
        return _hidden(found)


class Passthrough(Auth):
    """The headers that `auth_metadata` sets for the calls of a block; none outside of one."""

    mode: ClassVar[str] = "Passthrough"
    renewable: ClassVar[bool] = False

    def __repr__(self) -> str:
        return "Passthrough()"

    def of_call(self) -> Mapping[str, str]:
        """See Auth.of_call."""
        return _metadata.get()


_metadata: ContextVar[Mapping[str, str]] = ContextVar("flyteapps_auth_metadata", default={})  # noqa: B039  # never changed


@contextlib.contextmanager
def auth_metadata(*pairs: tuple[str, str]) -> Generator[None]:
    """Send these headers with each call of this block, of clients with `Passthrough`. Raises ConfigError."""
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs) or not pairs:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigError('auth_metadata: pass pairs of a name and a value, such as ("authorization", "Bearer ...")')
    checked = checked_headers(hidden(dict(pairs)))
    del pairs
    token = _metadata.set(checked)
    try:
        yield
    finally:
        _metadata.reset(token)


def _hidden(found: Any) -> Any:
    """Return what a function returned, with a token that hides itself."""
    if isinstance(found, tuple):
        return tuple(_hidden(each) for each in cast("tuple[Any, ...]", found))
    return Secret(found) if isinstance(found, str) else found
