"""The scenarios that one plane knows: built-in ones, those of its settings, those of the control API; and their uses.

All or nothing: what is refused changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from flyteapps_control.selection import AppGlobs, AppName, Size, Totals
from flyteapps_control.v1.control_pb2 import AppSelector, ScenarioUse
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.simulation.files.builtin import builtin_scenarios
from flyteapps_fake.simulation.files.field_values import nearest
from flyteapps_fake.simulation.files.located import ScenarioError
from flyteapps_fake.simulation.files.sources import Source, Sources, Stamp, as_list, read, stamp_of
from flyteapps_fake.simulation.given import GivenScenarios
from flyteapps_fake.simulation.scenarios import HEALTHY, Scenario

MAX_ADDED = 10_000
"""Scenarios of the control API, and uses, each."""
MAX_ADDED_BYTES = 16 * 1024 * 1024
"""Bytes of the sources of the scenarios of the control API."""


@dataclass(slots=True)
class Use:
    """One use: the next `times` starts of these apps get the scenario, 0 for all of them."""

    id: str
    scenario: str
    app: AppSelector
    times: int
    globs: AppGlobs
    size: Size
    applied: int = 0

    @property
    def left(self) -> bool:
        """Whether a further start may get it."""
        return not self.times or self.applied < self.times


class Added(NamedTuple):
    """A scenario of the control API, and the bytes that it has of its source."""

    scenario: Scenario
    size: int


class ScenarioBook:
    """The scenarios of one plane of a dialect. Raises ScenarioError for a source that is invalid."""

    def __init__(self, dialect: str, sources: Sources | None = None) -> None:
        self.dialect = dialect
        self.files: dict[str, Stamp | None] = {}
        """The files of the settings, with their versions when they were read."""
        self._given: Mapping[str, Sequence[Scenario]] = dict(self._read(as_list(sources)))
        """The scenarios of each source, by its path or number."""
        self._named: Mapping[str, Scenario] = self._joined(self._given.values())
        self._added: dict[str, Scenario] = {}
        self._sizes: dict[str, int] = {}
        """The bytes that each of these has of its source."""
        self._uses: dict[str, Use] = {}
        self.last_use = 0
        """The number of the last id of a use."""
        self.on_touch: Callable[[str], None] | None = None
        """The function that is called with the name of each added scenario that is about to change."""
        self.on_touch_use: Callable[[str], None] | None = None
        """The function that is called with the id of each use that is about to change."""
        self._totals = Totals("uses of scenarios")
        self.given = GivenScenarios()
        """The scenarios that apps have."""
        self._check_following({**self._named})

    def _read(self, sources: Sequence[Source]) -> Iterator[tuple[str, Sequence[Scenario]]]:
        for index, source in enumerate(sources):
            if isinstance(source, Mapping):
                yield str(index), read(source)
            elif (path := os.fspath(source)) not in self.files:
                self.files[path] = stamp_of(path)
                yield path, read(path)
            else:
                raise ScenarioError(path, "the file is given twice")

    # ---- queries

    def find(self, name: str) -> Scenario | None:
        """Return the scenario of that name, or None."""
        return self._added.get(name) or self._named.get(name) or builtin_scenarios(self.dialect).get(name)

    def names(self) -> list[str]:
        """Return the names of all scenarios, in order."""
        return sorted({*builtin_scenarios(self.dialect), *self._named, *self._added})

    def list(self) -> Sequence[tuple[str, Scenario]]:
        """Return all scenarios with their origin: "built-in", "settings", or "control API"; by name."""
        found: dict[str, tuple[str, Scenario]] = {}
        for origin, scenarios in (
            ("built-in", builtin_scenarios(self.dialect)),
            ("settings", self._named),
            ("control API", self._added),
        ):
            found.update((name, (origin, each)) for name, each in scenarios.items())
        return [found[name] for name in sorted(found)]

    def matching(self) -> Iterator[Scenario]:
        """Yield the users' scenarios that have a `when`, by name."""
        if self._named or self._added:
            for _, each in sorted({**self._named, **self._added}.items()):
                if each.when is not None:
                    yield each

    def uses(self) -> list[Use]:
        """Return the uses, in the order in which they were added."""
        return [*self._uses.values()]

    def used(self, app: AppName) -> Use | None:
        """Return the use that an app's start gets: the first with times left, else the last of those without any."""
        found: Use | None = None
        for each in self._uses.values():
            if each.left and each.globs.matches(app):
                if each.times:
                    return each
                found = each
        return found

    # ---- changes

    def add(self, given: Iterable[Scenario], size: int) -> list[Scenario]:
        """Add the scenarios of a file or mapping of that many bytes; those of the same names that were added go."""
        scenarios = self._own(given)
        size += sum(response.size for each in scenarios for response in each.responses)  # aliases multiply them
        added = {**self._added, **{each.name: each for each in scenarios}}
        if len(added) > MAX_ADDED:
            raise ScenarioError("", f"a plane has at most {MAX_ADDED:,} added scenarios: remove some")
        sizes = {**self._sizes, **{each.name: size // len(scenarios) for each in scenarios}}
        if sum(sizes.values()) > MAX_ADDED_BYTES:
            raise ScenarioError("", f"all added scenarios can have at most {MAX_ADDED_BYTES:,} bytes: remove some")
        self._check_names(scenarios)
        self._check_following({**self._named, **added})
        _touch(self.on_touch, (each.name for each in scenarios))
        self._added, self._sizes = added, sizes
        return scenarios

    def remove(self, names: Collection[str], uses: Collection[str] = ()) -> tuple[list[Scenario], list[Use]]:
        """Remove added scenarios with their uses, and uses by their ids. Raises KeyError, ScenarioError."""
        for name in names:
            if name not in self._added:
                self._refuse_removal(name)
        if unknown := [each for each in uses if each not in self._uses]:
            raise KeyError(f"there is no use {quoted(unknown[0])}" + self._listed(self._uses))
        left = {name: each for name, each in self._added.items() if name not in names}
        self._check_following({**self._named, **left}, "is still named")
        removed = [each for name, each in self._added.items() if name in names]
        gone = [each for each in self._uses.values() if each.id in uses or each.scenario in names]
        _touch(self.on_touch, names)
        _touch(self.on_touch_use, (each.id for each in gone))
        self._added = left
        self._sizes = {name: size for name, size in self._sizes.items() if name in left}
        for each in gone:
            self._totals.remove(self._uses.pop(each.id).size)
        return removed, gone

    def use(self, name: str, app: AppSelector, times: int) -> Use:
        """Let apps get a scenario without naming it. Raises KeyError for an unknown one."""
        if self.find(name) is None:
            raise KeyError(f"the scenario {quoted(name)} is unknown; {nearest(name, self.names())}")
        if len(self._uses) >= MAX_ADDED:
            raise ScenarioError("", f"a plane has at most {MAX_ADDED:,} uses of scenarios: remove some")
        selector = AppSelector()
        selector.CopyFrom(app)
        size = Size.of(ScenarioUse(app=selector))
        try:
            self._totals.add([size])
        except ValueError as error:
            raise ScenarioError("", str(error)) from None
        use_id = f"u{self.last_use + 1}"
        _touch(self.on_touch_use, (use_id,))
        self.last_use += 1
        found = self._uses[use_id] = Use(use_id, name, selector, times, AppGlobs(selector), size)
        return found

    def apply(self, use: Use) -> None:
        """Count a start that gets a use."""
        _touch(self.on_touch_use, (use.id,))
        use.applied += 1

    def clear(self) -> tuple[list[Scenario], list[Use]]:
        """Remove the added scenarios and all uses."""
        _touch(self.on_touch, self._added)
        _touch(self.on_touch_use, self._uses)
        removed = [*self._added.values()], [*self._uses.values()]
        self._added, self._sizes, self._uses = {}, {}, {}
        self._totals = Totals("uses of scenarios")
        return removed

    def replace(self, path: str, scenarios: Sequence[Scenario]) -> None:
        """Replace the scenarios of a file of the settings."""
        given = {**self._given, path: scenarios}
        named = self._joined(given.values())
        self._check_following({**named, **self._added})
        self._given, self._named = given, named

    # ---- the pieces of the state

    def added(self, name: str) -> Added | None:
        """Return a scenario that was added, None for none."""
        found = self._added.get(name)
        return Added(found, self._sizes[name]) if found is not None else None

    def added_names(self) -> list[str]:
        """Return the names of the scenarios that were added, in order."""
        return sorted(self._added)

    def put(self, name: str, added: Added | None) -> None:
        """Replace a scenario that was added."""
        self._added.pop(name, None)
        self._sizes.pop(name, None)
        if added is not None:
            self._added[name], self._sizes[name] = added

    def own(self, scenario: Scenario) -> Scenario:
        """Return a scenario as the plane has it. Raises ScenarioError for one that it can't have."""
        found = self._own((scenario,))
        if not found:
            raise ScenarioError(scenario.place, f"it is of the dialect {scenario.dialect}")
        self._check_names(found)
        return found[0]

    def use_of(self, use_id: str) -> Use | None:
        """Return a copy of a use, which stays as it is; None for none."""
        found = self._uses.get(use_id)
        return replace(found) if found is not None else None

    def has_use(self, use_id: str) -> bool:
        """Return whether there is a use of that id."""
        return use_id in self._uses

    def put_use(self, use_id: str, use: Use | None) -> None:
        """Replace a use by such a copy; `settle` has to follow."""
        old = self._uses.pop(use_id, None)
        if old is not None:
            self._totals.remove(old.size)
        if use is not None:
            self._totals.put(use.size)
            self._uses[use_id] = replace(use)

    def settle(self) -> None:
        """Go on from the uses that were put."""
        self._uses = dict(sorted(self._uses.items(), key=lambda each: int(each[0][1:])))

    # ---- checks

    def _joined(self, given: Iterable[Sequence[Scenario]]) -> dict[str, Scenario]:
        """Return the scenarios of all sources by name. Raises ScenarioError for a name that is taken."""
        joined: dict[str, Scenario] = {}
        for each in self._own(scenario for source in given for scenario in source):
            if each.name in joined:
                raise ScenarioError(
                    each.place, f"the scenario {each.name} is defined twice, before at {joined[each.name].place}"
                )
            joined[each.name] = each
        self._check_names(joined.values())
        return joined

    def _own(self, scenarios: Iterable[Scenario]) -> list[Scenario]:
        """Return the scenarios that the plane's dialect has, those without steps with the steps of `healthy`."""
        return [
            each if each.steps else each._replace(steps=builtin_scenarios(self.dialect)[HEALTHY].steps)
            for each in scenarios
            if each.dialect in ("", self.dialect)
        ]

    def _check_names(self, scenarios: Iterable[Scenario]) -> None:
        for each in scenarios:
            if each.name in builtin_scenarios(self.dialect):
                raise ScenarioError(each.place, f"{each.name} is a built-in scenario: choose another name")

    def _check_following(self, named: Mapping[str, Scenario], verb: str = "is unknown") -> None:
        known = {*builtin_scenarios(self.dialect), *named} if named else ()
        for each in named.values():
            if each.after and each.after not in known:
                raise ScenarioError(
                    each.after_place, f"then: {quoted(each.after)} {verb}; {nearest(each.after, known)}"
                )

    def _refuse_removal(self, name: str) -> None:
        if name in builtin_scenarios(self.dialect):
            raise ScenarioError("", f"{name} is a built-in scenario, which can't be removed")
        if name in self._named:
            raise ScenarioError("", f"{name} is of the plane's settings, at {self._named[name].place}: remove it there")
        raise KeyError(f"there is no scenario {quoted(name)} that was added" + self._listed(self._added))

    @staticmethod
    def _listed(known: Iterable[str]) -> str:
        names = ", ".join(known)
        return f"; there are {names}" if names else "; there is none"


def _touch(listener: Callable[[str], None] | None, keys: Iterable[str]) -> None:
    if listener is not None:
        for key in keys:
            listener(key)
