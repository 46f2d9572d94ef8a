"""The scenario of a start: label, use, configured pattern, `when` with weights, `then`, n-th start."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from control.calls import create, get
from flyteidl2.app.app_payload_pb2 import UpdateRequest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.simulation.scenarios import LABEL, VARIABLE

from .driving import ending, last_message, remove, restart, scenarios, start


def plane_with(configured: dict[str, str] | None = None, /, **by_name: Any) -> FakeControlPlane:
    """Return a plane with these scenarios."""
    return FakeControlPlane(scenarios=scenarios(**by_name), app_scenarios=configured or {}, clock="manual")


def test_what_an_app_names_wins() -> None:
    """Label, variable, configured pattern, `when`, in this order."""
    by_name = {name: ending(name) for name in ("label", "variable", "configured")}
    with plane_with({"worker-*": "configured"}, when=ending("when", when={"name": "*"}), **by_name) as plane:
        request = create("worker-1")
        request.app.spec.container.env.add(key=VARIABLE, value="variable")
        plane.stub().create(request)
        plane.clock.advance("1s")
        assert last_message(plane, "worker-1") == "variable"
        assert start(plane, "worker-2", **{LABEL: "label"}) == "label"
        assert start(plane, "worker-3") == "configured"
        assert start(plane, "other") == "when"


def test_a_scenario_without_when_has_to_be_named() -> None:
    """By itself no app gets it."""
    with plane_with(own=ending("own")) as plane:
        assert start(plane) == "Running"


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({"name": "he*"}, True),
        ({"name": "*", "project": "proj", "domain": "d?v"}, True),
        ({"name": "he*", "project": "other"}, False),
        ({"domain": "prod"}, False),
        ({"image": "*/train:*"}, True),
        ({"image": "train"}, False),
        ({"command": "*--train*"}, True),
        ({"command": "python*--lr 1"}, True),
        ({"command": "--train"}, False),
        ({"labels": {"tier": "gpu*"}}, True),
        ({"labels": {"tier": "cpu"}}, False),
        ({"labels": {"absent": "*"}}, False),
        ({"start": 1}, True),
        ({"start": 2}, False),
    ],
)
@pytest.mark.parametrize("pod", [False, True])
def test_when_selects_apps(when: dict[str, Any], matches: bool, pod: bool) -> None:
    """All globs have to match; of a pod app the primary container counts."""
    with plane_with(own=ending("own", when=when)) as plane:
        request = create("hello")
        request.app.metadata.labels["tier"] = "gpu-1"
        container: Any = {"image": "example.org/train:1", "command": ["python", "x"], "args": ["--train", "--lr", "1"]}
        if pod:
            request.app.spec.pod.primary_container_name = "main"
            others = {"name": "sidecar", "image": "side"}
            request.app.spec.pod.pod_spec.update({"containers": [others, {"name": "main", **container}]})
        else:
            request.app.spec.container.image = container["image"]
            request.app.spec.container.command.extend(container["command"])
            request.app.spec.container.args.extend(container["args"])
        plane.stub().create(request)
        plane.clock.advance("1s")
        assert (last_message(plane) == "own") is matches


def test_weights_are_shares() -> None:
    """Among all that fit one is drawn for each app; its further starts get the same."""
    with plane_with(
        rare=ending("rare", when={"name": "*"}), often=ending("often", when={"name": "app-*"}, weight=4)
    ) as plane:
        found = {name: start(plane, name) for name in [f"app-{number}" for number in range(60)]}
        assert 4 <= Counter(found.values())["rare"] <= 22
        assert {name: start(plane, name) for name in [*found][:10]} == dict([*found.items()][:10])


def test_the_nth_start_of_an_app() -> None:
    """Counted over revisions and activations, until the app is removed."""
    with plane_with(second=ending("second", when={"start": 2}), fourth=ending("fourth", when={"start": 4})) as plane:
        assert [start(plane), start(plane), restart(plane), restart(plane)] == [
            "Running",
            "second",
            "Running",
            "fourth",
        ]
        remove(plane)
        assert [start(plane), start(plane)] == ["Running", "second"]


def test_then_is_the_scenario_of_the_next_start() -> None:
    """It leads from one scenario to another, and stays at the last; a new choice begins anew."""
    with plane_with(
        first=ending("first", then="second", when={"name": "*"}),
        second=ending("second", then="healthy"),
        named=ending("named", then="second"),
    ) as plane:
        assert [start(plane), restart(plane), start(plane), start(plane)] == ["first", "second", "Running", "Running"]
        assert start(plane, **{LABEL: "named"}) == "named"
        assert [start(plane), start(plane)] == ["second", "Running"]


def test_a_rejected_spec_is_no_start() -> None:
    """An app that no cluster could run has not started: its scenario waits for it."""
    with plane_with(first=ending("first", when={"start": 1})) as plane:
        request = create("hello")
        request.app.spec.autoscaling.replicas.min, request.app.spec.autoscaling.replicas.max = 3, 2
        plane.stub().create(request)
        plane.clock.advance("5s")
        assert "denied" in last_message(plane)
        app = plane.stub().get(get("hello")).app
        app.spec.ClearField("autoscaling")
        plane.stub().update(UpdateRequest(app=app))
        plane.clock.advance("1s")
        assert last_message(plane) == "first"


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_an_unknown_scenario_is_an_error_of_the_app(dialect: str) -> None:
    """The message lists the known ones, the users' among them."""
    with FakeControlPlane(dialect=dialect, scenarios=scenarios(own=ending("own")), clock="manual") as plane:
        notices = list[str]()
        plane.notify(lambda notice: notices.append(notice.message))
        start(plane, **{LABEL: "absent"})
        plane.clock.advance("5s")
        assert "nknown scenario 'absent'; known ones: busy, crash-loop" in notices[-1]
        assert "own, recovers-in-place" in notices[-1]


def test_a_configured_pattern_may_name_an_own_scenario() -> None:
    """And an unknown one is refused when the plane is made, with all names."""
    with plane_with({"*": "own"}, own=ending("own")) as plane:
        assert start(plane) == "own"
    with pytest.raises(ValueError, match=r"'other', of .*=other, is an unknown scenario; there are .*own"):
        plane_with({"*": "other"}, own=ending("own"))


def test_a_dialect_of_its_own() -> None:
    """A scenario of another dialect isn't there; write conflicts are those of the open-source backend."""
    data = scenarios(own=ending("own", dialect="flyte-oss", conflicts=2))
    with pytest.raises(ValueError, match="unknown scenario"):
        FakeControlPlane(scenarios=data, app_scenarios={"*": "own"})
    FakeControlPlane(scenarios=data, app_scenarios={"*": "own"}, dialect="flyte-oss").close()
