"""The credentials of the reference client: an interceptor, with a method for each client guarantee of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps_contract.clients.adapter import TokenFunction


class Secret(str):
    """A string that doesn't show itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(...)"


class Credentials:
    """Tokens for calls: one at a time is got, for all calls that need it."""

    attempts = 2

    def __init__(self, token: TokenFunction) -> None:
        self._get = token
        self._lock = asyncio.Lock()
        self.token = Secret("")

    async def get(self) -> Secret:
        return Secret(await self._get())

    async def replaced(self, used: str) -> str:
        """Return another token than the used one."""
        async with self._lock:
            if self.token == used:
                self.token = await self.get()
        return self.token

    def is_refusal(self, error: ConnectError) -> bool:
        return error.code == Code.UNAUTHENTICATED

    def explained(self, error: ConnectError, token: str) -> ConnectError:
        return error

    async def intercept_unary(self, call_next: Callable[[Any, Any], Awaitable[Any]], request: Any, ctx: Any) -> Any:
        """Make a call with a token."""
        token = self.token or await self.replaced("")
        for attempt in range(1, self.attempts + 1):
            ctx.request_headers()["authorization"] = f"Bearer {token}"
            try:
                return await call_next(request, ctx)
            except ConnectError as error:
                ctx.request_headers().pop("authorization", None)
                refused = ConnectError(error.code, error.message, error.details)
                if not self.is_refusal(error) or attempt == self.attempts:
                    raise self.explained(refused, token) from None
            token = await self.replaced(token)
        raise AssertionError("the last attempt returns or raises")

    async def intercept_server_stream(
        self, call_next: Callable[[Any, Any], AsyncIterator[Any]], request: Any, ctx: Any
    ) -> AsyncIterator[Any]:
        """Open a stream with a token."""
        token = self.token or await self.replaced("")
        for attempt in range(1, self.attempts + 1):
            ctx.request_headers()["authorization"] = f"Bearer {token}"
            try:
                async for message in call_next(request, ctx):
                    yield message
                return
            except ConnectError as error:
                if not self.is_refusal(error) or attempt == self.attempts:
                    raise
            token = await self.replaced(token)
