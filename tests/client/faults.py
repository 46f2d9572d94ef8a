"""A transport that loses, delays, repeats and cuts, in front of another: by a plan, one fault a call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps_fake.inprocess.transport import DirectTransport

REQUEST_LOST = "request lost"
RESPONSE_LOST = "response lost"
REPEATED = "request repeated"
REFUSED = "refused: busy"
BROKEN = "internal error before the commit"
CALL_FAULTS = (REQUEST_LOST, RESPONSE_LOST, REPEATED, REFUSED, BROKEN)

OK = "ok"


@dataclass(frozen=True, slots=True)
class Cut:
    """A stream ends after so many messages: "clean", or with a code; `repeat`: its last message comes twice."""

    after: int
    how: str = "UNAVAILABLE"
    repeat: bool = False


@dataclass(slots=True)
class Plan:
    """Faults of unary calls and of streams, in order; once they are used up everything works."""

    calls: list[str] = field(default_factory=list[str])
    cuts: list[Cut] = field(default_factory=list[Cut])
    log: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def next_call(self, method: str) -> str:
        """Return the fault of this call."""
        fault = self.calls.pop(0) if self.calls else OK
        self.log.append((method, fault))
        return fault

    def next_cut(self) -> Cut | None:
        """Return the end of this stream."""
        return self.cuts.pop(0) if self.cuts else None


def unavailable(why: str) -> ConnectError:
    """Return the error of a lost message."""
    return ConnectError(Code.UNAVAILABLE, why)


class FaultyTransport:
    """A Transport with faults, in front of a plane in this process."""

    def __init__(self, inner: DirectTransport, plan: Plan) -> None:
        self._inner = inner
        self._plan = plan

    def unary(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Make one call, with the fault that is due."""
        fault = self._plan.next_call(method.name)
        if fault == REQUEST_LOST:
            raise unavailable("the request was lost")
        if fault == REFUSED:
            raise ConnectError(Code.RESOURCE_EXHAUSTED, "busy")
        if fault == BROKEN:
            raise ConnectError(Code.INTERNAL, "broken")
        try:
            response = self._inner.unary(method, request)
        finally:
            if fault == RESPONSE_LOST:
                raise unavailable("the response was lost")
        if fault == REPEATED:
            with contextlib.suppress(ConnectError):
                self._inner.unary(method, request)
        return response

    async def async_unary(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Do the same, awaiting."""
        return self.unary(method, request)

    def stream(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> CutStream:
        """Return a stream that ends where it is due."""
        return CutStream(self._inner.stream(method, request), self._plan.next_cut())

    def async_stream(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncCutStream:
        """Do the same, awaiting."""
        return AsyncCutStream(self._inner.async_stream(method, request), self._plan.next_cut())


class _Cutting:
    def __init__(self, inner: Any, cut: Cut | None) -> None:
        self._inner = inner
        self._cut = cut
        self._given = 0
        self._again: list[Any] = []

    def _due(self) -> None:
        if self._cut is not None and self._given >= self._cut.after:
            self._inner.close()
            if self._cut.how == "clean":
                raise EOFError("cut")
            raise ConnectError(Code[self._cut.how], "the stream was cut")

    def _count(self, message: Any) -> Any:
        self._given += 1
        if self._cut is not None and self._cut.repeat and self._given == self._cut.after:
            self._again.append(message)
        return message


class CutStream(_Cutting):
    """A stream with an end."""

    def receive(self, timeout: float | None = None) -> Any:
        """See Stream.receive."""
        if self._again:
            return self._again.pop()
        self._due()
        return self._count(self._inner.receive(timeout))

    def close(self) -> None:
        """See Stream.close."""
        self._inner.close()


class AsyncCutStream(_Cutting):
    """The same, awaiting."""

    async def receive(self, timeout: float | None = None) -> Any:
        """See AsyncStream.receive."""
        if self._again:
            return self._again.pop()
        self._due()
        return self._count(await self._inner.receive(timeout))

    async def aclose(self) -> None:
        """See AsyncStream.aclose."""
        await self._inner.aclose()


def cuts(positions: Iterable[int], how: str = "UNAVAILABLE") -> list[Cut]:
    """Return one cut a stream, at these positions."""
    return [Cut(position, how) for position in positions]
