"""The methods of ControlService about scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from google.protobuf.json_format import MessageToDict

from flyteapps_control.selection import AppGlobs
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.simulation.book import Use
from flyteapps_fake.simulation.files.located import ScenarioError, from_data, from_text
from flyteapps_fake.simulation.files.parsing import parse_scenarios
from flyteapps_fake.simulation.given import Given
from flyteapps_fake.simulation.scenarios import Scenario

T = TypeVar("T")
ADDED = "control API"
NO_CLUSTER = "no cluster is simulated, as --run or --data-plane none says: scenarios have no effect"


class ScenarioService:
    """The scenarios of one plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane

    def add(self, request: pb.AddScenariosRequest) -> pb.AddScenariosResponse:
        """Add scenarios. Raises RpcError."""
        self._require_cluster()
        return pb.AddScenariosResponse(scenarios=_scenarios(_refusing(lambda: self._add(request))))

    def list(self, request: pb.ListScenariosRequest) -> pb.ListScenariosResponse:
        """List the scenarios and their uses."""
        with self._plane.scenario_book() as book:
            found = [_message(each, origin) for origin, each in book.list()]
            return pb.ListScenariosResponse(scenarios=found, uses=map(_use, book.uses()))

    def remove(self, request: pb.RemoveScenariosRequest) -> pb.RemoveScenariosResponse:
        """Remove scenarios and uses. Raises RpcError."""
        with self._plane.scenario_book() as book:
            if request.names or request.uses:
                names, ids = dict.fromkeys(request.names), dict.fromkeys(request.uses)
                scenarios, uses = _refusing(lambda: book.remove(names, ids))
            else:
                scenarios, uses = book.clear()
            return pb.RemoveScenariosResponse(scenarios=_scenarios(scenarios), uses=map(_use, uses))

    def use(self, request: pb.UseScenarioRequest) -> pb.UseScenarioResponse:
        """Let apps get a scenario. Raises RpcError."""
        self._require_cluster()
        with self._plane.scenario_book() as book:
            found = _refusing(lambda: book.use(request.scenario, request.app, request.times))
            return pb.UseScenarioResponse(use=_use(found))

    def of_apps(self, request: pb.ListAppScenariosRequest) -> pb.ListAppScenariosResponse:
        """List the scenarios that apps have."""
        with self._plane.scenario_book() as book:
            found = book.given.of(AppGlobs(request.app))
            listed = found[: request.limit] if request.limit else found
            return pb.ListAppScenariosResponse(scenarios=map(_given, listed), count=len(found))

    def _require_cluster(self) -> None:
        if self._plane.settings.data_plane != "simulated":
            raise RpcError(Code.FAILED_PRECONDITION, NO_CLUSTER)

    def _add(self, request: pb.AddScenariosRequest) -> Iterable[Scenario]:
        if request.WhichOneof("source") == "text":
            value = from_text(request.text, request.name or "text")
        else:
            value = from_data(_whole(MessageToDict(request.content)))
        scenarios = parse_scenarios(value)
        with self._plane.scenario_book() as book:
            return book.add(scenarios, request.ByteSize())


def _refusing(run: Callable[[], T]) -> T:
    try:
        return run()
    except ScenarioError as error:
        raise RpcError(Code.INVALID_ARGUMENT, str(error)) from None
    except KeyError as error:
        raise RpcError(Code.NOT_FOUND, str(error.args[0])) from None


def _scenarios(scenarios: Iterable[Scenario]) -> list[pb.Scenario]:
    return [_message(each, ADDED) for each in scenarios]


def _message(scenario: Scenario, origin: str) -> pb.Scenario:
    return pb.Scenario(name=scenario.name, summary=scenario.summary, origin=origin, place=scenario.place)


def _use(use: Use) -> pb.ScenarioUse:
    return pb.ScenarioUse(id=use.id, scenario=use.scenario, app=use.app, times=use.times, applied=use.applied)


def _given(given: Given) -> pb.AppScenario:
    return pb.AppScenario(app=str(given.app), scenario=given.name, reason=given.reason, detail=given.detail)


def _whole(value: Any) -> Any:
    """Return the value with whole numbers as such, and keys in order: a Struct has floats alone, and no order."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in sorted(cast("dict[str, Any]", value).items())}
    return value
