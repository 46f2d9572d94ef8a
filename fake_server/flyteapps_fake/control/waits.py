"""The waits of a plane: open streams, delayed calls and moving apps, each with the timer that would end it."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any, Generic, NamedTuple, TypeVar

from flyteapps_control.durations import text_of
from flyteapps_control.selection import NO_APP, AppGlobs, AppName
from flyteapps_fake.control.delays import Delayed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.dialect import Dialect, MovingApp, Notice
from flyteapps_fake.core.lifecycle import short_name
from flyteapps_fake.core.streams import OpenStream, StreamScope
from flyteapps_fake.core.time.clock import MILLISECOND
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.time.timers import PendingTimer

T = TypeVar("T")

AWAITED = {"Watch": "its next event", "TailLogs": "the next lines of the log", "Lease": "an app to lease"}
"""The next message of each kind of stream."""
MAX_NAMED = 3
"""Apps whose states are in one text."""


class Wait(NamedTuple):
    """Something that waits. `rpc`: "" for an app; `status`: of an app; `since`: the plane's time, None for an app.

    `reason`: why there is no timer that would end it, or what has to happen before that fires, besides the time.
    """

    rpc: str
    subject: str
    status: str
    caller: str
    protocol: str
    since: int | None
    awaited: str
    timer: PendingTimer | None
    reason: str

    def text(self, now: int) -> str:
        """Return all of it in a sentence."""
        if self.since is None:
            waiting = f"App {self.subject} is {self.status}"
        else:
            by = f"{self.protocol}, {self.caller}" if self.caller else self.protocol
            subject = f" of {self.subject}" if self.subject else ""
            name = self.rpc.rpartition("/")[2]
            waiting = f"{name}{subject} (by {by}, since {moment_text(self.since)}) waits for {self.awaited}"
        if self.timer is None:
            return f"{waiting}: {self.reason}"
        due = self.timer.due
        when = f"in {text_of(-((now - due) // MILLISECOND) * MILLISECOND)}" if due > now else "now"
        also = f"; {self.reason}" if self.reason else ""
        return f"{waiting}: {self.timer.reason} {when} ({moment_text(due)}){also}"


def moment_text(nanoseconds: int) -> str:
    """Return a time of the plane's clock, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(nanoseconds // 1_000_000 / 1_000, datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def explain(
    timeline: Timeline, dialect: Dialect, delayed: Iterable[Delayed], globs: AppGlobs, limit: int | None = None
) -> tuple[list[Wait], int]:
    """Return what waits for the selected apps, and how many: open streams, then delayed calls, then moving apps.

    `limit`: the first so many are explained, and the others counted.
    """
    explanation = _Explanation(timeline, dialect)
    streams = [each for each in dialect.streams.all() if globs.matches(each.app)]
    calls = [each for each in delayed if globs.matches(each.app)]
    apps = [each for each in explanation.moving if globs.matches(each.app)]
    explained = chain(
        map(explanation.of_stream, sorted(streams, key=lambda each: (each.since, str(each)))),
        map(explanation.of_delayed, calls),
        map(explanation.of_app, apps),
    )
    return list(islice(explained, limit)), len(streams) + len(calls) + len(apps)


def standstill_notice(waits: Sequence[Wait], now: int) -> Notice | None:
    """Return the notice of a manual clock that clients wait for and that isn't moved, None where none waits for it."""
    waiting = [each for each in waits if each.rpc and each.timer is not None]
    if not waiting:
        return None
    others = f", and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    return Notice(
        "",
        f"{waiting[0].text(now)}{others}. The plane's clock is manual, and stands at {moment_text(now)}: move it by "
        "plane.clock.advance() or `flyteapps control clock advance`",
    )


def log_notice(notice: Notice) -> None:
    """Log a notice of a plane without a terminal, by the logger `flyteapps_fake`."""
    logging.getLogger("flyteapps_fake").warning("%s", notice.message)


class _ByApp(Generic[T]):
    """Items in order by the app that each is about; those that are about none are left out.

    A look-up takes the time of its result, however many items there are: all are sorted once for each combination of
    parts that names may have.
    """

    def __init__(self, items: Iterable[tuple[AppName, T]]) -> None:
        self._items = [(app, item) for app, item in items if app != NO_APP]
        self._found: dict[tuple[bool, ...], dict[tuple[str, ...], list[T]]] = {}

    def covered(self, selected: AppName) -> Sequence[T]:
        """Return the items about the app, or about those of a project; an empty part of the name matches all."""
        parts = tuple(map(bool, selected))
        found = self._found.get(parts)
        if found is None:
            found = self._found[parts] = {}
            for app, item in self._items:
                found.setdefault(_key(app, parts), []).append(item)
        return found.get(_key(selected, parts), ())

    def first(self, selected: AppName) -> T | None:
        """Return the first of the items that `covered` returns, or None."""
        found = self.covered(selected)
        return found[0] if found else None


def _key(app: AppName, parts: tuple[bool, ...]) -> tuple[str, ...]:
    """Return the parts of a name that are looked at."""
    return tuple(part for part, wanted in zip(app, parts, strict=True) if wanted)


class _Explanation:
    """The facts about all waits: the pending timers, and the apps that are to change by themselves.

    What a wait is about is looked up by its app, so that thousands of waits for thousands of apps take a moment.
    """

    def __init__(self, timeline: Timeline, dialect: Dialect) -> None:
        self._timeline = timeline
        self._dialect = dialect
        self._timers = timeline.pending()
        self._by_owner = {each.owner: each for each in self._timers}
        self._changes = _ByApp((each.app, each) for each in self._timers if each.changes)
        self.moving = dialect.moving()
        self._moving = _ByApp((each.app, each) for each in self.moving)

    @cached_property
    def _apps(self) -> _ByApp[tuple[AppName, int]]:
        """All apps, each with its status."""
        return _ByApp((name, (name, status)) for name, status in self._dialect.apps())

    @cached_property
    def _by_scope(self) -> dict[StreamScope, PendingTimer]:
        """The first progress timer of each scope of a watch."""
        found: dict[StreamScope, PendingTimer] = {}
        for each in self._timers:
            if each.changes and each.progress:
                for scope in self._dialect.scopes(each.owner):
                    found.setdefault(scope, each)
        return found

    def of_stream(self, stream: OpenStream) -> Wait:
        """Return the wait of an open stream."""
        if stream.filter is not None and stream.filter.stalled:
            timer = self._by_owner.get(("stall", stream))
            return self._wait(stream.call, _subject(stream), stream.since, timer, "a fault stalls it for good")
        awaited = AWAITED.get(stream.method, "its next message")
        if not stream.idle():
            reason = "messages are ready, and its reader has not taken them"
            return self._wait(stream.call, _subject(stream), stream.since, None, reason, awaited)
        timer = self._by_owner.get(stream) or self._first(stream)
        nothing = self._nothing(stream) if timer is None else ""
        return self._wait(stream.call, _subject(stream), stream.since, timer, nothing, awaited)

    def of_delayed(self, delayed: Delayed) -> Wait:
        """Return the wait of a delayed call, or of a write."""
        if delayed.timer is not None:
            timer = self._by_owner.get(delayed.timer)
            return self._wait(
                delayed.call, str(delayed.app), delayed.since, timer, "it has ended", "the end of its write"
            )
        faults = ", ".join(delayed.faults)
        reason = f"fault {faults} delays it by {text_of(delayed.real)} of real time"
        timer = self._by_owner.get(delayed)
        return self._wait(delayed.call, str(delayed.app), delayed.since, timer, reason, f"the end of fault {faults}")

    def of_app(self, app: MovingApp) -> Wait:
        """Return the wait of an app that is to change by itself."""
        timer = self._changes.first(app.app)
        return Wait(
            "",
            str(app.app),
            short_name(app.status),
            "",
            "",
            None,
            "its next state",
            timer,
            self._timeline.condition(timer) if timer is not None else app.reason or "nothing is scheduled for it",
        )

    def _wait(
        self,
        call: Call[Any] | None,
        subject: str,
        since: int,
        timer: PendingTimer | None,
        nothing: str,
        awaited: str = "the end of a fault",
    ) -> Wait:
        """Return the wait of a call. `nothing`: why there is no timer, where there is none."""
        rpc, caller, protocol = (call.operation.rpc, call.caller or "", call.protocol) if call else ("", "", "")
        reason = self._timeline.condition(timer) if timer is not None else nothing
        return Wait(rpc, subject, "", caller, protocol, since, awaited, timer, reason)

    def _first(self, stream: OpenStream) -> PendingTimer | None:
        """Return the first timer that changes an app that a stream is about."""
        kind = stream.scope[0] if stream.scope else ""
        if kind == "lease":
            return None
        if kind == "cluster":
            return self._by_scope.get(stream.scope or ())
        return self._changes.first(stream.app)

    def _nothing(self, stream: OpenStream) -> str:
        """Return why nothing is scheduled for a stream."""
        if stream.scope and stream.scope[0] == "lease":
            return "no app that it may lease is waiting for a cluster"
        waiting = self._moving.covered(stream.app)
        if waiting:
            return "nothing is scheduled for it: " + "; ".join(_states(waiting))
        found = self._apps.covered(stream.app)
        if not found:
            return "nothing is scheduled for it: there is no such app"
        states = [f"{name} is {short_name(status)}" for name, status in found[:MAX_NAMED]]
        return f"nothing is scheduled for it: {', '.join(states)}, and changes by a write or a request alone"


def _states(apps: Sequence[MovingApp]) -> Iterator[str]:
    for each in apps[:MAX_NAMED]:
        yield f"{each.app} is {short_name(each.status)}" + (f", {each.reason}" if each.reason else "")


def _subject(stream: OpenStream) -> str:
    """Return what a stream is about, such as demo/development/hello, or "cluster east"."""
    return str(stream.app) if stream.app.name else str(stream).partition(" of ")[2]
