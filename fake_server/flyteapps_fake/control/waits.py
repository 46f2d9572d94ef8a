"""The waits of a plane: open streams, delayed calls and moving apps, each with the timer that would end it."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from flyteapps_control.durations import text_of
from flyteapps_control.selection import NO_APP, AppGlobs, AppName
from flyteapps_fake.control.delays import Delayed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.dialect import Dialect, MovingApp, Notice
from flyteapps_fake.core.lifecycle import short_name
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.clock import MILLISECOND
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.time.timers import PendingTimer

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


def explain(timeline: Timeline, dialect: Dialect, delayed: Iterable[Delayed], globs: AppGlobs) -> list[Wait]:
    """Return what waits for the selected apps: open streams, then delayed calls, then moving apps."""
    explanation = _Explanation(timeline, dialect)
    streams = [each for each in dialect.streams.all() if globs.matches(each.app)]
    return [
        *map(explanation.of_stream, sorted(streams, key=lambda each: (each.since, str(each)))),
        *(explanation.of_delayed(each) for each in delayed if globs.matches(each.app)),
        *(explanation.of_app(each) for each in explanation.moving if globs.matches(each.app)),
    ]


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


class _Explanation:
    """The facts about all waits: the pending timers, and the apps that are to change by themselves."""

    def __init__(self, timeline: Timeline, dialect: Dialect) -> None:
        self._timeline = timeline
        self._dialect = dialect
        self._timers = timeline.pending()
        self._by_owner = {each.owner: each for each in self._timers}
        self.moving = dialect.moving()

    def of_stream(self, stream: OpenStream) -> Wait:
        """Return the wait of an open stream."""
        if stream.filter is not None and stream.filter.stalled:
            timer = self._by_owner.get(("stall", stream))
            return self._wait(stream.call, _subject(stream), stream.since, timer, "a fault stalls it for good")
        awaited = AWAITED.get(stream.method, "its next message")
        if not stream.idle():
            reason = "messages are ready, and its reader has not taken them"
            return self._wait(stream.call, _subject(stream), stream.since, None, reason, awaited)
        timer = self._by_owner.get(stream) or self._first(self._sees(stream))
        return self._wait(stream.call, _subject(stream), stream.since, timer, self._nothing(stream), awaited)

    def of_delayed(self, delayed: Delayed) -> Wait:
        """Return the wait of a delayed call."""
        faults = ", ".join(delayed.faults)
        reason = f"fault {faults} delays it by {text_of(delayed.real)} of real time"
        timer = self._by_owner.get(delayed)
        return self._wait(delayed.call, str(delayed.app), delayed.since, timer, reason, f"the end of fault {faults}")

    def of_app(self, app: MovingApp) -> Wait:
        """Return the wait of an app that is to change by itself."""
        timer = self._first(lambda each: each.app == app.app)
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

    def _first(self, concerns: Callable[[PendingTimer], bool]) -> PendingTimer | None:
        """Return the first timer of those that concern a wait."""
        return next((each for each in self._timers if each.changes and concerns(each)), None)

    def _sees(self, stream: OpenStream) -> Callable[[PendingTimer], bool]:
        """Return whether a timer changes an app that a stream is about."""
        kind = stream.scope[0] if stream.scope else ""
        if kind == "lease":
            return lambda each: False
        if kind == "cluster":
            return lambda each: each.progress and stream.scope in self._dialect.scopes(each.owner)
        return lambda each: each.app != NO_APP and _covers(stream.app, each.app)

    def _nothing(self, stream: OpenStream) -> str:
        """Return why nothing is scheduled for a stream."""
        if stream.scope and stream.scope[0] == "lease":
            return "no app that it may lease is waiting for a cluster"
        waiting = [each for each in self.moving if _covers(stream.app, each.app)]
        if waiting:
            return "nothing is scheduled for it: " + "; ".join(_states(waiting))
        found = [(name, status) for name, status in self._dialect.apps() if _covers(stream.app, name)]
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


def _covers(selected: AppName, app: AppName) -> bool:
    """Return whether a request that names an app, a project or nothing is about the app."""
    return all(not wanted or wanted == part for wanted, part in zip(selected, app, strict=True))
