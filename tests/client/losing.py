"""A transport whose streams lose all that comes after their first message: a snapshot, and no event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Losing:
    """A transport whose streams lose all that comes after their first message."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def unary(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """See Transport.unary."""
        return self._inner.unary(method, request, timeout, headers)

    async def async_unary(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Do the same, awaiting."""
        return await self._inner.async_unary(method, request, timeout, headers)

    def stream(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> LosingStream:
        """See Transport.stream."""
        return LosingStream(self._inner.stream(method, request, timeout, headers))

    def async_stream(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncLosingStream:
        """Do the same, awaiting."""
        return AsyncLosingStream(self._inner.async_stream(method, request, timeout, headers))


class LosingStream:
    """A stream with a snapshot of one app, and no more."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._given = False

    def receive(self, timeout: float | None = None) -> Any:
        """See Stream.receive."""
        while True:
            message = self._inner.receive(timeout)
            if not self._given:
                self._given = True
                return message

    def close(self) -> None:
        """See Stream.close."""
        self._inner.close()


class AsyncLosingStream:
    """The same, awaiting."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._given = False

    async def receive(self, timeout: float | None = None) -> Any:
        """See AsyncStream.receive."""
        while True:
            message = await self._inner.receive(timeout)
            if not self._given:
                self._given = True
                return message

    async def aclose(self) -> None:
        """See AsyncStream.aclose."""
        await self._inner.aclose()
