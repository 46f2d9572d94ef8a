"""Notices for the terminal: a line for each change of an app's status, with the reason of a failure."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.dialect import Notice

from .api import Api, new_app

SETTLED = 600.0
DEPLOYED = ["ASSIGNED", "PENDING", "DEPLOYING/PULLING_IMAGE", "DEPLOYING/INITIALIZING"]


def _deployed(dialect: str, scenario: str, then: Callable[[Api], object] = id) -> list[str]:
    """Return the messages about an app of that scenario, until nothing happens any more."""
    found: list[Notice] = []
    with FakeControlPlane(clock="manual", dialect=dialect, org="flyte") as plane:
        plane.notify(found.append)
        app = new_app("web")
        app.spec.container.env.add(key="FLYTEAPPS_SCENARIO", value=scenario)
        api = Api(plane)
        api.create(app)
        plane.advance(SETTLED)
        then(api)
        plane.advance(SETTLED)
    assert {notice.app for notice in found} == {"web"}
    return [notice.message for notice in found]


@pytest.mark.parametrize(
    ("scenario", "last"),
    [
        ("crash-loop", "FAILED/CRASH_LOOP: Container exited with code 1"),
        ("image-pull-error", "FAILED/IMAGE_PULL_ERROR: Failed to pull image: not found"),
    ],
)
def test_a_failed_deployment_is_reported_with_its_reason(scenario: str, last: str) -> None:
    """Each status on the way has a notice, and that of FAILED ends with the condition's message."""
    found = _deployed("standard", scenario)
    assert found[:2] == DEPLOYED[:2]
    assert next(message for message in found if message.startswith("FAILED")) == last


def test_a_status_is_reported_once() -> None:
    """A healthy deployment has one notice for each of its states, none for what changes nothing else, and its end."""
    found = _deployed("standard", "healthy", lambda api: api.stop("web"))
    assert found[:5] == [*DEPLOYED, "ACTIVE/RUNNING"]
    assert found[-2:] == ["PENDING", "STOPPED"]
    assert all(one != other for one, other in itertools.pairwise(found))


def test_an_unknown_scenario_is_reported() -> None:
    """A scenario that doesn't exist is the reason of the failure."""
    assert "crash-lop" in _deployed("standard", "crash-lop")[-1]


def test_the_other_dialect_reports_too() -> None:
    """In flyte-oss the reason is that of the condition that failed first, and no status is reported twice in a row."""
    found = _deployed("flyte-oss", "crash-loop")
    assert found[0] == "PENDING" and found[-1].startswith("FAILED: ")
    assert _deployed("flyte-oss", "healthy")[:2] == ["PENDING", "ACTIVE"]
