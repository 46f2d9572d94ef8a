"""`scenarios.of`: which scenario an app has, and why; and the tests that `as_test` writes of such apps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control.calls import create, get
from flyteidl2.app.app_definition_pb2 import Spec

from flyteapps_control.api import ControlError
from flyteapps_control.face import Control
from flyteapps_control.remote import connect_control
from flyteapps_control.v1.control_pb2 import AppSelector
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.simulation.scenarios import LABEL, VARIABLE

from .driving import ending, restart, scenarios, start

MINE = scenarios(mine=ending("mine", then="healthy"), other=ending("other", when={"name": "when-*"}))


@pytest.fixture(params=["standard", "flyte-oss"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each dialect."""
    return request.param


@pytest.fixture(params=["in process", "over the wire"])
def control(request: pytest.FixtureRequest, plane: FakeControlPlane) -> Control:
    """The control of a plane, in process and over the wire."""
    return plane.control if request.param == "in process" else connect_control(plane.serve().url)


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane with scenarios of its settings."""
    with FakeControlPlane(scenarios=MINE, app_scenarios={"set-*": "mine"}, clock="manual") as plane:
        yield plane


def of(control: Control, **apps: Any) -> list[tuple[str, str, str, str]]:
    """Return the scenarios of apps."""
    return [
        (each.app.rpartition("/")[2], each.scenario, each.reason, each.detail) for each in control.scenarios.of(**apps)
    ]


def test_as_many_scenarios_are_listed_as_are_wanted(plane: FakeControlPlane, control: Control) -> None:
    """The first in order of their names, of those that are selected; a limit that can't be is refused."""
    for name in ("c", "a", "b", "other"):
        start(plane, name)
    everything = control.scenarios.of()
    assert [list(control.scenarios.of(limit=limit)) for limit in (1, 3, 9)] == [
        everything[:limit] for limit in (1, 3, 9)
    ]
    assert control.scenarios.of(app="o*", limit=1) == everything[3:]
    with pytest.raises(ControlError, match="limit"):
        control.scenarios.of(limit=-1)


def test_the_reason_for_a_scenario_is_shown(plane: FakeControlPlane, control: Control) -> None:
    """Each of the reasons, by globs, in order; a removed app has none."""
    use = control.scenarios.use("crash-loop", app="used", times=1)
    start(plane, "labelled", **{LABEL: "mine"})
    request = create("variable")
    request.app.spec.container.env.add(key=VARIABLE, value="mine")
    plane.stub().create(request)
    for name in ("used", "set-1", "when-1", "plain"):
        start(plane, name)
    assert of(control) == [
        ("labelled", "mine", "label", LABEL),
        ("plain", "healthy", "default", ""),
        ("set-1", "mine", "setting", "set-*"),
        ("used", "crash-loop", "use", use.id),
        ("variable", "mine", "variable", VARIABLE),
        ("when-1", "other", "when", "scenarios.other"),
    ]
    restart(plane, "set-1")
    restart(plane, "used")
    assert of(control, app="set-*") == [("set-1", "healthy", "then", "mine")]
    assert of(control, app="used") == [("used", "healthy", "default", "")]
    assert control.scenarios.of(app="absent") == []
    plane.remove_apps(AppSelector(name="used"))
    assert control.scenarios.of(app="used") == []
    [found] = control.scenarios.of(app="plain", project="proj", domain="dev")
    assert found.app == "proj/dev/plain"


def statuses(plane: FakeControlPlane) -> list[tuple[str, str]]:
    """Return the apps with their statuses."""
    return [(str(app), status) for app, status in plane.statuses(AppSelector())]


def repeated(source: str, call_log: int = 1_000) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Run a written test; return the statuses of its apps, and their scenarios."""
    names: dict[str, Any] = {}
    exec(compile(source, "<as_test>", "exec"), names)
    test = names["test_recorded_calls"]
    [marker] = test.pytestmark
    with FakeControlPlane(call_log=call_log, **marker.kwargs) as plane:
        test(plane)
        return statuses(plane), [(each.app, each.scenario) for each in plane.scenarios.of()]


def test_a_written_test_has_the_scenarios_of_its_apps(dialect: str, tmp_path: Path) -> None:
    """Uses, `when`, `then`, files and what was added: without the path of a file, and for a part of the calls."""
    (path := tmp_path / "mine.json").write_text(json.dumps(MINE))
    settings: dict[str, Any] = {"dialect": dialect, "scenarios": str(path), "app_scenarios": {"set-*": "mine"}}
    with FakeControlPlane(call_log=1_000, clock="manual", **settings) as plane:
        plane.scenarios.add(scenarios(extra=ending("extra " * 30, then="mine")))
        plane.scenarios.use("crash-loop", times=1)
        for name in ("first", "when-1", "set-1", "plain"):
            start(plane, name)
        plane.scenarios.use("extra", app="used", times=1)
        start(plane, "used")
        start(plane, "labelled", **{LABEL: "extra"})
        for name in ("used", "set-1", "labelled"):
            restart(plane, name)
        source, part = plane.calls.as_test(), plane.calls.as_test(app="used")
        before = statuses(plane), [(each.app, each.scenario) for each in plane.scenarios.of()]
    assert repeated(source) == before
    assert repeated(part)[1] == [each for each in before[1] if each[0].endswith("/used")]
    assert str(tmp_path) not in source
    assert 'flyte_plane.scenarios.use("crash-loop", app="first", project="proj", domain="dev", times=1)' in source
    assert 'app="plain"' not in source


def test_a_written_test_declares_the_loads_of_its_apps(dialect: str) -> None:
    """At their times, before and after the calls; those of other apps are left out."""
    with FakeControlPlane(call_log=1_000, clock="manual", dialect=dialect) as plane:
        plane.loads.set("5rps", app="other-*")
        plane.loads.set("3concurrent", app="hello")
        request = create("hello")
        request.app.spec.autoscaling.replicas.max = 5
        request.app.spec.autoscaling.scaling_metric.concurrency.target_value = 1
        plane.stub().create(request)
        plane.clock.advance("1m")
        before = plane.stub().get(get("hello")).app.status.current_replicas
        plane.clock.advance("10s")
        plane.loads.clear()
        plane.clock.advance("1h")
        plane.stub().get(get("hello"))
        source = plane.calls.as_test()
    assert before == 3
    assert 'flyte_plane.loads.set("3concurrent", app="hello")' in source
    assert re.search(r"at\(70[.0-9]*\)\n    flyte_plane.loads.clear\(\)\n", source)
    assert "other-*" not in source
    repeated(source)


def test_a_test_of_a_stopped_app_needs_no_scenario() -> None:
    """A call that starts nothing has none."""
    with FakeControlPlane(call_log=10, clock="manual") as plane:
        plane.scenarios.use("crash-loop")
        request = create()
        request.app.spec.desired_state = Spec.DESIRED_STATE_STOPPED
        plane.stub().create(request)
        assert "scenarios" not in plane.calls.as_test()
