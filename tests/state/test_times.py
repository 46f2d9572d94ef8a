"""The times of a plane's state: it has all that a clock reaches, and what is due after that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flyteidl2.app.app_payload_pb2 import CreateRequest

from flyteapps_control.durations import MAX_SECONDS
from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.time.clock import END, SECOND

from .driving import app_of, bare

LONG = f"{MAX_SECONDS}s"
SLOW: dict[str, Any] = {
    "scenarios": {
        "slow": {
            "steps": [
                {"state": "PENDING", "after": "1s"},
                {"loop": {"steps": [{"state": "DEPLOYING", "after": LONG}], "after": LONG}},
            ]
        }
    }
}


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_a_plane_at_the_end_of_its_clock(tmp_path: Path, dialect: str) -> None:
    """Its state is saved, taken, restored, written and loaded, with what is due a hundred years later, or more."""
    options: dict[str, Any] = {"dialect": dialect, "clock": "manual", "state": tmp_path, "scenarios": SLOW}
    with FakeControlPlane(start_time="2099-12-31T00:00:00Z", app_scenarios={"*": "slow"}, **options) as plane:
        plane.stub().create(CreateRequest(app=app_of("p", "a", "", "", "img:1")))
        plane.advance((END - plane.now_ns()) // SECOND - 3)
        plane.advance(2)
        plane.faults.delay("List", seconds=1, lifetime=MAX_SECONDS)
        plane.snapshot("end")
        before = bare(plane.document())
        plane.restore("end")
        plane.load_document(PlaneState.FromString(plane.document().SerializeToString()))
        assert bare(plane.document()) == before
    with FakeControlPlane(**options) as again:
        assert bare(again.document()) == before
