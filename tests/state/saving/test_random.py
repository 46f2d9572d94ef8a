"""Random steps on a disk that fails at random: the plane is what a twin is that took the acknowledged steps alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from innards import state_of

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.waiting import pauses, sleep

from ..driving import Driven, Step, new_plane
from ..test_standard import AFTER, BEFORE, others, writes
from ..twins import TAIL, compare
from .disks import CODES, Disk, mended

errors = st.sampled_from(list(CODES))
steps = st.lists(st.tuples(st.one_of(writes, writes, others), st.one_of(st.none(), st.none(), errors)), max_size=25)
LEASES = ("lease", "leave")
CALLS, CHANGES = ("call", "open"), ("advance", "remove_apps", "reset_state", "ask")
"""The methods of a plane that wait by themselves, and those that change it without."""


class Patient:
    """A plane whose calls wait until they are safe."""

    def __init__(self, plane: FakeControlPlane) -> None:
        self._plane = plane

    def __getattr__(self, name: str) -> Any:
        found: Any = getattr(self._plane, name)
        if name not in CALLS and name not in CHANGES:
            return found

        def patient(*arguments: Any) -> Any:
            if name in CALLS:
                return waited(lambda: found(*arguments))
            return waited(lambda: self._plane.safely(lambda: found(*arguments)))

        return patient


def waited(run: Callable[[], Any]) -> Any:
    """Return the outcome of a call once it may be known."""
    try:
        return run()
    except Postponed as postponed:
        for seconds in pauses(postponed, None):
            sleep(postponed, seconds)
        return postponed.resume()


def saved_in(path: Path, sync: str) -> tuple[FakeControlPlane, Driven]:
    """Return a plane that is saved, with what drives it."""
    options: dict[str, Any] = {"state": path, "state_sync": sync, "ingress": "host"}
    plane = new_plane(**options)
    patient: Any = Patient(plane)
    return plane, Driven(patient)


def proved(steps: list[tuple[Step, Any]], sync: str) -> None:
    """Take steps, each on a disk that works or fails; compare with a twin, and once more after a restart."""
    with tempfile.TemporaryDirectory() as directory, Disk().under() as disk:
        path = Path(directory) / "state"
        plane, saved = saved_in(path, sync)
        twin = Driven(new_plane(ingress="host"))
        clock = state_of(plane).clock
        try:
            for step, error in steps:
                if step[0] in LEASES:  # a failure ends streams, as a restart does
                    continue
                if error is not None:
                    disk.fail(error)
                now = clock.now()
                outcome, _ = saved.take(step)
                mended(disk, plane)
                if error is not None and f"{CODES[error]}: the change can't be saved" in str(outcome):
                    clock.set(now)  # a call that is refused takes a tick
                else:
                    expected = twin.take(step)[0]
                    assert outcome == expected, (step, error)
            compare(saved, twin)
            plane.close()
            plane, saved = saved_in(path, sync)
            state_of(plane).timers.scheduled = state_of(
                twin.plane
            ).timers.scheduled  # those of log streams are not kept
            compare(saved, twin)
            for step in TAIL:
                if step[0] not in LEASES:
                    assert saved.take(step) == twin.take(step), step
            compare(saved, twin)
        finally:
            plane.close()
            twin.plane.close()


@pytest.mark.parametrize("sync", ["always", "group", "never"])
def test_a_restart_changes_nothing(sync: str) -> None:
    """One tour through all that a plane can do, then a restart, after which it goes on as its twin does."""
    proved([(step, None) for step in (*BEFORE, *AFTER)], sync)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.sampled_from(("always", "group")))
def test_only_what_was_acknowledged_has_happened(steps: list[tuple[Step, Any]], sync: str) -> None:
    """On a disk that fails at random, what was refused has changed nothing; the rest is there, after a restart, too."""
    proved(steps, sync)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.sampled_from(("always", "group")))
def test_only_what_was_acknowledged_has_happened_at_length(steps: list[tuple[Step, Any]], sync: str) -> None:
    """The same, for longer."""
    proved(steps, sync)
