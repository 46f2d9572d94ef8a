"""The proof that some calls changed nothing: by Get, by List, and by an open Watch.

A marker app is changed before and after, and nothing but its events may have come. What a plane is known to have at
fault (symptoms.Ability) is left out: a broken List must not look like a change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.outcomes import Broken, Refused
from flyteapps_contract.preparing import preparing
from flyteapps_contract.streams import PATIENCE, QUIET, Watcher
from flyteapps_contract.symptoms import Ability

AS_BEFORE = "nothing should have changed, but"


class Reader(Protocol):
    """The part of a session that is used here."""

    faults: dict[Ability, str]

    def get(self, app_id: model.Identifier) -> model.App:
        """Get by id."""
        ...

    def listed(self) -> dict[str, model.App]:
        """Return the apps as List gives them."""
        ...

    def mark(self) -> model.App:
        """Change the marker app."""
        ...

    def is_own(self, name: str) -> bool:
        """Return whether the app is of this run."""
        ...


class Comparison:
    """The state before some calls, which must be the one after them, too. `ids` are those of apps at rest."""

    def __init__(self, reader: Reader, watcher: Watcher, ids: Sequence[model.Identifier]) -> None:
        self._reader = reader
        self._watcher = watcher
        self._watched = Ability.EVENTS not in reader.faults
        marker = reader.mark()
        name = self._marker = marker.metadata.id.name
        if self._watched and Ability.SNAPSHOT in reader.faults:
            marker = open_surely(reader, watcher)
        elif self._watched:
            watcher.until(lambda seen: seen.name == name, "the marker in the snapshot")
        self._before = [(app_id, reader.get(app_id)) for app_id in ids]
        self._listed = reader.listed() if Ability.LIST not in reader.faults else None
        self._mark()

    def judge(self, absent: Sequence[model.Identifier]) -> None:
        """Raise Broken where something changed, or an absent id is there."""
        for event in self._mark():
            raise Broken(f"{AS_BEFORE} a watch saw {_article(event[0])} event of {event[1]}")
        for app_id, old in self._before:
            expect_equal(self._get(app_id), old, f"{AS_BEFORE} Get of {app_id.name}")
        for app_id in absent:
            try:
                self._reader.get(app_id)
            except Refused as error:
                expect(error.code == "NOT_FOUND", f"Get of {app_id.name}: expected NOT_FOUND, got {error}")
            else:
                raise Broken(f"{AS_BEFORE} app {app_id.name} exists")
        if self._listed is None:
            return
        found = self._reader.listed()
        expect_equal(sorted(found), sorted(self._listed), f"{AS_BEFORE} the ids in List")
        for key, app in self._listed.items():
            expect_equal(found[key], app, f"{AS_BEFORE} the app {key} in List")

    def _get(self, app_id: model.Identifier) -> model.App:
        """Get by id, or where that is at fault as a preparation does."""
        if Ability.GET not in self._reader.faults:
            return self._reader.get(app_id)
        with preparing("reading the state after"):
            return self._reader.get(app_id)

    def _mark(self) -> list[tuple[str, str]]:
        """Change the marker: the kinds and names of the events of other apps that came before its own."""
        marker = self._reader.mark()
        if self._listed is not None:
            self._listed[text_of(marker.metadata.id)] = marker
        if not self._watched:
            return []
        seen = self._watcher.until(lambda seen: seen.app == marker, "the marker's change")[:-1]
        return [(event.kind, event.name) for event in seen if self._reader.is_own(event.name)]


def open_surely(reader: Reader, watcher: Watcher) -> model.App:
    """Return the marker once the stream has shown a change of it, where a snapshot can't show that it has begun."""
    marker = reader.mark()
    for _ in range(int(PATIENCE / QUIET)):
        while (event := watcher.poll(QUIET)) is not None:
            if event.app == marker:
                return marker
        marker = reader.mark()
    raise Broken(f"the watch showed none of the marker's changes within {PATIENCE:g} s")


def text_of(app_id: model.Identifier) -> str:
    """Return the id as a text, without its org."""
    return "/".join((app_id.project, app_id.domain, app_id.name))


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "update" else f"a {kind}"
