"""Cause and effect in the log of calls: where each change, and each message of a Watch, comes from."""

from __future__ import annotations

from typing import Any

import pytest

from flyteapps_fake import FakeControlPlane

from .calls import create, get, update, watch


def test_a_change_is_an_effect_of_the_call_that_led_to_it(plane: FakeControlPlane) -> None:
    """Of the call itself, or of the timers that it scheduled and those that follow, which are named."""
    plane.stub().create(create())
    plane.stub().get(get())
    plane.clock.advance_until(app="demo", status="ACTIVE")
    created, read = plane.calls.list()
    first, *others = created.effects
    assert (first.change, first.app, first.cause.call, first.cause.timer) == ("created", "proj/dev/demo", 1, "")
    assert others[-1].change.startswith("ACTIVE")
    assert others[-1].cause.call == 1 and others[-1].cause.timer
    assert [each.time.ToNanoseconds() for each in created.effects] == sorted(
        each.time.ToNanoseconds() for each in created.effects
    )
    assert not read.effects


def test_a_message_of_a_watch_has_its_cause(plane: FakeControlPlane) -> None:
    """The snapshot comes from the Watch itself, an event from the write or timer; the write has it as an effect."""
    stub = plane.stub()
    stub.create(create())
    plane.clock.advance_until(app="demo", status="ACTIVE")
    events = iter(stub.watch(watch()))
    next(events)
    stub.update(update())
    changed = [each.change for each in plane.calls.list("Update")[0].effects]
    for _ in changed:
        next(events)
    [watched] = plane.calls.list("Watch")
    assert [each.call for each in watched.causes][:2] == [watched.number, 3]
    [updated] = plane.calls.list("Update")
    assert [(each.stream, each.message) for each in updated.effects if each.stream] == [
        (watched.number, number) for number in range(2, len(changed) + 2)
    ]
    del events


@pytest.mark.parametrize("fault", ["repeat", "reorder"])
def test_a_message_that_a_fault_moved_names_it(plane: FakeControlPlane, fault: str) -> None:
    """The second copy, or the one that was held back, has the rule's id beside its cause."""
    rule = getattr(plane.faults, fault)("Watch", message=1)
    stub = plane.stub()
    stub.create(create())
    events = iter(stub.watch(watch()))
    stub.update(update())
    for _ in range(2):
        next(events)
    [watched] = plane.calls.list("Watch")
    assert [each.fault for each in watched.causes] == ["", rule.id]
    del events


def test_a_change_by_the_control_api_has_no_call(plane: FakeControlPlane) -> None:
    """It says what did it instead."""
    stub = plane.stub()
    stub.create(create())
    events = iter(stub.watch(watch()))
    next(events)
    plane.reset(app="demo")
    for event in events:
        if event.HasField("delete_event"):
            break
    [watched] = plane.calls.list("Watch")
    assert (watched.causes[-1].call, watched.causes[-1].other) == (0, "a reset by the control API")
    del events


def test_a_refused_call_has_no_effect_and_a_lost_one_has(plane: FakeControlPlane) -> None:
    """As much as was carried out."""
    plane.faults.fail("Create", code="UNAVAILABLE", nth=1)
    plane.faults.fail("Create", code="UNAVAILABLE", applied=True, nth=1)
    for _ in range(2):
        with pytest.raises(Exception, match="fault"):
            plane.stub().create(create())
    refused, lost = plane.calls.list("Create")
    assert not refused.effects and lost.effects[0].change == "created"


def test_effects_are_bounded() -> None:
    """An app that crashes again and again for days fills no memory: the first hundred effects are kept."""
    settings: dict[str, Any] = {"app_scenarios": {"*": "crash-loop"}}
    with FakeControlPlane(call_log=10, clock="manual", **settings) as plane:
        plane.stub().create(create())
        plane.clock.advance("5d")
        [created] = plane.calls.list()
        assert len(created.effects) == 100 and created.effects[0].change == "created"


def test_changes_are_kept_however_many_watchers_there_are() -> None:
    """The messages of many streams leave room for what became of the app."""
    with FakeControlPlane(call_log=1_000, clock="manual") as plane:
        streams = [iter(plane.stub().watch(watch())) for _ in range(150)]
        plane.stub().create(create())
        assert len([next(each) for each in streams]) == 150
        plane.clock.advance_until(app="demo", status="ACTIVE")
        effects = plane.calls.list("Create")[0].effects
        assert sum(1 for each in effects if each.stream) == 100
        assert "ACTIVE/RUNNING" in [each.change for each in effects]
        del streams


def test_an_effect_of_a_forgotten_call_is_dropped() -> None:
    """It says its number where a stream has the message, and nothing more."""
    with FakeControlPlane(call_log=1, clock="manual") as plane:
        plane.stub().create(create())
        plane.stub().create(create("other"))
        plane.clock.advance_until(app="demo", status="ACTIVE")
        [kept] = plane.calls.list()
        assert {each.app for each in kept.effects} == {"proj/dev/other"}


def test_without_a_log_nothing_is_kept() -> None:
    """No cause is set where no calls are recorded."""
    with FakeControlPlane(clock="manual") as plane:
        plane.faults.fail("Get", app="other", code="ABORTED")
        plane.stub().create(create())
        plane.clock.advance(60)
        [read] = [plane.stub().get(get())]
        assert read.app.metadata.id.name == "demo"
        with pytest.raises(ValueError, match="the log of calls is off"):
            plane.calls.list()
