"""The clock by the control API: its time, its pending timers, and its moves."""

from __future__ import annotations

from typing import NoReturn

from flyteidl2.app.app_definition_pb2 import Status

from flyteapps_control.durations import text_of
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.waits import Wait, moment_text
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import short_name
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.time.clock import END
from flyteapps_fake.core.time.moves import PART_TIMERS, TURN_SECONDS
from flyteapps_fake.core.time.timers import PendingTimer

DAY = 86_400 * 1_000_000_000
"""Nanoseconds."""
STATUSES = tuple(short_name(value) for value in Status.DeploymentStatus.values() if value)
MAX_LISTED = 1_000
"""Timers or waits in one answer, without a limit in the request."""
MAX_NAMED = 5
"""Apps whose states are in one text."""
_PURPOSE = "the clock was advanced, which stands at the last timer that fired"
"""The text for the error of a move that is given up."""


class ClockService:
    """The part of the control API that is about the clock of one plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def get(self, request: pb.GetClockRequest) -> pb.GetClockResponse:
        """Return the mode of the clock, its time, and the earliest of the pending timers."""
        settings = self._plane.settings
        limit = request.max_timers if request.HasField("max_timers") else MAX_LISTED
        now, timers, count = self._plane.timed(
            lambda _, timeline: (timeline.clock.now(), timeline.pending(limit), timeline.timers.count)
        )
        answer = pb.GetClockResponse(mode=settings.clock, timer_count=count)
        answer.now.FromNanoseconds(now)
        if settings.clock == "realtime":
            answer.speed = settings.speed
        answer.timers.extend(map(timer_message, timers))
        return answer

    def explain(self, request: pb.ExplainWaitsRequest) -> pb.ExplainWaitsResponse:
        """Return what open streams, delayed calls and moving apps wait for."""
        limit = request.max_waits if request.HasField("max_waits") else MAX_LISTED
        (waits, count), now = self._plane.waits(request.app, limit), self._plane.now_ns()
        answer = pb.ExplainWaitsResponse(clock=self._moved_by(now), wait_count=count)
        answer.now.FromNanoseconds(now)
        if not count and request.app.ByteSize():
            answer.otherwise = _states(self._plane, request.app)
        answer.waits.extend(_wait_message(each, now) for each in waits)
        return answer

    def _moved_by(self, now: int) -> str:
        settings = self._plane.settings
        match settings.clock:
            case "manual":
                return f"the clock is manual, and stands at {moment_text(now)} until it is advanced"
            case "auto":
                return f"the clock is auto, at {moment_text(now)}: it goes on while a client waits for an app"
            case "realtime":
                return f"the clock is realtime, at {moment_text(now)}, at speed {settings.speed:g}"

    def advance(self, request: pb.AdvanceClockRequest) -> pb.AdvanceClockResponse:
        """Move a manual clock. Raises RpcError, and Postponed after the first part of a long move."""
        move = self._move(request)
        postponed = Postponed(0.0, move.left, move.response, _nothing, purpose=_PURPOSE, ends_with_client=True)
        if move.left() > 0:
            raise postponed
        return move.response()

    def _move(self, request: pb.AdvanceClockRequest) -> _Move:
        plane = self._plane
        if plane.settings.clock != "manual":
            raise RpcError(
                Code.FAILED_PRECONDITION,
                f"the clock is {plane.settings.clock}, and moves by itself: only a manual one can be advanced "
                '(FakeControlPlane(clock="manual"), flyteapps serve --clock manual)',
            )
        match request.WhichOneof("target"):
            case "duration":
                return self._by(request, request.duration.ToNanoseconds())
            case "next_timer":
                due = plane.next_timer_due()
                if due is None:
                    raise RpcError(Code.FAILED_PRECONDITION, "no timer is pending: nothing is to happen")
                return self._by(request, max(0, due - plane.now_ns()))
            case _:
                return _Until(plane, request)

    def _by(self, request: pb.AdvanceClockRequest, nanoseconds: int) -> _Move:
        try:
            return _Move(self._plane, request, nanoseconds)
        except ValueError as error:
            raise RpcError(Code.OUT_OF_RANGE, str(error)) from None


def _nothing() -> None:
    pass


class _Move:
    """A move by so many nanoseconds, and its response. Made in parts, between which the plane answers other calls."""

    def __init__(self, plane: Plane, request: pb.AdvanceClockRequest, nanoseconds: int) -> None:
        self._plane = plane
        self._request = request
        self._advance = plane.advancing(nanoseconds)
        self._over = False

    @property
    def fired(self) -> int:
        """The number of timers that have fired."""
        return self._advance.fired

    def left(self) -> float:
        """Make the next part; return the real seconds to wait before another one, 0 for none."""
        most = self._request.max_timers
        timers = min(PART_TIMERS, most - self.fired) if most > self.fired else PART_TIMERS
        self._over = self._part(timers)
        if self._over or (most and self.fired >= most and self._can_rest):
            return 0.0
        return TURN_SECONDS

    def response(self) -> pb.AdvanceClockResponse:
        """Return the response."""
        answer = pb.AdvanceClockResponse(fired=self.fired)
        answer.now.FromNanoseconds(self._plane.now_ns())
        if not self._over:
            self._fill(answer.rest)
            answer.rest.max_timers = self._request.max_timers
        return answer

    def _part(self, timers: int) -> bool:
        """Fire at most so many timers; return whether the move is over."""
        return self._advance.run(timers)

    @property
    def _can_rest(self) -> bool:
        """Whether a request can say what is left: each commit takes a tick, by which the clock can be past the end."""
        return self._advance.left > 0

    def _fill(self, rest: pb.AdvanceClockRequest) -> None:
        """Fill the request that goes on."""
        rest.duration.FromNanoseconds(self._advance.left)


class _Until(_Move):
    """A move until an app has a status, from timer to timer."""

    def __init__(self, plane: Plane, request: pb.AdvanceClockRequest) -> None:
        super().__init__(plane, request, 0)
        until = request.until
        self._wanted = until.status.upper().removeprefix("DEPLOYMENT_STATUS_")
        if self._wanted not in STATUSES:
            known = ", ".join(STATUSES)
            raise RpcError(Code.INVALID_ARGUMENT, f"no status is called {until.status!r}: there are {known}")
        self._limit = self._left = until.limit.ToNanoseconds() if until.HasField("limit") else DAY
        self._fired = 0

    @property
    def fired(self) -> int:
        """The number of timers that have fired."""
        return self._fired

    def _part(self, timers: int) -> bool:
        plane, app, last = self._plane, self._request.until.app, self._fired + timers
        with plane.noting_changes(app) as changed:  # to look at the apps after each timer would take long with many
            look = True
            while not (look and any(status == self._wanted for _, status in plane.statuses(app))):
                if self._fired >= last:
                    return False
                now, due = plane.now_ns(), plane.next_timer_due()
                if due is None or due > min(now + self._left, END):
                    self._refuse(due)
                step = plane.advancing(max(0, due - now))
                while not step.run(timers):
                    pass
                self._fired += step.fired
                self._left -= plane.now_ns() - now
                look = changed()
        return True

    def _refuse(self, due: int | None) -> NoReturn:
        why = "nothing is pending that would change it" if due is None else f"within {text_of(self._limit)}"
        if due is not None and due > END:
            why = "and the clock stops at the beginning of the year 2150"
        moved = f"; the clock was moved, to {moment_text(self._plane.now_ns())}" if self._fired else ""
        shown = _states(self._plane, self._request.until.app)
        raise RpcError(Code.FAILED_PRECONDITION, f"no app is {self._wanted}, {why}: {shown}{moved}")

    @property
    def _can_rest(self) -> bool:
        return self._left > 0

    def _fill(self, rest: pb.AdvanceClockRequest) -> None:
        rest.until.CopyFrom(self._request.until)
        rest.until.limit.FromNanoseconds(self._left)


def _states(plane: Plane, selected: pb.AppSelector) -> str:
    """Return the states of selected apps, of the first ones where there are many."""
    found = plane.statuses(selected)
    more = f", and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return ", ".join(f"{name} is {status}" for name, status in found[:MAX_NAMED]) + more or "there is no such app"


def _wait_message(wait: Wait, now: int) -> pb.Wait:
    found = pb.Wait(
        rpc=wait.rpc,
        subject=wait.subject,
        status=wait.status,
        caller=wait.caller,
        protocol=wait.protocol,
        awaited=wait.awaited,
        reason=wait.reason,
        text=wait.text(now),
    )
    if wait.since is not None:
        found.since.FromNanoseconds(wait.since)
    if wait.timer is not None:
        found.timer.CopyFrom(timer_message(wait.timer))
    return found


def timer_message(timer: PendingTimer) -> pb.Timer:
    """Return a pending timer as a message."""
    found = pb.Timer(owner=str(timer.app), reason=timer.reason)
    found.due.FromNanoseconds(timer.due)
    return found
