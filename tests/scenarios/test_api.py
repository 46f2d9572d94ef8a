"""Scenarios by the control API: in process and over a socket, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from flyteapps_control.api import ControlError
from flyteapps_control.face import Control
from flyteapps_control.remote import connect_control
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.simulation.scenarios import LABEL

from .driving import PENDING, ending, restart, scenarios, start
from .test_format import FIRST


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane with two scenarios of its settings."""
    data = scenarios(given=ending("given"), other=ending("other", when={"name": "other-*"}))
    with FakeControlPlane(scenarios=data, clock="manual") as plane:
        yield plane


@pytest.fixture(params=["in process", "over the wire"])
def control(request: pytest.FixtureRequest, plane: FakeControlPlane) -> Control:
    """The control of a plane, in process and over the wire."""
    return plane.control if request.param == "in process" else connect_control(plane.serve().url)


def test_added_scenarios_are_there_at_once(plane: FakeControlPlane, control: Control, tmp_path: Path) -> None:
    """By a mapping, by a file; a name that was added before is replaced, apps that run are left alone."""
    [added] = control.scenarios.add(scenarios(mine=ending("mine", summary="It is mine.", when={"name": "hello"})))
    assert (added.name, added.origin, added.place) == ("mine", "control API", "scenarios.mine")
    assert start(plane) == "mine"
    (path := tmp_path / "more.yaml").write_text(FIRST + "    summary: One.\n")
    assert [(each.name, each.place) for each in control.scenarios.add(path)] == [("one", f"{path}:2:3")]
    control.scenarios.add(scenarios(mine=ending("changed", when={"name": "hello"})))
    assert restart(plane) == "changed"
    found = {each.name: each.origin for each in control.scenarios.list()}
    assert [*found] == sorted(found)
    assert (found["mine"], found["one"], found["given"], found["healthy"]) == (
        "control API",
        "control API",
        "settings",
        "built-in",
    )


def test_a_use_counts_starts(plane: FakeControlPlane, control: Control) -> None:
    """So many starts of these apps, all together; then it is as before."""
    use = control.scenarios.use("given", app="hello-*", times=3)
    assert (use.id, use.scenario, use.app.name, use.times, use.applied) == ("u1", "given", "hello-*", 3, 0)
    assert [start(plane, "hello-1"), start(plane, "hello-2"), start(plane, "else")] == ["given", "given", "Running"]
    assert [restart(plane, "hello-1"), restart(plane, "hello-2")] == ["given", "Running"]
    assert [each.applied for each in control.scenarios.uses()] == [3]
    assert start(plane, "hello-3") == "Running"


def test_the_order_of_uses(plane: FakeControlPlane, control: Control) -> None:
    """Uses with times come first, as they were added; of the others the last; all before the configured ones."""
    control.scenarios.use("given")
    control.scenarios.add(scenarios(**{name: ending(name) for name in ("last", "one", "two")}))
    unlimited = control.scenarios.use("last", app="other-*")
    control.scenarios.use("one", app="other-*", times=1)
    control.scenarios.use("two", times=1)
    assert [start(plane, "other-1") for _ in range(4)] == ["one", "two", "last", "last"]
    control.scenarios.remove(unlimited)
    assert start(plane, "other-1") == "given"
    assert start(plane, "other-2", **{LABEL: "crash-loop"}) != "given"


def test_what_is_removed(plane: FakeControlPlane, control: Control) -> None:
    """A scenario with its uses; all by `clear`."""
    control.scenarios.add(scenarios(mine=ending("mine"), yours=ending("yours")))
    control.scenarios.use("mine")
    control.scenarios.use("yours", times=1)
    control.scenarios.remove("mine")
    assert [each.scenario for each in control.scenarios.uses()] == ["yours"]
    assert start(plane) == "yours"
    control.scenarios.remove()
    assert len(control.scenarios.uses()) == 1
    control.scenarios.clear()
    assert control.scenarios.uses() == []
    assert {each.origin for each in control.scenarios.list()} == {"built-in", "settings"}


def test_a_reset_of_all_removes_what_was_added(plane: FakeControlPlane, control: Control) -> None:
    """The plane's own scenarios stay; a reset of some apps removes none."""
    control.scenarios.add(scenarios(mine=ending("mine")))
    control.scenarios.use("mine")
    control.reset(app="hello")
    assert len(control.scenarios.uses()) == 1
    control.reset()
    assert control.scenarios.uses() == []
    assert {each.origin for each in control.scenarios.list()} == {"built-in", "settings"}


def test_all_that_was_added_is_removed(plane: FakeControlPlane, control: Control) -> None:
    """Without names scenarios and uses go, too, but the plane's own."""
    control.scenarios.add(scenarios(mine=ending("mine")))
    control.scenarios.use("mine")
    control.scenarios.clear()
    assert control.scenarios.uses() == []
    assert {each.origin for each in control.scenarios.list()} == {"built-in", "settings"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "a file of scenarios needs `scenarios`"),
        ({"mine": ending("mine")}, "mine: unknown field 'mine' of a file of scenarios: put scenarios below"),
        (scenarios(mine=[{"state": "ACTIVE"}]), r"^scenarios\.mine\.steps\[0\]\.state: state: a scenario begins with"),
        (scenarios(mine=[{**PENDING, "after": "2x"}]), r"steps\[0\]\.after: after: the duration '2x' is invalid"),
        (scenarios(ok=[PENDING], healthy=[PENDING]), "healthy is a built-in scenario: choose another name"),
        (scenarios(mine={"steps": [PENDING], "then": "absent"}), r"mine\.then: then: 'absent' is unknown"),
    ],
)
def test_what_is_refused_changes_nothing(control: Control, content: dict[str, Any], message: str) -> None:
    """All scenarios of an Add, or none."""
    before = control.scenarios.list()
    with pytest.raises(ControlError, match=message) as refused:
        control.scenarios.add(content)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert control.scenarios.list() == before


def test_what_cannot_be_removed_or_used(control: Control) -> None:
    """A built-in one, one of the settings, a missing one, one that another names: then nothing is removed."""
    control.scenarios.add(scenarios(first=ending("first", then="second"), second=ending("second")))
    use = control.scenarios.use("second")
    for which, code, message in (
        ("healthy", "INVALID_ARGUMENT", "healthy is a built-in scenario, which can't be removed"),
        ("given", "INVALID_ARGUMENT", "given is of the plane's settings, at scenarios.given: remove it there"),
        ("frist", "NOT_FOUND", "there is no scenario 'frist' that was added; there are first, second"),
        ("second", "INVALID_ARGUMENT", "then: 'second' is still named"),
    ):
        with pytest.raises(ControlError, match=message) as refused:
            control.scenarios.remove(use, which)
        assert refused.value.code == code
    control.scenarios.remove(use)
    with pytest.raises(ControlError, match="there is no use 'u1'; there is none"):
        control.scenarios.remove(use)
    with pytest.raises(ControlError, match="the scenario 'frist' is unknown; did you mean first"):
        control.scenarios.use("frist")
    with pytest.raises(ValueError, match="times"):
        control.scenarios.use("first", times=-1)
    assert len(control.scenarios.list()) == 18


def test_what_is_no_source(control: Control, tmp_path: Path) -> None:
    """A mapping that JSON doesn't know, a file that isn't there: nothing is sent."""
    with pytest.raises(ValueError, match="a mapping of what JSON knows"):
        control.scenarios.add({"scenarios": {"one": object()}})
    with pytest.raises(OSError, match="absent"):
        control.scenarios.add(tmp_path / "absent.yaml")


def test_from_any_language(plane: FakeControlPlane) -> None:
    """JSON over plain HTTP: a text with the place of a mistake, or the content itself."""
    url = f"{plane.serve().url}/flyteapps.control.v1.ControlService"
    wrong = httpx.post(f"{url}/AddScenarios", json={"text": FIRST + "    thn: a", "name": "f.yaml"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_argument")
    assert wrong.json()["message"].startswith("f.yaml:5:5: unknown field 'thn'")
    added = httpx.post(f"{url}/AddScenarios", json={"content": scenarios(mine=ending("mine"))})
    assert added.json() == {"scenarios": [{"name": "mine", "origin": "control API", "place": "scenarios.mine"}]}
    used = httpx.post(f"{url}/UseScenario", json={"scenario": "mine", "times": 1, "app": {"name": "hello"}})
    assert used.json() == {"use": {"id": "u1", "scenario": "mine", "times": 1, "app": {"name": "hello"}}}
    assert start(plane) == "mine"


def test_uses_are_for_the_other_dialect_too() -> None:
    """The open-source backend's apps start in the scenarios of uses."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual") as plane:
        notices = list[str]()
        plane.notify(lambda notice: notices.append(notice.message))
        plane.scenarios.use("image-pull-error", times=1)
        for name in ("one", "two"):
            start(plane, name)
        assert any(each.startswith("FAILED") and "not found" in each for each in notices)
        assert notices[-1] == "ACTIVE"
        assert [each.applied for each in plane.scenarios.uses()] == [1]
