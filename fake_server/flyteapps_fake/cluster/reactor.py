"""The simulated data plane: hears of every event, answers with leases and reports, some of them later.

Pure: its time is the agenda's, its chance the seed's. It uses the same functions
as a cluster that comes over the wire would.
"""

from __future__ import annotations

import hashlib

from flyteapps_fake.cluster.scenarios import STOP, Step, steps_of
from flyteapps_fake.plane.apps import AppKey, AppRecord
from flyteapps_fake.plane.clock import Agenda
from flyteapps_fake.plane.commits import State
from flyteapps_fake.plane.events import Event
from flyteapps_fake.plane.leases import leasable, lease
from flyteapps_fake.plane.lifecycle import shall_run
from flyteapps_fake.plane.status import Report, report

CLUSTER = "simulated"
POOLS = ("", "default", CLUSTER)


class Reactor:
    """One simulated cluster over one plane."""

    def __init__(self, state: State, agenda: Agenda, floor: int = 0) -> None:
        self._state = state
        self._agenda = agenda
        self._floor = floor
        """Nanoseconds of virtual time at least between a write and the last step that follows from it."""

    def on_event(self, event: Event) -> None:
        """Decides what a committed change means for the cluster."""
        new, old = event.new, event.old
        if new is None:
            if old is not None:
                self._agenda.cancel(old.key)
            return
        if self._state.store.get(new.key) is not new:
            return
        if leasable(new):
            self._agenda.cancel(new.key)
            if self._serves(new):
                lease(self._state, new, CLUSTER)
            return
        if new.cluster != CLUSTER:
            self._agenda.cancel(new.key)
        elif old is None or old.revision != new.revision or old.cluster != CLUSTER:
            self._start(new)

    def _serves(self, record: AppRecord) -> bool:
        spec = record.parse().spec
        return spec.cluster == CLUSTER or (not spec.cluster and spec.cluster_pool in POOLS)

    def _start(self, record: AppRecord) -> None:
        steps = steps_of(record.parse()) if shall_run(record.desired_state) else STOP
        self._plan(record, steps, 0, self._state.clock.now())

    def _plan(self, record: AppRecord, steps: tuple[Step, ...], index: int, written: int) -> None:
        step = steps[index]
        due = self._state.clock.now() + step.delay + _jitter(self._state.settings.seed, record, index, step.jitter)
        if index == len(steps) - 1:
            due = max(due, written + self._floor)
        key, revision, incarnation = record.key, record.revision, record.incarnation

        def fire() -> None:
            self._take_step(key, incarnation, revision, steps, index, written)

        self._agenda.call_at(due, key, fire)

    def _take_step(
        self, key: AppKey, incarnation: int, revision: int, steps: tuple[Step, ...], index: int, written: int
    ) -> None:
        record = self._state.store.get(key)
        if record is None or (record.incarnation, record.revision) != (incarnation, revision):
            return
        step = steps[index]
        said = Report(
            cluster=CLUSTER,
            status=step.status,
            substate=step.substate,
            message=step.message,
            replicas=step.replicas,
            namespace=f"{key.project}-{key.domain}",
        )
        report(self._state, record, said)
        if index + 1 < len(steps):
            current = self._state.store.get(key)
            if current is not None:
                self._plan(current, steps, index + 1, written)


def _jitter(seed: int, record: AppRecord, index: int, width: int) -> int:
    """A draw in [-width, width], the same for the same seed, id, revision and step."""
    if not width:
        return 0
    text = "\0".join((str(seed), *record.key, str(record.incarnation), str(record.revision), str(index)))
    draw = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return draw % (2 * width + 1) - width
