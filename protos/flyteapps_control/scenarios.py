"""Scenarios by the control API: `control.scenarios.add("scenarios.yaml")`, `control.scenarios.use("crash-loop")`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.struct_pb2 import Struct

from flyteapps_control.api import Api
from flyteapps_control.arguments import selected, text, whole
from flyteapps_control.v1 import control_pb2 as pb

MAX_BYTES = 1 << 20
"""Bytes of one text."""
MAX_WHOLE = 2**53
"""The largest whole number that a Struct holds exactly, as those below."""


class Scenarios:
    """The scenarios that the plane's apps can get."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(self, source: Mapping[str, Any] | str | os.PathLike[str]) -> list[pb.Scenario]:
        """Add the scenarios of a mapping, or of a file of YAML or JSON by its path, all or none; return them.

        A scenario of the same name that was added before goes; its apps have the new one from their next starts on.
        Raises ControlError with the place of the first mistake, ValueError for what is no mapping of JSON, OSError for
        a file that can't be read.
        """
        if isinstance(source, str | os.PathLike):
            name = os.fspath(source)
            request = pb.AddScenariosRequest(text=_text_of(name), name=name)
        else:
            request = pb.AddScenariosRequest(content=_struct(source))
        return list(self._api.call("AddScenarios", request, pb.AddScenariosResponse).scenarios)

    def use(self, name: str, *, app: str = "", project: str = "", domain: str = "", times: int = 0) -> pb.ScenarioUse:
        """Let the next `times` starts of those apps (globs) get a scenario, all starts for 0; return the use.

        What an app names itself wins. Uses with `times` come first, in the order in which they were added; of the
        others the last. Raises ControlError for an unknown scenario.
        """
        apps = selected(app, project, domain)
        request = pb.UseScenarioRequest(scenario=text("the scenario", name), app=apps, times=whole("times", times))
        return self._api.call("UseScenario", request, pb.UseScenarioResponse).use

    def list(self) -> list[pb.Scenario]:
        """Return all scenarios, built-in ones included, by name."""
        return [*self._list().scenarios]

    def uses(self) -> list[pb.ScenarioUse]:
        """Return the uses, in the order in which they were added, with how many starts have had each."""
        return [*self._list().uses]

    def of(self, *, app: str = "", project: str = "", domain: str = "", limit: int = 0) -> list[pb.AppScenario]:
        """Return the scenarios that those apps (globs) have since their last starts, each with the reason.

        `limit`: those of the first so many apps, in order of their names; 0 for all.
        """
        request = pb.ListAppScenariosRequest(app=selected(app, project, domain), limit=limit)
        return [*self._api.call("ListAppScenarios", request, pb.ListAppScenariosResponse).scenarios]

    def remove(self, *which: str | pb.Scenario | pb.ScenarioUse) -> None:
        """Remove added scenarios (by name) with their uses, and uses; all or none. Raises ControlError."""
        if which:
            uses = [each.id for each in which if isinstance(each, pb.ScenarioUse)]
            others = [each for each in which if not isinstance(each, pb.ScenarioUse)]
            names = [each.name if isinstance(each, pb.Scenario) else text("a scenario", each) for each in others]
            self._remove(names=names, uses=uses)

    def clear(self) -> None:
        """Remove all scenarios that were added, and all uses."""
        self._remove()

    def _list(self) -> pb.ListScenariosResponse:
        return self._api.call("ListScenarios", pb.ListScenariosRequest(), pb.ListScenariosResponse)

    def _remove(self, **which: Any) -> None:
        self._api.call("RemoveScenarios", pb.RemoveScenariosRequest(**which), pb.RemoveScenariosResponse)


def _text_of(name: str) -> str:
    with open(name, "rb") as file:
        content = file.read(MAX_BYTES + 1)  # a device, such as /dev/zero, has no end
    if len(content) > MAX_BYTES:
        raise ValueError(f"{name}: more than {MAX_BYTES:,} bytes of scenarios: split them into several files")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{name}: is not text in UTF-8") from None


def _struct(source: Mapping[str, Any]) -> Struct:
    try:
        if not isinstance(source, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
            raise TypeError(f"it is {source!r:.80}")
        return ParseDict(json.loads(json.dumps(source, allow_nan=False), parse_int=_whole), Struct())
    except (TypeError, ValueError, ArithmeticError, RecursionError, ParseError) as error:
        raise ValueError(f"scenarios must be a path, or a mapping of what JSON knows: {error}") from None


def _whole(digits: str) -> int:
    number = int(digits)
    if abs(number) > MAX_WHOLE:
        raise ValueError(f"{digits:.40} is too large for a number of JSON to stay exact: write it as a text")
    return number
