"""ControlService over one plane: faults, clock, the log of calls, streams and apps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from flyteidl2.app.app_definition_pb2 import Status
from google.protobuf.message import Message

from flyteapps_control.codes import code_name
from flyteapps_control.durations import text_of
from flyteapps_control.face import ControlError
from flyteapps_control.selection import AppGlobs
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.control.call_query import Query
from flyteapps_fake.control.record_form import recorded
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import short_name
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.time.timers import PendingTimer
from flyteapps_fake.core.validation import check

M = TypeVar("M", bound=Message)

SERVICE = pb.DESCRIPTOR.services_by_name["ControlService"].full_name
DAY = 86_400 * 1_000_000_000
"""Nanoseconds."""
STATUSES = tuple(short_name(value) for value in Status.DeploymentStatus.values() if value)
LOG_OFF = (
    "the log of calls is off: use the pytest fixture flyte_plane, FakeControlPlane(call_log=1000), "
    "or flyteapps serve --call-log-size 1000"
)
MAX_TIMERS = 1_000
"""Timers in one answer."""


class Row(NamedTuple):
    """One method of the service."""

    request: type[Message]
    response: type[Message]
    handler: Callable[[Any], Message]
    no_side_effects: bool = False


class ControlService:
    """The control API of one plane. Every handler raises RpcError for a request that it refuses."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self.handlers: Mapping[str, Row] = {
            "AddFaults": Row(pb.AddFaultsRequest, pb.AddFaultsResponse, self._add_faults),
            "ListFaults": Row(pb.ListFaultsRequest, pb.ListFaultsResponse, self._list_faults, True),
            "RemoveFaults": Row(pb.RemoveFaultsRequest, pb.RemoveFaultsResponse, self._remove_faults),
            "GetClock": Row(pb.GetClockRequest, pb.GetClockResponse, self._get_clock, True),
            "AdvanceClock": Row(pb.AdvanceClockRequest, pb.AdvanceClockResponse, self._advance_clock),
            "ListCalls": Row(pb.ListCallsRequest, pb.ListCallsResponse, self._list_calls, True),
            "VerifyCalls": Row(pb.VerifyCallsRequest, pb.VerifyCallsResponse, self._verify_calls, True),
            "ClearCalls": Row(pb.ClearCallsRequest, pb.ClearCallsResponse, self._clear_calls),
            "DropStreams": Row(pb.DropStreamsRequest, pb.DropStreamsResponse, self._drop_streams),
            "Reset": Row(pb.ResetRequest, pb.ResetResponse, self._reset),
        }
        """The methods by name."""

    def answer(self, row: Row, request: Message) -> Message:
        """Check a request, and answer it. Raises RpcError."""
        check(request)
        return row.handler(request)

    def call(self, method: str, request: Message, response: type[M]) -> M:
        """Answer a request in process. Raises ControlError."""
        try:
            answer = self.answer(self.handlers[method], request)
        except RpcError as error:
            raise ControlError(error.code.name, error.message) from None
        assert isinstance(answer, response)
        return answer

    def _add_faults(self, request: pb.AddFaultsRequest) -> pb.AddFaultsResponse:
        try:
            return pb.AddFaultsResponse(faults=self._plane.add_faults(request.faults))
        except ValueError as error:
            raise RpcError(Code.INVALID_ARGUMENT, str(error)) from None

    def _list_faults(self, request: pb.ListFaultsRequest) -> pb.ListFaultsResponse:
        return pb.ListFaultsResponse(faults=self._plane.list_faults())

    def _remove_faults(self, request: pb.RemoveFaultsRequest) -> pb.RemoveFaultsResponse:
        try:
            return pb.RemoveFaultsResponse(faults=self._plane.remove_faults(list(request.ids)))
        except KeyError as error:
            raise RpcError(Code.NOT_FOUND, str(error.args[0])) from None

    def _get_clock(self, request: pb.GetClockRequest) -> pb.GetClockResponse:
        settings, timers = self._plane.settings, self._plane.pending_timers()
        answer = pb.GetClockResponse(mode=settings.clock, timer_count=len(timers))
        answer.now.FromNanoseconds(self._plane.now_ns())
        if settings.clock == "realtime":
            answer.speed = settings.speed
        for timer in timers[:MAX_TIMERS]:
            answer.timers.append(_timer(timer))
        return answer

    def _advance_clock(self, request: pb.AdvanceClockRequest) -> pb.AdvanceClockResponse:
        plane = self._plane
        if plane.settings.clock != "manual":
            raise RpcError(
                Code.FAILED_PRECONDITION,
                f"the clock is {plane.settings.clock}, and moves by itself: only a manual one can be advanced "
                '(FakeControlPlane(clock="manual"), flyteapps serve --clock manual)',
            )
        match request.WhichOneof("target"):
            case "duration":
                fired = plane.advance_by(request.duration.ToNanoseconds())
            case "next_timer":
                due = plane.next_timer_due()
                if due is None:
                    raise RpcError(Code.FAILED_PRECONDITION, "no timer is pending: nothing is to happen")
                fired = self._advance_to(due)
            case _:
                fired = self._advance_until(request.until)
        answer = pb.AdvanceClockResponse(fired=fired)
        answer.now.FromNanoseconds(plane.now_ns())
        return answer

    def _advance_until(self, until: pb.AdvanceClockRequest.Until) -> int:
        wanted = until.status.upper().removeprefix("DEPLOYMENT_STATUS_")
        if wanted not in STATUSES:
            known = ", ".join(STATUSES)
            raise RpcError(Code.INVALID_ARGUMENT, f"no status is called {until.status!r}: there are {known}")
        limit = until.limit.ToNanoseconds() if until.HasField("limit") else DAY
        plane = self._plane
        end, fired = plane.now_ns() + limit, 0
        while True:
            found = plane.statuses(until.app)
            if any(status == wanted for _, status in found):
                return fired
            due = plane.next_timer_due()
            if due is None or due > end:
                seen = ", ".join(f"{name} is {status}" for name, status in found[:5]) or "there is no such app"
                why = "nothing is pending that would change it" if due is None else f"within {text_of(limit)}"
                raise RpcError(Code.FAILED_PRECONDITION, f"no app is {wanted}, {why}: {seen}")
            fired += self._advance_to(due)

    def _advance_to(self, due: int) -> int:
        """Move the clock to a time, unless it is there; return how many timers fired."""
        return self._plane.advance_by(max(0, due - self._plane.now_ns()))

    def _list_calls(self, request: pb.ListCallsRequest) -> pb.ListCallsResponse:
        self._require_log()
        query = self._query(request.select)
        found = [record for record in self._plane.recorded_calls() if query.matches(record)]
        if request.limit:
            found = found[-request.limit :]
        return pb.ListCallsResponse(calls=map(recorded, found), forgotten=self._plane.forgotten_calls())

    def _require_log(self) -> None:
        if not self._plane.settings.call_log:
            raise RpcError(Code.FAILED_PRECONDITION, LOG_OFF)

    def _verify_calls(self, request: pb.VerifyCallsRequest) -> pb.VerifyCallsResponse:
        self._require_log()
        query = self._query(request.select)
        records = list(self._plane.recorded_calls())
        found = sum(map(query.matches, records))
        holds = found == request.times if request.HasField("times") else found > 0
        answer = pb.VerifyCallsResponse(holds=holds, found=found)
        if not holds:
            wanted = request.times if request.HasField("times") else None
            answer.explanation = query.explain(records, wanted, found, self._plane.forgotten_calls())
        return answer

    def _clear_calls(self, request: pb.ClearCallsRequest) -> pb.ClearCallsResponse:
        return pb.ClearCallsResponse(cleared=self._plane.clear_calls())

    def _drop_streams(self, request: pb.DropStreamsRequest) -> pb.DropStreamsResponse:
        try:
            code = code_name(request.code or "UNAVAILABLE")
        except ValueError as error:
            raise RpcError(Code.INVALID_ARGUMENT, str(error)) from None
        return pb.DropStreamsResponse(dropped=self._plane.end_streams_of(request.app, Code[code]))

    def _reset(self, request: pb.ResetRequest) -> pb.ResetResponse:
        removed = self._plane.remove_apps(request.app)
        if AppGlobs(request.app).is_all:
            self._plane.remove_faults([])
            self._plane.clear_calls()
        return pb.ResetResponse(removed=removed)

    def _query(self, select: pb.CallSelector) -> Query:
        try:
            return Query(select, self._plane.rpcs)
        except ValueError as error:
            raise RpcError(Code.INVALID_ARGUMENT, str(error)) from None


def _timer(timer: PendingTimer) -> pb.Timer:
    found = pb.Timer(owner=timer.app, reason=timer.reason)
    found.due.FromNanoseconds(timer.due)
    return found
