"""Waiting for an app to become active, or to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps import conditions
from flyteapps.errors import AppDeleted, DeploymentFailed, InvalidArgument, WaitTimeout
from flyteapps.flows.follow import Follow, Kind, Sight, stalled
from flyteapps.flows.last_words import last_words
from flyteapps.flows.operations import Flow, Now
from flyteapps.flows.verdicts import Baseline, Verdict, WaitFor
from flyteapps.settings import Settings, label
from flyteapps.support.durations import patience


class Standstill:
    """Whether the time of a plane stands still, so that a wait on it brings nothing.

    `hint`: reads what the transport says of its plane's clock and time, "" where that runs by itself; `tell`: logs it.
    """

    def __init__(self, hint: Callable[[], str], tell: Callable[[str], None]) -> None:
        self._hint = hint
        self._tell = tell
        self._first = hint()

    def now(self) -> str:
        """What to say about it: "" where the time runs, or was moved since the wait began."""
        return self._first if self._first and self._hint() == self._first else ""

    def warn(self) -> None:
        """Log it, where there is something to say."""
        if said := self.now():
            self._tell(said)


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait ended well.

    `how`: "observed" where the plane showed that the state belongs to the write that was waited for; "settled" where it
    only stayed unchanged for `Waits.settle` seconds, on a plane that can show old states. `scaled_to_zero`: the app is
    active without a replica. `seconds`: how long it took.
    """

    how: str
    scaled_to_zero: bool
    seconds: float


STANDSTILL_SECONDS = 5.0
"""How long a plane's time may stand still before a wait says so."""


def wait(
    settings: Settings,
    known: definition.App,
    target: WaitFor,
    baseline: Baseline,
    timeout: float | None,
    standstill: Standstill | None = None,
) -> Flow[tuple[definition.App, Waited]]:
    """Waits until the known app has reached the target, and gives it and how it got there.

    `timeout` in seconds, None for the client's own. `standstill`: of a plane whose time may stand still. Raises
    DeploymentFailed, AppDeleted, WatchStalled, WaitTimeout.
    """
    if target not in ("activated", "deactivated"):
        raise InvalidArgument(f'wait_for={target!r}: "activated" or "deactivated"')
    timeout = patience(timeout)
    seconds = settings.waits.timeout if timeout is None else timeout
    identifier = known.metadata.id
    follow = Follow(settings, identifier)
    started: float = yield Now()
    deadline, settles = started + seconds, None
    learnt = baseline
    warns = started + STANDSTILL_SECONDS if standstill is not None else deadline
    while True:
        sight: Sight = yield from follow.next(min(deadline, settles or deadline, warns))
        now: float = yield Now()
        if standstill is not None and warns <= now < deadline:
            standstill.warn()
            warns = deadline
            if sight.kind is Kind.TIME and not (settles is not None and now >= settles):
                continue
        if sight.kind is Kind.TIME and settles is not None and now >= settles:
            sight = (yield from follow.read_now(deadline)) or sight
            settles = None if sight.kind is Kind.TIME else settles
        elif sight.kind is Kind.TIME:
            yield from follow.close()
            last = sight.app or known
            if follow.failing is not None:
                raise stalled(settings, identifier, last, seconds, follow.failing) from follow.failing
            raise _timed_out(settings, identifier, target, seconds, last, standstill.now() if standstill else "")
        elif follow.lossy and _ends_badly(sight, learnt, target):
            sight = (yield from follow.read_now(deadline)) or sight  # an event can be older than the snapshot before it
        if sight.kind is Kind.DELETED:
            yield from follow.close()
            raise deleted(settings, identifier, sight.app)
        app = sight.app
        if app is None:
            continue
        learnt = learnt.learning(app)
        verdict = learnt.judge(app, target)
        settled = verdict is Verdict.UNCHANGED and settles is not None and now >= settles
        if settled:
            verdict = learnt.settled().judge(app, target)
        elif verdict is Verdict.UNCHANGED:
            settles = settles or now + settings.waits.settle
            continue
        if verdict is Verdict.REACHED:
            yield from follow.close()
            how = "settled" if settled else "observed"
            return app, Waited(how, conditions.scaled_to_zero(app), now - started)
        settles = None
        if verdict is Verdict.REPLACED:
            yield from follow.close()
            raise deleted(settings, identifier, app)
        if verdict in (Verdict.FAILED, Verdict.STOPPED):
            yield from follow.close()
            raise (yield from _failed(settings, identifier, app, verdict))


def _ends_badly(sight: Sight, baseline: Baseline, target: WaitFor) -> bool:
    if sight.kind is not Kind.SEEN or sight.app is None:
        return sight.kind is Kind.DELETED
    return baseline.learning(sight.app).judge(sight.app, target) in (Verdict.FAILED, Verdict.STOPPED)


def deleted(settings: Settings, identifier: definition.Identifier, last: definition.App | None) -> AppDeleted:
    """The app is gone, or another of the same name stands in its place."""
    return AppDeleted(
        f"app {label(identifier)} was deleted while it was waited for; {conditions.describe(last)}",
        last=last,
        endpoint=settings.endpoint,
        app=label(identifier),
    )


def _timed_out(
    settings: Settings,
    identifier: definition.Identifier,
    target: str,
    seconds: float,
    last: definition.App | None,
    standstill: str,
) -> WaitTimeout:
    why = f"; {standstill}" if standstill else ""
    return WaitTimeout(
        f"app {label(identifier)} was not {target} within {seconds:g} s; {conditions.describe(last)}{why}",
        last=last,
        endpoint=settings.endpoint,
        app=label(identifier),
    )


def _failed(
    settings: Settings, identifier: definition.Identifier, app: definition.App, verdict: Verdict
) -> Flow[DeploymentFailed]:
    what = "failed" if verdict is Verdict.FAILED else "was stopped while it should become active"
    lines = (yield from last_words(settings, identifier)) if verdict is Verdict.FAILED else ()
    return DeploymentFailed(
        f"app {label(identifier)} {what}; {conditions.describe(app)}",
        substate=conditions.substate(app),
        reason=conditions.message(app),
        log_lines=lines,
        last=app,
        endpoint=settings.endpoint,
        app=label(identifier),
    )
