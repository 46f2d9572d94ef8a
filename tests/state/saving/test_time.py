"""The time of a plane whose state is kept, from one run to the next."""

from __future__ import annotations

from pathlib import Path

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.time.clock import SECOND


def test_time_that_passed_without_a_change_is_kept(tmp_path: Path) -> None:
    """Where time stands between two runs, the clock goes on from the moment at which the plane was closed."""
    real = 0.0
    settings = Settings(
        clock="realtime", state=tmp_path / "state", time_between="stands", start_time="2026-12-24T09:00:00Z"
    )
    with FakeControlPlane.of(settings, real=lambda: real) as plane:
        began = plane.now_ns()
        real += 100
    with FakeControlPlane.of(settings, real=lambda: real) as plane:
        assert plane.now_ns() == began + 100 * SECOND
