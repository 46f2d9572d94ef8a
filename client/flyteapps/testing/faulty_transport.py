"""FaultyTransport: another transport, with faults by rules."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from connectrpc.errors import ConnectError
from connectrpc.method import MethodInfo

from flyteapps.support.clock import monotonic
from flyteapps.testing.calls import Call, subject_of
from flyteapps.testing.effects import Ending, ending_of, too_late
from flyteapps.testing.faulty_streams import AsyncFaultyStream, FaultyStream
from flyteapps.testing.services import rpcs
from flyteapps.transports import forks
from flyteapps.transports.transport import SLICE_SECONDS, Transport
from flyteapps_control.fault_table import FaultTable, Rule
from flyteapps_control.v1.control_pb2 import Fault

Method = MethodInfo[Any, Any]
Headers = Mapping[str, str] | None


_UPLOAD = "Upload"
_REFUSED = {
    "stale": "a stale read is for the rules of a plane: a client's transport has no older answer",
    "steal_lease": "steal_lease is for the rules of a plane: a client's transport has no leases",
}


class FaultyTransport:
    """A transport that makes the calls of another one, with faults: `Client(transport=FaultyTransport(inner, rules))`.

    `rules`: made by the functions of `flyteapps.testing.faults`; a call gets the faults of all rules that match it, up
    to the first that ends it. `seed`: of draws, such as those of `probability`. Errors are those that a transport over
    HTTP raises, and so are read by the client as usual. All times are of the wall clock. With `applied` the call is
    made, and its answer, also an error, is lost.

    `calls` are those of the client, in order. Raises ValueError for a rule that can't be, for one with `caller`, since
    a client sends none, and for what only a plane can do: a stale read, a stolen lease, a fault of an upload.
    """

    def __init__(self, transport: Transport, rules: Iterable[Fault] = (), seed: int = 0) -> None:
        self._inner = transport
        self._lock = Lock()
        streams = [name for name, rpc in rpcs().items() if rpc.streaming]
        self._table = FaultTable(rpcs, streams, lambda: f"faults/{seed}", time.monotonic_ns, _REFUSED)
        self.calls: list[Call] = []
        self.add(*rules)
        forks.register(self)

    def forked(self) -> None:
        """See Inherited."""
        self._lock = Lock()

    @property
    def rules(self) -> list[Fault]:
        """The rules, in order, each with the number of calls that it `matched`, and to how many it `applied`."""
        with self._lock:
            return self._table.list()

    @property
    def hint(self) -> str:
        """The other transport's hint about its plane's clock."""
        return getattr(self._inner, "hint", "")

    def unapplied(self) -> list[Fault]:
        """Return the rules that no call has had the fault of."""
        return [rule for rule in self.rules if not rule.applied]

    def add(self, *rules: Fault) -> list[Fault]:
        """Add rules, all or none; return them with their ids. Raises ValueError."""
        for rule in rules:
            if rule.caller:
                raise ValueError("caller is for the rules of a plane: select a client's calls by headers")
            if rule.rpc.strip("/").rpartition("/")[2] == _UPLOAD:
                raise ValueError("Upload is for the rules of a plane: no upload passes a client's transport")
        with self._lock:
            return self._table.add(rules)

    def clear(self) -> None:
        """Remove all rules, and forget the calls."""
        with self._lock:
            self._table.clear()
            self.calls.clear()

    def unary(self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None) -> Any:
        """See Transport.unary."""
        fate = self._fate(Call(method, request, timeout, headers or {}))
        until = monotonic() + fate.seconds
        while (left := until - monotonic()) > 0:
            time.sleep(min(left, SLICE_SECONDS))
        if fate.ending is None:
            return self._inner.unary(method, request, fate.timeout, headers)
        if fate.ending.applied:
            with contextlib.suppress(ConnectError):
                self._inner.unary(method, request, fate.timeout, headers)
        raise fate.ending.error

    async def async_unary(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> Any:
        """See Transport.async_unary."""
        fate = self._fate(Call(method, request, timeout, headers or {}, awaiting=True))
        await asyncio.sleep(fate.seconds)
        if fate.ending is None:
            return await self._inner.async_unary(method, request, fate.timeout, headers)
        if fate.ending.applied:
            with contextlib.suppress(ConnectError):
                await self._inner.async_unary(method, request, fate.timeout, headers)
        raise fate.ending.error

    def stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> FaultyStream:
        """See Transport.stream."""
        fate = self._fate(Call(method, request, timeout, headers or {}, streaming=True))
        return FaultyStream(
            lambda: self._inner.stream(method, request, fate.timeout, headers), fate.rules, fate.seconds, fate.ending
        )

    def async_stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> AsyncFaultyStream:
        """See Transport.async_stream."""
        fate = self._fate(Call(method, request, timeout, headers or {}, streaming=True, awaiting=True))
        return AsyncFaultyStream(
            lambda: self._inner.async_stream(method, request, fate.timeout, headers),
            fate.rules,
            fate.seconds,
            fate.ending,
        )

    def close(self) -> None:
        """Close the connections of the other transport's blocking calls."""
        close: Any = getattr(self._inner, "close", None)
        if close is not None:
            close()

    async def aclose(self) -> None:
        """Close the connections of all of the other transport's calls."""
        close: Any = getattr(self._inner, "aclose", None)
        if close is not None:
            await close()

    def _fate(self, call: Call) -> _Fate:
        with self._lock:
            self.calls.append(call)
            rules = self._table.decide(subject_of(call)) if len(self._table) else []
            seconds = sum(rule.draw_delay() for rule in rules if rule.effect == "delay") / 1e9
        if call.timeout is None:
            return _Fate(rules, seconds, ending_of(rules[-1]) if rules else None, None)
        if seconds >= call.timeout:
            return _Fate(rules, call.timeout, Ending(too_late(call.timeout), applied=False), None)
        return _Fate(rules, seconds, ending_of(rules[-1]) if rules else None, call.timeout - seconds)


class _Fate(NamedTuple):
    """The faults of a call: the seconds to wait, its end if a fault ends it, and its timeout after the wait."""

    rules: list[Rule]
    seconds: float
    ending: Ending | None
    timeout: float | None
