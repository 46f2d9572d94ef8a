"""Resets of a plane and of its projects: the state, and what drives it. Streams that see it end with UNAVAILABLE."""

from __future__ import annotations

from flyteapps_control.v1.control_pb2 import AppSelector
from flyteapps_fake.core.plane import Plane


def reset_plane(plane: Plane, seed: int | None) -> int:
    """Make a plane as new, but for its snapshots and logins; return how many apps it had. `seed`: from now on."""
    with plane.locked():
        removed = plane.count()
        plane.reset_state(seed=seed)
        return removed


def reset_project(plane: Plane, project: str) -> int:
    """Make a project as if nothing had ever been there; return how many apps it had.

    Rules, loads and uses go that name exactly this project. Recorded calls stay: their numbers are those of all.
    """
    with plane.scenario_book() as book:
        removed = len(plane.statuses(AppSelector(project=project)))
        plane.reset_state(project)
        if rules := [each.id for each in plane.list_faults() if each.app.project == project]:
            plane.remove_faults(rules)
        for load in plane.list_loads():
            if load.app.project == project:
                plane.clear_loads(load.app)
        book.remove((), [each.id for each in book.uses() if each.app.project == project])
        return removed
