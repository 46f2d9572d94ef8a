"""The choice of the scenario of an app's start.

The app's own label or variable comes first, as it is meant for this app; then a use of the control API, the configured
pattern for its name, and the users' scenarios whose `when` it matches; else it is healthy. As long as that leads to the
same scenario, the next start gets the one that its `then` names.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_control.selection import AppName
from flyteapps_fake.core import draws
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.simulation import given as reasons
from flyteapps_fake.simulation.admission import command_of, image_of, named_scenario
from flyteapps_fake.simulation.book import ScenarioBook
from flyteapps_fake.simulation.given import Given
from flyteapps_fake.simulation.progress import drawn_index
from flyteapps_fake.simulation.scenarios import HEALTHY, LABEL, VARIABLE, Scenario, When


class Start(NamedTuple):
    """The last start of an app. `version`: of which revision. `base`: the scenario that the choice led to."""

    number: int
    version: Hashable
    base: str
    scenario: str
    app: AppName


class StartImage(NamedTuple):
    """The last start of an app, and why it has its scenario; None where that isn't known."""

    start: Start
    given: Given | None


class Chosen(NamedTuple):
    """The scenario of a start by its name; None if there is none of that name."""

    name: str
    scenario: Scenario | None


class ScenarioChoice:
    """The scenarios of the starts of all apps. `configured`: by a pattern of names, such as "worker-*"."""

    def __init__(self, book: ScenarioBook, configured: Mapping[str, str], seed: draws.Seed) -> None:
        self._book = book
        self._configured = configured
        self._seed = seed
        self._starts: dict[Hashable, Start] = {}

    def start(self, key: Hashable, version: Hashable, app: App) -> Chosen:
        """Return the scenario of an app's start.

        `key`: the app. `version`: its revision; one that starts anew, as in another cluster, has the same scenario.
        """
        last = self._starts.get(key)
        if last is not None and last.version == version and (found := self._book.find(last.scenario)) is not None:
            return Chosen(last.scenario, found)
        number = last.number + 1 if last is not None else 1
        app_id = app.metadata.id
        who = AppName(app_id.project, app_id.domain, app_id.name)
        if last is not None and last.app != who:  # the same app by another id
            self._book.given.forget(last.app)
        own = named_scenario(app)
        if not own and (use := self._book.used(who)) is not None:
            self._book.apply(use)
            self._starts[key] = Start(number, version, "", use.scenario, who)
            return self._given(Given(who, use.scenario, self._book.find(use.scenario), reasons.USE, use.id))
        base, reason, detail = _own(app, own) if own else self._unnamed(app, who, number)
        name = base
        if last is not None and last.base == base:
            before = self._book.find(last.scenario)
            name = before.after if before is not None and before.after else last.scenario
            if name != base:
                reason, detail = reasons.THEN, last.scenario if name != last.scenario else base
        self._starts[key] = Start(number, version, base, name, who)
        return self._given(Given(who, name, self._book.find(name), reason, detail, bool(own)))

    def image(self, key: Hashable) -> StartImage | None:
        """Return the last start of an app, None for none."""
        last = self._starts.get(key)
        return StartImage(last, self._book.given.get(last.app)) if last is not None else None

    def put(self, key: Hashable, image: StartImage | None) -> None:
        """Replace the last start of an app."""
        self.forget(key)
        if image is not None:
            self._starts[key] = image.start
            if image.given is not None:
                app, name, scenario, reason, detail, own = image.given
                self._book.given.put(Given(app, name, scenario or self._book.find(name), reason, detail, own))

    def forget(self, key: Hashable) -> None:
        """Forget a removed app: one that is created later starts for the first time."""
        if (last := self._starts.pop(key, None)) is not None:
            self._book.given.forget(last.app)

    def unknown(self, name: str) -> str:
        """Return the message about an unknown scenario."""
        return f"unknown scenario {quoted(name)}; known ones: {', '.join(self._book.names())}"

    def _given(self, given: Given) -> Chosen:
        self._book.given.record(given)
        return Chosen(given.name, given.scenario)

    def _unnamed(self, app: App, who: AppName, number: int) -> tuple[str, str, str]:
        """Return the scenario of an app that names none, with the reason and its detail."""
        for glob, chosen in self._configured.items():
            if fnmatchcase(who.name, glob):
                return chosen, reasons.SETTING, glob
        fitting = [each for each in self._book.matching() if each.when is not None and _matches(each.when, app, number)]
        if not fitting:
            return HEALTHY, reasons.DEFAULT, ""
        fraction = draws.fraction(self._seed, "scenario", *who)
        found = fitting[drawn_index([each.weight for each in fitting], fraction)]
        return found.name, reasons.WHEN, found.place


def _own(app: App, name: str) -> tuple[str, str, str]:
    """Return the scenario that an app names, with the reason and its detail."""
    if app.metadata.labels.get(LABEL):
        return name, reasons.LABEL, LABEL
    return name, reasons.VARIABLE, VARIABLE


def _matches(when: When, app: App, number: int) -> bool:
    """Return whether the app's start of that number gets a scenario."""
    if when.start not in (0, number):
        return False
    app_id, labels = app.metadata.id, app.metadata.labels
    return (
        when.name.matches(app_id.name)
        and when.project.matches(app_id.project)
        and when.domain.matches(app_id.domain)
        and when.image.matches(image_of(app.spec))
        and when.command.matches(command_of(app.spec))
        and all(key in labels and glob.matches(labels[key]) for key, glob in when.labels.items())
    )
