"""The Lease streams of a sequence: which clusters hold which apps, judged whenever an app is observed.

Nothing here calls the plane but by the open streams; clusters.py opens and closes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model import lifecycle
from flyteapps_contract.model.transitions import Observation
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import Refused, StreamEnded
from flyteapps_contract.sequences.context import Context
from flyteapps_contract.sequences.slots import Slot
from flyteapps_contract.session import PENDING, STOP, STOPPED
from flyteapps_contract.streams import Leases
from flyteapps_contract.targets.target import Capabilities

LEASE_SECONDS = 60.0
MARGIN_SECONDS = 0.5
"""Seconds of the plane's clock by which a lease may end early or late, since every commit moves that clock a little."""


@dataclass(slots=True)
class LeaseStream:
    """One cluster's open Lease stream, and the leases that it was sent: the slot's key and the expiration."""

    number: int
    leases: Leases
    received: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])


class Grant(NamedTuple):
    """A lease as it was sent: on which stream, of which app, and that app."""

    stream: int
    key: str
    app: model.App

    @property
    def begun(self) -> int:
        """When it began; of a restarted app, which keeps PENDING, that isn't shown: 0."""
        last = self.app.status.conditions[-1]
        return last.last_transition_time.ToNanoseconds() if last.deployment_status == lifecycle.ASSIGNED else 0

    def overlaps(self, later: Grant) -> bool:
        """Return whether a later lease of the same incarnation, to another cluster, began before this one was over."""
        one, other = self.app.status, later.app.status
        if self.key != later.key or one.created_at != other.created_at or not (self.begun and later.begun):
            return False
        stopped = any(
            each.deployment_status == STOPPED and each.last_transition_time.ToNanoseconds() >= self.begun
            for each in other.conditions
        )
        elsewhere = one.assigned_cluster != other.assigned_cluster
        return elsewhere and not stopped and later.begun < one.lease_expiration.ToNanoseconds()


class LeaseStreams:
    """The open Lease streams by cluster, and the rules of leases. `missing`: why no cluster can be played, or ""."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.open: dict[str, LeaseStream] = {}
        self.closing: set[str] = set()
        """Clusters whose stream was closed, where a plane may notice that late."""
        self.now = 0.0
        """Seconds of the plane's clock since the start."""
        self.missing = "" if context.session.own_pools() else Capabilities.REASONS["pools"]
        self._granted: dict[str, float] = {}
        self._grants: list[Grant] = []
        self._incarnations: dict[str, set[int]] = {}
        """The creation times of the observed incarnations of each slot."""

    def at_hand(self, slot: Slot) -> list[str]:
        """Return the clusters that lease the slot's app at once; "" stands for one that isn't the sequence's."""
        if not slot.own:
            return [""] if self._context.capabilities.cluster else []
        return [cluster for cluster in self.open if self._context.slots.serves(cluster, slot)]

    def may_be_leased(self, slot: Slot, app: model.App) -> bool:
        """Return whether a stream that was closed may still be sent the app."""
        waits = app.spec.desired_state != STOP and app.status.assigned_cluster in ("", *self.closing)
        return waits and any(self._context.slots.serves(cluster, slot) for cluster in self.closing)

    def waits(self, slot: Slot) -> bool:
        """Return whether the app should be leased, as far as is known."""
        app = self._context.entry(slot).app
        return app is not None and app.spec.desired_state != STOP and not app.status.assigned_cluster

    # ---- messages

    def receive_all(self, stream: LeaseStream) -> None:
        """Read what has arrived on a stream."""
        while True:
            try:
                batch = stream.leases.poll()
            except (Refused, StreamEnded) as end:
                text = f"a Lease stream ended: {end}"
                raise Violation(("LE-1",), text, f"not ended({stream.number})") from None
            if batch is None:
                return
            self.receive(stream, batch)

    def receive(self, stream: LeaseStream, batch: list[model.App]) -> list[model.App]:
        """Record a batch, and return it."""
        if not batch:
            raise Violation(("LE-1",), "an empty batch of leases", f"leased({stream.number}) != []")
        for app in batch:
            slot = next((each for each in self._context.slots.own if each.has_id(app.metadata.id)), None)
            key = slot.key if slot is not None else ""
            stream.received.append((key, app.status.lease_expiration.ToNanoseconds()))
            if key:
                self._grants.append(Grant(stream.number, key, app))
        return batch

    def judge_end(self) -> None:
        """Read all streams; raise Violation for a lease that was sent twice, or to two clusters."""
        for cluster, stream in self.open.items():
            self.receive_all(stream)
            for key, until in stream.received:
                others = [other for name, other in self.open.items() if name != cluster]
                if key and any((key, until) in other.received for other in others):
                    text = f"two clusters were leased {key} at once"
                    line = " and ".join(f"leased({other.number})" for other in others)
                    raise Violation(("LE-1",), text, f"not (set(leased({stream.number})) & set({line}))")
            if len(set(stream.received)) != len(stream.received):
                text = f"{cluster} was sent a lease twice"
                line = f"len(set(leased({stream.number}))) == len(leased({stream.number}))"
                raise Violation(("LE-1",), text, line)
        order = sorted(self._grants, key=lambda grant: (grant.begun, grant.app.status.lease_expiration.ToNanoseconds()))
        for before, after in combinations(order, 2):
            if before.overlaps(after):
                one, other = (grant.app.status.assigned_cluster for grant in (before, after))
                text = f"{other} was leased {after.key} while {one}'s lease ran"
                raise Violation(("LE-1",), text, f"disjoint({before.stream}, {after.stream})")

    # ---- observations

    def observed(self, slot: Slot, before: model.App | None, now: Observation, *, reported: bool = False) -> None:
        """Judge the lease of an observed app; `reported`: its cluster has just sent a report."""
        app = now.app
        if not slot.own:
            return
        self._incarnations.setdefault(slot.key, set()).add(app.status.created_at.ToNanoseconds())
        same = before is not None and before.status.created_at == app.status.created_at
        was = before.status if same and before is not None else model.Status()
        cluster = app.status.assigned_cluster
        at_hand = self.at_hand(slot)
        runs = app.spec.desired_state != STOP
        if runs and not cluster and at_hand:
            line = f"{now.word}.status.assigned_cluster != ''"
            raise Violation(("LE-6", "LE-1"), f"no cluster was leased it, though {at_hand[0]} waits for it", line)
        leased = bool(cluster) and app.status.HasField("lease_expiration")
        anew = leased and (
            was.assigned_cluster != cluster or was.lease_expiration != app.status.lease_expiration or not same
        )
        if anew and cluster in self.closing:
            self._granted[slot.key] = self.now
            return
        if anew and cluster not in at_hand:
            line = f"{now.word}.status.assigned_cluster in {at_hand!r}"
            raise Violation(("LE-1",), f"{cluster} was leased it, but does not serve its pool or doesn't wait", line)
        if not reported:
            self._judge_time(slot, was, now, anew=anew)
        if anew:
            self._granted[slot.key] = self._granted_at(slot, was, app.status)
            self._expect_delivery(slot, app)

    def _granted_at(self, slot: Slot, was: model.Status, now: model.Status) -> float:
        """Return when a lease began: where an older one ran out while time was moved, before that time was over.

        Many may have run out since; all are of one length.
        """
        old = self._granted.get(slot.key)
        if old is None or not was.HasField("lease_expiration") or self.now - old < LEASE_SECONDS:
            return self.now
        longer = now.lease_expiration.ToNanoseconds() - was.lease_expiration.ToNanoseconds()
        return min(self.now, old + longer / 1e9)

    def _judge_time(self, slot: Slot, was: model.Status, now: Observation, *, anew: bool) -> None:
        status = now.app.status
        if not was.HasField("lease_expiration") or slot.key not in self._granted:
            return
        ran = self.now - self._granted[slot.key]
        again = ("DE-3",) if len(self._incarnations[slot.key]) > 1 else ()  # it may be the lease of a deleted one
        kept = status.lease_expiration == was.lease_expiration and status.assigned_cluster == was.assigned_cluster
        if ran > LEASE_SECONDS + MARGIN_SECONDS and kept:
            line = f"{now.word}.status.lease_expiration != {was.lease_expiration.ToNanoseconds()}"
            raise Violation(("LE-2",), f"a lease of {LEASE_SECONDS:g} s still runs after {ran:g} s", line)
        if ran < LEASE_SECONDS - MARGIN_SECONDS and anew:
            line = f"{now.word}.status.assigned_cluster == {was.assigned_cluster!r}"
            text = (
                f"it was leased to {status.assigned_cluster} after {ran:g} s, while {was.assigned_cluster}'s lease ran"
            )
            raise Violation(("LE-1", *again), text, line)
        if ran < LEASE_SECONDS - MARGIN_SECONDS and not kept and not status.assigned_cluster:
            line = f"{now.word}.status.assigned_cluster == {was.assigned_cluster!r}"
            raise Violation(("LE-1", "LE-2", *again), f"a lease of {LEASE_SECONDS:g} s was over after {ran:g} s", line)
        if ran > LEASE_SECONDS + MARGIN_SECONDS and not status.assigned_cluster:
            _judge_lapse(now)

    def _expect_delivery(self, slot: Slot, app: model.App) -> None:
        """Read the holder's stream until the lease arrives."""
        cluster = app.status.assigned_cluster
        stream = self.open[cluster]
        wanted = (slot.key, app.status.lease_expiration.ToNanoseconds())
        line = f"{app.metadata.id.name!r} in leased({stream.number})"
        while wanted not in stream.received:
            try:
                batch = stream.leases.poll(self._context.patience)
            except (Refused, StreamEnded) as error:
                raise Violation(("LE-1",), str(error), line) from None
            if batch is None:
                raise Violation(("LE-1",), f"{cluster} holds {slot.key}, but was never sent it", line)
            self.receive(stream, batch)


def _judge_lapse(now: Observation) -> None:
    """Judge the last condition of an app whose lease ran out."""
    statuses = [each.deployment_status for each in now.app.status.conditions]
    stopping = now.app.spec.desired_state == STOP
    acknowledged = bool(now.app.status.last_assigned_cluster) or PENDING in statuses
    expected = STOPPED if stopping else PENDING if acknowledged else lifecycle.UNASSIGNED
    if statuses[-1] != expected:
        line = f"{now.word}.status.conditions[-1].deployment_status in {(expected,)!r}"
        text = f"after its lease ran out it is {lifecycle.text_of(now.app.status.conditions[-1])}"
        raise Violation(("LE-2",), text, line)
