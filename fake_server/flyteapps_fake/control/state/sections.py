"""The sections of the state of every plane: what the control API has declared, and what has become of it since."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import ClassVar, NamedTuple

from google.protobuf.message import Message

from flyteapps_control.fault_table import FaultTable, RuleImage
from flyteapps_control.loads import Declared, LoadKey, LoadTable, key_of
from flyteapps_control.selection import AppGlobs, Size
from flyteapps_control.v1 import state_pb2 as pb
from flyteapps_control.v1.control_pb2 import Load, ScenarioUse
from flyteapps_fake.control.interceptor import Interceptor
from flyteapps_fake.control.state.draws import draws_message, draws_of
from flyteapps_fake.core.dialect import Dialect
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.state.changes import Changes
from flyteapps_fake.core.state.numbers import check_counts
from flyteapps_fake.core.state.sections import Section
from flyteapps_fake.core.validation import check
from flyteapps_fake.simulation.book import Added, ScenarioBook, Use
from flyteapps_fake.simulation.files.located import from_data
from flyteapps_fake.simulation.files.parsing import parse_scenarios

SCENARIOS, SCENARIO_USES, FAULT_RULES, LOADS, LAST_IDS = (
    "scenarios",
    "scenario_uses",
    "fault_rules",
    "loads",
    "last_ids",
)
_RULE_ID, _USE_ID = re.compile(r"f[1-9][0-9]{0,17}"), re.compile(r"u[1-9][0-9]{0,17}")


def add_sections(changes: Changes, interceptor: Interceptor, dialect: Dialect) -> None:
    """Add these sections to those of a plane, and record what is about to change in them."""
    table, loads, book = interceptor.table, dialect.loads, dialect.scenarios
    changes.sections.add(
        Scenarios(book), ScenarioUses(book), FaultRules(table, interceptor.refresh), Loads(loads), LastIds(table, book)
    )

    def touch(section: str, key: Hashable) -> None:
        if changes.on:
            changes.touch(section, key)

    def touch_identified(section: str, known: Callable[[str], bool], key: str) -> None:
        if changes.on:
            changes.touch(section, key)
            if not known(key):
                changes.touch(LAST_IDS, "")

    book.on_touch = partial(touch, SCENARIOS)
    book.on_touch_use = partial(touch_identified, SCENARIO_USES, book.has_use)
    table.on_touch = partial(touch_identified, FAULT_RULES, table.__contains__)
    loads.on_touch = partial(touch, LOADS)


class Scenarios(Section):
    """The scenarios that were added, by name."""

    name: ClassVar[str] = SCENARIOS

    def __init__(self, book: ScenarioBook) -> None:
        self._book = book

    def keys(self) -> Iterable[str]:
        return self._book.added_names()

    def image(self, key: str) -> Added | None:
        return self._book.added(key)

    def put(self, key: str, image: Added | None) -> None:
        self._book.put(key, image)

    def settle(self) -> None:
        self._book.given.find(self._book.find)

    def encode(self, key: str, image: Added) -> pb.AddedScenario:
        scenario, size = image
        data = json.dumps(scenario.data, separators=(",", ":"))
        return pb.AddedScenario(name=key, data=data, bytes=size, place=scenario.place, then_place=scenario.after_place)

    def decode(self, message: pb.AddedScenario) -> tuple[str, Added]:
        try:
            data = json.loads(message.data)
        except RecursionError:
            raise ValueError("lists and mappings are nested too deeply") from None
        [scenario] = parse_scenarios(from_data({"scenarios": {message.name: data}}))
        placed = scenario._replace(place=message.place, after_place=message.then_place)
        return message.name, Added(self._book.own(placed), message.bytes)

    def stored_key(self, key: str) -> bytes:
        return key.encode()


class ScenarioUses(Section):
    """The uses of scenarios, by their ids."""

    name: ClassVar[str] = SCENARIO_USES

    def __init__(self, book: ScenarioBook) -> None:
        self._book = book

    def keys(self) -> Iterable[str]:
        return [use.id for use in self._book.uses()]

    def image(self, key: str) -> Use | None:
        return self._book.use_of(key)

    def put(self, key: str, image: Use | None) -> None:
        self._book.put_use(key, image)

    def settle(self) -> None:
        self._book.settle()

    def encode(self, key: str, image: Use) -> pb.ScenarioUseState:
        return pb.ScenarioUseState(
            use=ScenarioUse(id=key, scenario=image.scenario, app=image.app, times=image.times, applied=image.applied)
        )

    def decode(self, message: pb.ScenarioUseState) -> tuple[str, Use]:
        use = message.use
        _check(use.id, _USE_ID, use.app)
        check_counts(times=use.times, applied=use.applied)
        size = Size.of(ScenarioUse(app=use.app))
        return use.id, Use(use.id, use.scenario, use.app, use.times, AppGlobs(use.app), size, use.applied)

    def stored_key(self, key: str) -> bytes:
        return key.encode()


class FaultRules(Section):
    """The rules for faults, by their ids. `refresh`: lets the plane go on with other rules."""

    name: ClassVar[str] = FAULT_RULES

    def __init__(self, table: FaultTable, refresh: Callable[[], None]) -> None:
        self._table = table
        self._refresh = refresh

    def keys(self) -> Iterable[str]:
        return self._table.ids()

    def image(self, key: str) -> RuleImage | None:
        return self._table.image(key)

    def put(self, key: str, image: RuleImage | None) -> None:
        self._table.put(key, image)

    def settle(self) -> None:
        self._table.settle()
        self._refresh()

    def encode(self, key: str, image: RuleImage) -> pb.FaultRule:
        message = pb.FaultRule(until=image.until)
        message.fault.MergeFromString(image.fault)
        if image.draws is not None:
            message.draws.CopyFrom(draws_message(image.draws))
        return message

    def decode(self, message: pb.FaultRule) -> tuple[str, RuleImage]:
        _check(message.fault.id, _RULE_ID, message.fault)
        check_counts(matched=message.fault.matched, applied=message.fault.applied)
        image = RuleImage(
            message.fault.SerializeToString(),
            message.until if message.HasField("until") else None,
            draws_of(message.draws) if message.HasField("draws") else None,
        )
        self._table.check_image(image)
        return message.fault.id, image

    def stored_key(self, key: str) -> bytes:
        return key.encode()


class Loads(Section):
    """The declared loads, by their globs."""

    name: ClassVar[str] = LOADS

    def __init__(self, loads: LoadTable) -> None:
        self._loads = loads

    def keys(self) -> Iterable[LoadKey]:
        return self._loads.keys()

    def image(self, key: LoadKey) -> Declared | None:
        return self._loads.get(key)

    def put(self, key: LoadKey, image: Declared | None) -> None:
        self._loads.put(key, image)

    def settle(self) -> None:
        self._loads.settle()

    def encode(self, key: LoadKey, image: Declared) -> pb.DeclaredLoad:
        return pb.DeclaredLoad(load=image.load, number=image.number)

    def decode(self, message: pb.DeclaredLoad) -> tuple[LoadKey, Declared]:
        load = Load()
        load.CopyFrom(message.load)
        _check_message(load)
        check_counts(number=message.number)
        return key_of(load.app), Declared(AppGlobs(load.app), load, message.number)

    def stored_key(self, key: LoadKey) -> bytes:
        return json.dumps(key, separators=(",", ":"), ensure_ascii=False).encode()


class Ids(NamedTuple):
    """The numbers of the last ids of rules and uses."""

    rules: int
    uses: int


class LastIds(Section):
    """The numbers of the last ids, so that none is given twice."""

    name: ClassVar[str] = LAST_IDS

    def __init__(self, table: FaultTable, book: ScenarioBook) -> None:
        self._table = table
        self._book = book

    def keys(self) -> Iterable[str]:
        return [""]

    def image(self, key: str) -> Ids:
        return Ids(self._table.last_id, self._book.last_use)

    def put(self, key: str, image: Ids | None) -> None:
        self._table.last_id, self._book.last_use = image or Ids(0, 0)

    def settle(self) -> None:
        """Count from the last ids that are there, where a document was edited: a new rule must replace none."""
        table, book = self._table, self._book
        table.last_id = max([table.last_id, *(int(each[1:]) for each in table.ids())])
        book.last_use = max([book.last_use, *(int(use.id[1:]) for use in book.uses())])

    def encode(self, key: str, image: Ids) -> pb.LastIds:
        return pb.LastIds(fault_rules=image.rules, scenario_uses=image.uses)

    def decode(self, message: pb.LastIds) -> tuple[str, Ids]:
        check_counts(fault_rules=message.fault_rules, scenario_uses=message.scenario_uses)
        return "", Ids(message.fault_rules, message.scenario_uses)

    def stored_key(self, key: str) -> bytes:
        return b""


def _check(key: str, pattern: re.Pattern[str], message: Message) -> None:
    if not pattern.fullmatch(key):
        raise ValueError(f"{key!r:.40} is no id")
    _check_message(message)


def _check_message(message: Message) -> None:
    try:
        check(message)
    except RpcError as error:
        raise ValueError(error.message) from None
