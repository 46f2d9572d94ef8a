"""The lines of a written test that let its apps have what they had: scenarios of their starts, and declared loads.

An app names its scenario itself, by label or variable, or has the default one: nothing is written for these. For any
other start a use is written, whatever it came from: the repeated calls may be a part of those that were counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flyteapps_control.loads import text_of
from flyteapps_control.selection import AppGlobs
from flyteapps_control.v1.control_pb2 import AppSelector
from flyteapps_fake.control.call_log import MAX_LOADS, LoadChange, Record
from flyteapps_fake.control.calls.message_code import data_code, literal
from flyteapps_fake.simulation.book import ScenarioBook
from flyteapps_fake.simulation.files.builtin import builtin_scenarios
from flyteapps_fake.simulation.given import DEFAULT, Given
from flyteapps_fake.simulation.scenarios import Scenario

CHOOSING = ("when", "weight")
"""Fields of a scenario that choose apps, which a written use does instead."""


class GivenLines:
    """The lines before each of these calls. `loads`: all changes of declared loads, the oldest first."""

    def __init__(self, records: Sequence[Record], loads: Sequence[LoadChange], book: ScenarioBook) -> None:
        self._book = book
        self._builtin = builtin_scenarios(book.dialect)
        self._added: dict[str, Mapping[str, Any]] = {}
        apps = {record.app for record in records}
        declared = [each for each in loads if each.load is None or any(map(AppGlobs(each.load.app).matches, apps))]
        first = next((index for index, each in enumerate(declared) if each.load is not None), len(declared))
        self._loads = declared[first:]
        self.warnings = ["# Older declared loads were forgotten, and are not repeated."] * (len(loads) == MAX_LOADS)

    def loads_before(self, number: int, until_ns: int) -> Iterator[tuple[int, str]]:
        """Yield the lines about loads since the last call before the call of that number, each with its time."""
        while self._loads and self._loads[0].after < number and self._loads[0].time_ns <= until_ns:
            change = self._loads.pop(0)
            if change.load is not None:
                amount, app = literal(text_of(change.load)), change.load.app
                yield change.time_ns, f"flyte_plane.loads.set({', '.join((amount, *_selected(app)))})"
            else:
                yield change.time_ns, f"flyte_plane.loads.clear({', '.join(_selected(change.app or AppSelector()))})"

    def scenarios_of(self, record: Record) -> Iterator[str]:
        """Yield the lines that let apps have, from this call on, the scenarios that they had."""
        for given in record.starts:
            if given.scenario is None:
                if not given.own:
                    yield f"# {given.app} had the scenario {given.name}, which isn't there: it is not repeated"
                continue
            yield from self._add(given.scenario)
            if not given.own and given.reason != DEFAULT:
                yield from _use(given)

    def _add(self, scenario: Scenario) -> Iterator[str]:
        """Yield the line that adds a user's scenario, with those that follow it, unless they are there."""
        wanted: dict[str, Mapping[str, Any]] = {}
        following: Scenario | None = scenario
        while following is not None and following.name not in (*self._builtin, *wanted):
            data = {key: value for key, value in following.data.items() if key not in CHOOSING}
            after = self._book.find(following.after) if following.after else None
            if after is None:
                data.pop("then", None)
            wanted[following.name] = data
            following = after
        if new := {name: data for name, data in wanted.items() if self._added.get(name) != data}:
            self._added.update(new)
            yield f"flyte_plane.scenarios.add({data_code({'scenarios': new})})"


def _use(given: Given) -> Iterator[str]:
    app = AppSelector(project=given.app.project, domain=given.app.domain, name=given.app.name)
    arguments = (literal(given.name), *_selected(app), "times=1")
    yield f"flyte_plane.scenarios.use({', '.join(arguments)})"


def _selected(app: AppSelector) -> Iterator[str]:
    """Yield the keywords that select apps."""
    for name, value in (("app", app.name), ("project", app.project), ("domain", app.domain)):
        if value:
            yield f"{name}={literal(value)}"
