"""Concurrent histories of flyte-oss: the stand-in is clean, races are found, and the judge is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from flyteapps_contract.catalogue.guarantee import FLYTE_OSS
from flyteapps_contract.explorations.flyte_oss.histories import MAX_WRITES, drawn
from flyteapps_contract.explorations.flyte_oss.judging import Event, Judge, Stream
from flyteapps_contract.explorations.history_search import HISTORIES
from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.model.flyte_oss.racing import CONFLICT, EXISTS, GONE, WRITES, Said, Shown, Version
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.targets.planes import PlanesTarget
from flyteapps_contract.verification import fresh_run
from mutants import detection, flyte_oss, flyte_oss_races
from mutants.planting import Mutant

from . import standins

A, B = Version("a"), Version("b")


def test_the_same_seed_draws_the_same() -> None:
    """Plans follow from seed and number alone; the first are small, and writes are few enough for a slow watcher."""
    assert drawn(1, 5, clock=True) == drawn(1, 5, clock=True)
    assert drawn(1, 5, clock=True) != drawn(2, 5, clock=True)
    assert len(drawn(1, 0, clock=True).clients) <= 3
    for number in range(100):
        plan = drawn(1, number, clock=False)
        verbs = [op.verb for ops in plan.clients for op in ops]
        assert "wait" not in verbs
        assert sum(verb in (*WRITES, "again") for verb in verbs) <= MAX_WRITES


def test_the_stand_in_is_clean() -> None:
    """No history breaks a guarantee, with clients that overlap as much as they can."""
    _expect_clean(standins.oss_direct(), 25)


@pytest.mark.matrix
@pytest.mark.parametrize("target", [standins.oss_over_connect, standins.oss_over_grpc])
def test_a_served_stand_in_is_clean(target: Callable[[], PlanesTarget]) -> None:
    """So it is over the wire."""
    _expect_clean(target(), 10)


def _expect_clean(target: PlanesTarget, histories: int) -> None:
    with detection.eager_threads():
        options = SearchOptions(count=histories, seed=1)
        found = HISTORIES[FLYTE_OSS].search(target, fresh_run(target), options)
    assert found.violation is None, found.violation
    assert found.tried >= histories - 3  # some may allow for too many orders to look at each


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("guarantee", "mutant"),
    [
        ("OSS-80", flyte_oss_races.a_stop_undoes_a_write_that_races_it),
        ("OSS-26", flyte_oss_races.an_event_shows_what_became_of_the_app_later),
        ("OSS-15", flyte_oss_races.a_write_forgets_the_answer_that_was_cached_last),
    ],
)
def test_a_race_is_found_and_made_small(guarantee: str, mutant: Mutant) -> None:
    """A history shows it, with the calls in a timeline."""
    target = standins.oss_direct()
    with mutant(), detection.eager_threads():
        options = SearchOptions(count=300, seed=1, judged=frozenset({guarantee}))
        found = HISTORIES[FLYTE_OSS].search(target, fresh_run(target), options)
    assert found.violation is not None
    assert guarantee in found.violation.guarantees
    assert found.timeline


@pytest.mark.matrix
def test_refusals_of_writes_that_take_time_are_judged() -> None:
    """Where writers meet, histories have refusals, and are clean; a refused write that is stored is found."""
    target = standins.oss_racing()
    options = SearchOptions(count=15, seed=1)
    found = HISTORIES[FLYTE_OSS].search(target, fresh_run(target), options)
    assert found.violation is None, found.violation
    assert found.evidence["OSS-18"]
    with flyte_oss.a_conflicting_write_is_refused_and_taken():
        found = HISTORIES[FLYTE_OSS].search(target, fresh_run(target), replace(options, count=100))
    assert found.violation is not None
    assert {"OSS-80", "OSS-26"} & set(found.violation.guarantees)


class Calls:
    """A history as it is told: calls one after the other, unless they are open together."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._ticks = count()

    def begin(self, said: Said) -> Callable[[], None]:
        """Begin a call, and return what ends it."""
        called = next(self._ticks)
        return lambda: self.events.append(Event(0, (0, said.alias), said, called, next(self._ticks)))

    def call(self, verb: str, mark: str = "", code: str = "OK", seen: Version | None = None, alias: int = 0) -> None:
        """Make a call that overlaps with none."""
        self.begin(Said(verb, mark, alias, code, seen=seen, aliases=(0, 1)))()

    def verdict(self, *shown: Shown) -> str:
        """Return the first guarantee that is broken, "" for none; the watches were open throughout."""
        streams = [Stream(0, each, -2, -1) for each in shown]
        found: list[Violation] = list(Judge(self.events, streams, next(self._ticks)).violations())
        return found[0].guarantees[0] if found else ""


def test_a_list_shows_the_last_acknowledged_write() -> None:
    """One that is older, or of no write, breaks it; one of a write whose answer was lost does not."""
    for seen, broken in ((B, ""), (A, "OSS-80"), (Version("c"), "OSS-80"), (None, "OSS-80")):
        calls = Calls()
        calls.call("create", "a")
        calls.call("update", "b")
        calls.call("list", seen=seen)
        assert calls.verdict() == broken, seen
    calls = Calls()
    calls.call("create", "a")
    calls.events.append(Event(1, (0, 0), Said("update", "b"), 1, None))
    calls.call("list", seen=B)
    assert calls.verdict() == ""


def test_a_lost_get_may_have_cached_its_answer() -> None:
    """A Get shows what one whose answer was lost may have read before; nothing older without such a one."""
    for lost, broken in ((True, ""), (False, "OSS-15")):
        calls = Calls()
        calls.call("create", "a")
        if lost:
            calls.events.append(Event(1, (0, 0), Said("get"), 1, None))
        calls.call("update", "b", alias=1)
        calls.call("get", seen=A)
        assert calls.verdict() == broken, lost


def test_a_refused_write_changes_nothing_and_has_a_reason() -> None:
    """Its spec is never seen; that an app exists already is said only where another created it."""
    for words, reads, broken in (
        (CONFLICT, A, ""),
        (CONFLICT, B, "OSS-80"),
        (EXISTS, A, "OSS-80"),
        (GONE, A, "OSS-80"),
    ):
        calls = Calls()
        calls.call("create", "a")
        calls.begin(Said("update", "b", code="INTERNAL", words=words))()
        calls.call("list", seen=reads)
        assert calls.verdict() == broken, (words, reads)
    calls = Calls()
    end = calls.begin(Said("create", "b", code="INTERNAL", words=EXISTS))
    calls.call("create", "a")
    end()
    assert calls.verdict() == ""


def test_an_update_that_found_its_app_gone_may_have_written() -> None:
    """A reader may see it before the Delete that went with it; without a Delete there is no such answer."""
    calls = Calls()
    calls.call("create", "a")
    end = calls.begin(Said("update", "b", code="NOT_FOUND"))
    calls.call("list", seen=B)
    calls.call("delete")
    end()
    assert calls.verdict() == ""
    calls = Calls()
    calls.call("create", "a")
    calls.call("update", "b", code="NOT_FOUND")
    assert calls.verdict() == "OSS-80"


def test_a_get_is_as_old_as_one_that_may_be_cached() -> None:
    """A write by the very id has Get forget it, unless a Get was under way; one by another id, or a wait, doesn't."""
    for writer, waits, broken in ((0, False, "OSS-15"), (1, False, ""), (1, True, "OSS-15")):
        calls = Calls()
        calls.call("create", "a")
        calls.call("get", seen=A)
        calls.call("update", "b", alias=writer)
        if waits:
            calls.call("wait")
        calls.call("get", seen=A)
        assert calls.verdict() == broken, (writer, waits)
    calls = Calls()
    calls.call("create", "a")
    end = calls.begin(Said("get", code="OK", seen=A))
    calls.call("update", "b")
    end()
    calls.call("get", seen=A)
    assert calls.verdict() == ""


def test_a_watch_shows_the_writes_in_their_order() -> None:
    """None is missing or comes late; a snapshot may be followed by what was before it, and a repeat is none."""
    for versions, broken in (
        ((A, B, None), ""),
        ((A, None), "OSS-26"),
        ((B, A, None), "OSS-26"),
        ((A, B), "OSS-26"),
        ((A, B, None, A), "OSS-26"),
    ):
        calls = Calls()
        calls.call("create", "a")
        calls.call("update", "b")
        calls.call("delete")
        assert calls.verdict(Shown(0, versions)) == broken, versions


def test_a_snapshot_is_followed_by_what_was_just_before_it() -> None:
    """A Watch that is opened after two writes shows the second first, and may show both again, in order."""
    for versions, broken in (((B,), ""), ((B, A, B), ""), ((A, B), "OSS-26"), ((B, A), "OSS-26"), ((), "OSS-26")):
        calls = Calls()
        calls.call("create", "a")
        calls.call("update", "b")
        found = list(Judge(calls.events, [Stream(0, Shown(0, versions), 10, 11)], 12).violations())
        assert [each.guarantees[0] for each in found] == [broken][: bool(broken)], versions


def test_two_watches_agree_on_the_order_of_writes_at_once() -> None:
    """Either order explains the calls, but not one for each of two watches."""
    calls = Calls()
    ends = [calls.begin(Said("update", mark, code="OK")) for mark in "ab"]
    for end in ends:
        end()
    calls.call("update", "c")
    one, other = Shown(0, (A, B, Version("c"))), Shown(0, (B, A, Version("c")))
    assert calls.verdict(one) == calls.verdict(other) == calls.verdict(one, one) == ""
    assert calls.verdict(one, other) == "OSS-26"


def test_a_watch_shows_only_what_is_stored_under_its_id() -> None:
    """A write by another id of the app isn't shown, and need not be."""
    calls = Calls()
    calls.call("create", "a")
    calls.call("update", "b", alias=1)
    calls.call("update", "c")
    assert calls.verdict(Shown(0, (A, Version("c")))) == ""
    assert calls.verdict(Shown(1, (Version("b", alias=1),))) == ""
    assert calls.verdict(Shown(1, (Version("b", alias=1), Version("c")))) == "OSS-26"
