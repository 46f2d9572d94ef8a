"""The use of apps over time: replicas, declared loads, and requests to their URLs. Bounded, some kilobytes an app.

It isn't part of a plane's state: it begins anew with the server, and where the plane returns to another state. Entered
under the plane's lock.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from flyteapps_control.selection import AppName
from flyteapps_control.v1.control_pb2 import Load
from flyteapps_fake.core.time.clock import SECOND, Clock

V = TypeVar("V")

MAX_REPLICA_COUNTS = 200
MAX_LOADS = 100
MAX_REQUEST_COUNTS = 128
"""Changes and counts of one app that are kept: of changes the last ones; counts of requests grow together instead."""


class RequestCount(NamedTuple):
    """The requests of a span of time, which begins at a multiple of itself; in nanoseconds."""

    time: int
    span: int
    requests: int


class RequestCounts:
    """Numbers of requests by the second. The older half is added up over longer spans as soon as there are too many."""

    __slots__ = ("_counts", "_spans", "_times")

    def __init__(self) -> None:
        self._times, self._spans, self._counts = array("q"), array("q"), array("q")

    def __iter__(self) -> Iterator[RequestCount]:
        return map(RequestCount, self._times, self._spans, self._counts)

    def add(self, now: int, requests: int) -> None:
        """Count requests of now, which is not before the last ones."""
        if self._times and now < self._times[-1] + self._spans[-1]:
            self._counts[-1] += requests
            return
        self._append(now - now % SECOND, SECOND, requests)
        while len(self._times) > MAX_REQUEST_COUNTS:
            self._add_up()

    def _append(self, time: int, span: int, requests: int) -> None:
        self._times.append(time)
        self._spans.append(span)
        self._counts.append(requests)

    def _add_up(self) -> None:
        """Double the shortest span in the older half."""
        before = [*self]
        older = len(before) // 2
        shortest = min(each.span for each in before[:older])
        self._times, self._spans, self._counts = array("q"), array("q"), array("q")
        for at, (time, span, requests) in enumerate(before):
            if self._times and time < self._times[-1] + self._spans[-1]:
                self._counts[-1] += requests
            elif at < older and span == shortest:
                self._append(time - time % (2 * span), 2 * span, requests)
            else:
                self._append(time, span, requests)


class AppUsage:
    """The use of one app since a time. A change is put with what was before it: that held since then."""

    __slots__ = ("_counts", "_times", "loads", "requests", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        self._times, self._counts = array("q"), array("q")
        self.loads: list[tuple[int, Load | None]] = []
        """The declared loads, each from its time on, without selectors."""
        self.requests = RequestCounts()

    @property
    def replicas(self) -> list[tuple[int, int]]:
        """The numbers of replicas, each from its time on; empty as long as they haven't changed."""
        return [*zip(self._times, self._counts, strict=True)]

    def scaled(self, now: int, before: int, after: int) -> None:
        """Record another number of replicas."""
        times, counts = self._times, self._counts
        if not times:
            times.append(self.since)
            counts.append(before)
        if times[-1] == now:
            counts[-1] = after
        else:
            times.append(now)
            counts.append(after)
        if len(times) > MAX_REPLICA_COUNTS:
            del times[0], counts[0]

    def loaded(self, now: int, before: Load | None, after: Load | None) -> None:
        """Record another load."""
        loads = self.loads
        if not loads:
            loads.append((self.since, amount_of(before)))
        if loads[-1][0] == now:
            loads[-1] = (now, amount_of(after))
        else:
            loads.append((now, amount_of(after)))
        if len(loads) > MAX_LOADS:
            del loads[0]


class UsedApp(NamedTuple):
    """The use of an app since a time. `replicas` and `loads`: each from its time on."""

    app: AppName
    since: int
    replicas: list[tuple[int, int]]
    loads: list[tuple[int, Load | None]]
    requests: list[RequestCount]


def steps_since(steps: Sequence[tuple[int, V]], since: int) -> list[tuple[int, V]]:
    """Return what held from a time on: the last step until then is moved to it."""
    earlier = [value for time, value in steps if time <= since]
    later = [step for step in steps if step[0] > since]
    return [(since, earlier[-1]), *later] if earlier else later


def amount_of(load: Load | None) -> Load | None:
    """Return a load without its selector."""
    if load is None:
        return None
    if load.WhichOneof("amount") == "concurrent_requests":
        return Load(concurrent_requests=load.concurrent_requests)
    return Load(requests_per_second=load.requests_per_second)


class UsageBook:
    """The use of all apps of a plane."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.now()
        self._apps: dict[AppName, AppUsage] = {}

    def of(self, app: AppName) -> AppUsage:
        """Return what an app used; an empty one, which isn't kept, where nothing is known of it."""
        return self._apps.get(app) or AppUsage(self._since)

    def scaled(self, app: AppName, before: int, after: int) -> None:
        """Record another number of an app's replicas."""
        self._kept(app).scaled(self._clock.now(), before, after)

    def loaded(self, app: AppName, before: Load | None, after: Load | None) -> None:
        """Record another declared load of an app."""
        self._kept(app).loaded(self._clock.now(), before, after)

    def requested(self, app: AppName, requests: int = 1) -> None:
        """Record requests to an app's URL."""
        self._kept(app).requests.add(self._clock.now(), requests)

    def forget(self, app: AppName) -> None:
        """Forget an app that is gone."""
        self._apps.pop(app, None)

    def restart(self) -> None:
        """Begin anew, as the plane has another state or another time."""
        self._since = self._clock.now()
        self._apps.clear()

    def _kept(self, app: AppName) -> AppUsage:
        found = self._apps.get(app)
        if found is None:
            found = self._apps[app] = AppUsage(self._since)
        return found
