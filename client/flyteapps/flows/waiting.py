"""The wait for an app to become active, or to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.apps import conditions
from flyteapps.errors import AppDeleted, DeploymentFailed, InvalidArgument, WaitTimeout
from flyteapps.flows.follow import Follow, Kind, Observation, stalled
from flyteapps.flows.last_log_lines import last_log_lines
from flyteapps.flows.operations import Flow, Now
from flyteapps.flows.verdicts import Baseline, Verdict, WaitFor
from flyteapps.settings import Settings, label
from flyteapps.support.durations import patience
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests


class Standstill:
    """The check whether a plane's clock stands still, so that a wait observes no change.

    `hint`: returns the transport's hint about its plane's clock, "" where that runs by itself.
    """

    def __init__(self, hint: Callable[[], str]) -> None:
        self._hint = hint
        self._first = hint()

    def now(self) -> str:
        """Return the hint, "" if the time runs or was moved since the wait began."""
        return self._first if self._first and self._hint() == self._first else ""


@dataclass(frozen=True, slots=True)
class Waited:
    """The outcome of a successful wait.

    `how`: "observed" if the plane showed that the state belongs to the awaited write; "settled" if the state only
    stayed unchanged for `Waits.settle` seconds, on a plane that can return old states. `scaled_to_zero`: the app is
    active without a replica. `seconds`: the duration.
    """

    how: str
    scaled_to_zero: bool
    seconds: float


class _End(Enum):
    REACHED = "the target was observed"
    SETTLED = "the target stayed unchanged long enough"
    FAILED = "the app failed"
    STOPPED = "the app was stopped"
    DELETED = "the app was deleted, or created anew"
    TIMED_OUT = "the deadline passed"


_ENDS = {
    Verdict.REACHED: _End.REACHED,
    Verdict.FAILED: _End.FAILED,
    Verdict.STOPPED: _End.STOPPED,
    Verdict.REPLACED: _End.DELETED,
}


def wait(
    settings: Settings,
    known: definition.App,
    target: WaitFor,
    baseline: Baseline,
    timeout: float | None,
    standstill: Standstill | None = None,
) -> Flow[tuple[definition.App, Waited]]:
    """Wait until the known app has reached the target; return the app, and the outcome.

    `timeout` in seconds, None for the client's own. `standstill`: of a plane with a clock that may stand still. Raises
    DeploymentFailed, AppDeleted, WatchStalled, WaitTimeout.
    """
    if target not in ("activated", "deactivated"):
        raise InvalidArgument(f'wait_for={target!r}: "activated" or "deactivated"')
    timeout = patience(timeout)
    seconds = settings.waits.timeout if timeout is None else timeout
    identifier = known.metadata.id
    started: float = yield Now()
    waiting = _Wait(Follow(settings, identifier), baseline, target, settings.waits.settle)
    end, app = yield from waiting.run(started + seconds)
    yield from waiting.follow.close()
    if end is _End.TIMED_OUT:
        if (failing := waiting.follow.failing) is not None:
            raise stalled(settings, identifier, app or known, seconds, failing) from failing
        hint = standstill.now() if standstill else ""
        raise _timed_out(settings, identifier, target, seconds, app or known, hint)
    if end is _End.DELETED or app is None:
        raise _deleted(settings, identifier, app)
    if end in (_End.FAILED, _End.STOPPED):
        raise (yield from _failed(settings, identifier, app, end)) from None
    how = "settled" if end is _End.SETTLED else "observed"
    return app, Waited(how, conditions.scaled_to_zero(app), waiting.now - started)


class _Wait:
    """The state of one wait.

    `baseline`: grows with each observation. `settles`: the time at which an unchanged state counts, None while there is
    none.
    """

    def __init__(self, follow: Follow, baseline: Baseline, target: WaitFor, settle: float) -> None:
        self.follow = follow
        self.now = 0.0
        self._baseline = baseline
        self._target: WaitFor = target
        self._settle_seconds = settle
        self._settles: float | None = None

    def run(self, deadline: float) -> Flow[tuple[_End, definition.App | None]]:
        """Observe the app until the wait ends; return its end, and the app as last observed."""
        while True:
            observation = yield from self.follow.next(min(deadline, self._settles or deadline))
            self.now = yield Now()
            if observation.kind is not Kind.TIME:
                if self.follow.traits.loses_events and self._ends_badly(observation):
                    # an event can be older than the snapshot before it
                    observation = (yield from self.follow.read_now(deadline)) or observation
            elif self._is_settled:
                read = yield from self.follow.read_now(deadline)
                if read is None:
                    self._settles = None
                observation = read or observation
            elif self.now >= deadline:
                return _End.TIMED_OUT, observation.app
            else:
                continue
            if observation.kind is Kind.DELETED:
                return _End.DELETED, observation.app
            end = self._end_by(observation.app) if observation.app is not None else None
            if end is not None:
                return end, observation.app

    @property
    def _is_settled(self) -> bool:
        return self._settles is not None and self.now >= self._settles

    def _end_by(self, app: definition.App) -> _End | None:
        """Return the end of the wait by this observation, None if it goes on."""
        self._baseline = self._baseline.learning(app)
        verdict = self._baseline.judge(app, self._target)
        settled = verdict is Verdict.UNCHANGED and self._is_settled
        if settled:
            verdict = self._baseline.settled().judge(app, self._target)
        elif verdict is Verdict.UNCHANGED:
            self._settles = self._settles or self.now + self._settle_seconds
            return None
        self._settles = None
        return _End.SETTLED if settled and verdict is Verdict.REACHED else _ENDS.get(verdict)

    def _ends_badly(self, observation: Observation) -> bool:
        if observation.kind is not Kind.SEEN or observation.app is None:
            return observation.kind is Kind.DELETED
        baseline = self._baseline.learning(observation.app)
        return baseline.judge(observation.app, self._target) in (Verdict.FAILED, Verdict.STOPPED)


def _deleted(settings: Settings, identifier: definition.Identifier, last: definition.App | None) -> AppDeleted:
    return AppDeleted(
        f"app {label(identifier)} was deleted during the wait for it; {conditions.describe(last)}",
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
    settings: Settings, identifier: definition.Identifier, app: definition.App, end: _End
) -> Flow[DeploymentFailed]:
    what = "failed" if end is _End.FAILED else "was stopped while it should become active"
    lines = (yield from last_log_lines(settings, identifier)) if end is _End.FAILED else ()
    return DeploymentFailed(
        f"app {label(identifier)} {what}; {conditions.describe(app)}",
        substate=conditions.substate(app),
        reason=conditions.message(app),
        log_lines=lines,
        last=app,
        endpoint=settings.endpoint,
        app=label(identifier),
    )
