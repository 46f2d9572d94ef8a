"""ControlService over one plane: faults, clock, the log of calls, scenarios, streams, its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from google.protobuf.message import Message

from flyteapps_control.api import ControlError
from flyteapps_control.codes import code_name
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.control.calls.given_lines import GivenLines
from flyteapps_fake.control.calls.query import Query
from flyteapps_fake.control.calls.record_form import recorded
from flyteapps_fake.control.calls.written_test import write_test
from flyteapps_fake.control.clock_service import ClockService
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.scenario_service import ScenarioService
from flyteapps_fake.control.state.service import StateService
from flyteapps_fake.control.waiting import pauses, sleep
from flyteapps_fake.control.well_formed import check_well_formed
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.time.clock import SECOND, timestamp
from flyteapps_fake.core.time.interrupts import held_back
from flyteapps_fake.core.time.usage import UsedApp
from flyteapps_fake.core.validation import check

if TYPE_CHECKING:
    from flyteapps_fake.auth.authentication import Authentication

M = TypeVar("M", bound=Message)

SERVICE = pb.DESCRIPTOR.services_by_name["ControlService"].full_name
LOG_OFF = (
    "the log of calls is off: use the pytest fixture flyte_plane, FakeControlPlane(call_log=1000), "
    "or flyteapps serve --call-log-size 1000"
)

NO_TOKENS = "this plane issues no tokens: use FakeControlPlane(auth=...), or flyteapps serve --auth"
NO_CLUSTER = "no cluster is simulated, as --run or --data-plane none says: apps scale as their clusters report"


class Row(NamedTuple):
    """One method of the service. `long`: whether it may take long without the plane's lock, so that others can go on.

    Long are those that look at all recorded calls, and those with requests of thousands of values.
    """

    request: type[Message]
    response: type[Message]
    handler: Callable[[Any], Message]
    no_side_effects: bool = False
    long: bool = False


class ControlService:
    """The control API of one plane. Every handler raises RpcError for a request that it refuses."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        clock, scenarios, state = ClockService(plane), ScenarioService(plane), StateService(plane)
        self.handlers: Mapping[str, Row] = {
            "AddFaults": Row(pb.AddFaultsRequest, pb.AddFaultsResponse, self._add_faults, long=True),
            "ListFaults": Row(pb.ListFaultsRequest, pb.ListFaultsResponse, self._list_faults, True),
            "RemoveFaults": Row(pb.RemoveFaultsRequest, pb.RemoveFaultsResponse, self._remove_faults),
            "GetClock": Row(pb.GetClockRequest, pb.GetClockResponse, clock.get, True),
            "AdvanceClock": Row(pb.AdvanceClockRequest, pb.AdvanceClockResponse, clock.advance),
            "ExplainWaits": Row(pb.ExplainWaitsRequest, pb.ExplainWaitsResponse, clock.explain, True),
            "ListCalls": Row(pb.ListCallsRequest, pb.ListCallsResponse, self._list_calls, True, long=True),
            "VerifyCalls": Row(pb.VerifyCallsRequest, pb.VerifyCallsResponse, self._verify_calls, True, long=True),
            "WriteTest": Row(pb.WriteTestRequest, pb.WriteTestResponse, self._write_test, True, long=True),
            "ClearCalls": Row(pb.ClearCallsRequest, pb.ClearCallsResponse, self._clear_calls),
            "AddScenarios": Row(pb.AddScenariosRequest, pb.AddScenariosResponse, scenarios.add, long=True),
            "ListScenarios": Row(pb.ListScenariosRequest, pb.ListScenariosResponse, scenarios.list, True),
            "RemoveScenarios": Row(pb.RemoveScenariosRequest, pb.RemoveScenariosResponse, scenarios.remove),
            "UseScenario": Row(pb.UseScenarioRequest, pb.UseScenarioResponse, scenarios.use),
            "ListAppScenarios": Row(pb.ListAppScenariosRequest, pb.ListAppScenariosResponse, scenarios.of_apps, True),
            "SetLoad": Row(pb.SetLoadRequest, pb.SetLoadResponse, self._set_load),
            "ListLoads": Row(pb.ListLoadsRequest, pb.ListLoadsResponse, self._list_loads, True),
            "ClearLoads": Row(pb.ClearLoadsRequest, pb.ClearLoadsResponse, self._clear_loads),
            "ListAppUsage": Row(pb.ListAppUsageRequest, pb.ListAppUsageResponse, self._list_usage, True),
            "RotateKeys": Row(pb.RotateKeysRequest, pb.RotateKeysResponse, self._rotate_keys),
            "SkewTokens": Row(pb.SkewTokensRequest, pb.SkewTokensResponse, self._skew_tokens),
            "DropStreams": Row(pb.DropStreamsRequest, pb.DropStreamsResponse, self._drop_streams),
            "Reset": Row(pb.ResetRequest, pb.ResetResponse, state.reset),
            "TakeSnapshot": Row(pb.TakeSnapshotRequest, pb.TakeSnapshotResponse, state.take),
            "RestoreSnapshot": Row(pb.RestoreSnapshotRequest, pb.RestoreSnapshotResponse, state.restore),
            "ListSnapshots": Row(pb.ListSnapshotsRequest, pb.ListSnapshotsResponse, state.list, True),
            "DropSnapshots": Row(pb.DropSnapshotsRequest, pb.DropSnapshotsResponse, state.drop),
            "ExportState": Row(pb.ExportStateRequest, pb.ExportStateResponse, state.export, long=True),
            "LoadState": Row(pb.LoadStateRequest, pb.LoadStateResponse, state.load, long=True),
        }
        """The methods by name."""

    def answer(self, row: Row, request: Message) -> Message:
        """Check a request, and answer it. Raises RpcError, and Postponed after the first part of a long move."""
        check(request)
        check_well_formed(request)
        return row.handler(request)

    def call(self, method: str, request: Message, response: type[M]) -> M:
        """Answer a request in process; Ctrl-C interrupts it where the plane is consistent. Raises ControlError."""
        try:
            with held_back() as interruptible:
                try:
                    answer = self._plane.safely(lambda: self.answer(self.handlers[method], request))
                except Postponed as postponed:
                    for seconds in pauses(postponed, None):
                        interruptible()
                        sleep(postponed, seconds)
                    answer = postponed.resume()
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

    def _list_calls(self, request: pb.ListCallsRequest) -> pb.ListCallsResponse:
        self._require_log()
        query = self._query(request.select)
        after, also = request.after, frozenset(request.also)
        records = (each for each in self._plane.recorded_calls() if each.number > after or each.number in also)
        found = [record for record in records if query.matches(record)]
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

    def _write_test(self, request: pb.WriteTestRequest) -> pb.WriteTestResponse:
        self._require_log()
        query = self._query(request.select)
        found = [record for record in self._plane.recorded_calls() if query.matches(record)]
        if not found:
            raise RpcError(Code.FAILED_PRECONDITION, "no call is recorded that matches: there is nothing to repeat")
        with self._plane.scenario_book() as book:
            given = GivenLines(found, self._plane.recorded_loads(), book)
        try:
            source = write_test(found, self._plane.settings, self._plane.forgotten_calls(), given)
        except ValueError as error:
            raise RpcError(Code.RESOURCE_EXHAUSTED, str(error)) from None
        return pb.WriteTestResponse(source=source)

    def _clear_calls(self, request: pb.ClearCallsRequest) -> pb.ClearCallsResponse:
        return pb.ClearCallsResponse(cleared=self._plane.clear_calls())

    def _set_load(self, request: pb.SetLoadRequest) -> pb.SetLoadResponse:
        if self._plane.settings.data_plane != "simulated":
            raise RpcError(Code.FAILED_PRECONDITION, NO_CLUSTER)
        try:
            return pb.SetLoadResponse(apps=self._plane.set_load(request.load))
        except ValueError as error:
            raise RpcError(Code.RESOURCE_EXHAUSTED, str(error)) from None

    def _list_loads(self, request: pb.ListLoadsRequest) -> pb.ListLoadsResponse:
        return pb.ListLoadsResponse(loads=self._plane.list_loads())

    def _clear_loads(self, request: pb.ClearLoadsRequest) -> pb.ClearLoadsResponse:
        return pb.ClearLoadsResponse(loads=self._plane.clear_loads(request.app if request.HasField("app") else None))

    def _list_usage(self, request: pb.ListAppUsageRequest) -> pb.ListAppUsageResponse:
        found, count = self._plane.used_apps(request.app)
        return pb.ListAppUsageResponse(apps=map(_usage, found), app_count=count)

    def _rotate_keys(self, request: pb.RotateKeysRequest) -> pb.RotateKeysResponse:
        authentication = self._issuing()
        self._plane.run(lambda: authentication.rotate_keys(keep=not request.drop))
        return pb.RotateKeysResponse()

    def _skew_tokens(self, request: pb.SkewTokensRequest) -> pb.SkewTokensResponse:
        authentication = self._issuing()
        seconds = (request.ahead.ToNanoseconds() - request.behind.ToNanoseconds()) / SECOND
        self._plane.run(lambda: authentication.skew(seconds))
        return pb.SkewTokensResponse()

    def _issuing(self) -> Authentication:
        """Return the authentication of a plane that issues tokens. Raises RpcError."""
        authentication = self._plane.authentication
        if authentication is None:
            raise RpcError(Code.FAILED_PRECONDITION, NO_TOKENS)
        if authentication.provider is not None:
            issuer = authentication.settings.provider
            raise RpcError(Code.FAILED_PRECONDITION, f"this plane issues no tokens: {issuer} does")
        return authentication

    def _drop_streams(self, request: pb.DropStreamsRequest) -> pb.DropStreamsResponse:
        try:
            code = code_name(request.code or "UNAVAILABLE")
        except ValueError as error:
            raise RpcError(Code.INVALID_ARGUMENT, str(error)) from None
        return pb.DropStreamsResponse(dropped=self._plane.end_streams_of(request.app, Code[code]))

    def _query(self, select: pb.CallSelector) -> Query:
        try:
            return Query(select, self._plane.rpcs)
        except ValueError as error:
            raise RpcError(Code.INVALID_ARGUMENT, str(error)) from None


def _usage(used: UsedApp) -> pb.AppUsage:
    message = pb.AppUsage(app=str(used.app), since=timestamp(used.since))
    for time, replicas in used.replicas:
        message.replicas.add(time=timestamp(time), replicas=replicas)
    for time, load in used.loads:
        message.loads.add(time=timestamp(time), load=load)
    for time, span, requests in used.requests:
        message.requests.add(time=timestamp(time), requests=requests).span.FromNanoseconds(span)
    return message
