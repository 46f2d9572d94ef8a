"""The clusters of a sequence: their Lease streams, their reports, and what the oracle expects of leased apps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.expectations import diff
from flyteapps_contract.model import lifecycle, reports
from flyteapps_contract.model.transitions import Observation
from flyteapps_contract.model.violations import Violation, code_proof, differences, field_proofs
from flyteapps_contract.outcomes import NotOffered, Refused, StreamEnded
from flyteapps_contract.sequences.names import REPORTS, Slot
from flyteapps_contract.sequences.trace import OK, app_of
from flyteapps_contract.session import ACTIVE, PENDING, STOP, STOPPED, last_status, preparing
from flyteapps_contract.streams import Leases
from flyteapps_contract.targets.target import Capabilities

if TYPE_CHECKING:
    from flyteapps_contract.sequences.interpreter import Interpreter

LEASE_SECONDS = 60.0
MARGIN = 0.5
"""Seconds of the plane's clock by which a lease may end early or late, since every commit moves that clock a little."""

BLAME: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("metadata", ("US-0",)),
    ("spec", ("US-0",)),
    ("status.last_started_at", ("US-3",)),
    ("status.current_replicas", ("US-3", "US-0")),
    ("status.lease_expiration", ("LE-3",)),
    ("status.last_assigned_cluster", ("LE-3", "LE-5")),
    ("status.assigned_cluster", ("LE-5",)),
    ("status.last_updated_at", ("US-6",)),
    ("status.conditions", ("US-1", "US-0")),
    ("status", ("US-0",)),
)
"""Which guarantees speak of a field that a report led astray; the first that fits."""


@dataclass(slots=True)
class Desk:
    """One cluster's open Lease stream, and the leases that came on it: the app's key and until when."""

    stream: int
    leases: Leases
    handed: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])


class DataPlane:
    """What the scene's clusters do."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._on = interpreter
        self._desks: dict[str, Desk] = {}
        self._now = 0.0
        self._granted: dict[str, float] = {}
        self._missing = "" if interpreter.session.own_pools() else Capabilities.REASONS["pools"]
        self._born: dict[str, set[int]] = {}
        """When the incarnations of each slot that were seen were created."""
        self._left: set[str] = set()
        """Clusters whose stream was closed, where a plane may notice that late."""

    def at_hand(self, slot: Slot) -> list[str]:
        """The clusters that lease the slot's app at once; "" stands for one that isn't the scene's."""
        if not slot.own:
            return [""] if self._on.capabilities.cluster else []
        return [cluster for cluster in self._desks if self._on.scene.serves(cluster, slot)]

    # ---- leases

    def lease(self, number: int) -> None:
        """Opens the Lease stream of a cluster; one that is open stays."""
        cluster = self._on.scene.clusters[number]
        if cluster in self._desks or cluster in self._left or self._missing:
            return
        for slot in self._own():
            entry = self._on.entry(slot)
            if not entry.known:
                self._on.refresh(slot)
        stream, leases = self._on.trace.lease(cluster)
        try:
            first = leases.poll()
        except NotOffered as missing:
            self._missing = str(missing)
            self._on.trace.close(stream)
            return
        waiting = [slot for slot in self._own() if self._on.scene.serves(cluster, slot) and self._waits(slot)]
        self._desks[cluster] = Desk(stream, leases)
        if first is not None:
            self._hand(self._desks[cluster], first)
        self._await_begin(cluster, self._desks[cluster])
        self._take_in(self._desks[cluster])
        for slot in waiting:
            self._on.entry(slot).passed = True
        self.settle()

    def leave(self, number: int) -> None:
        """Closes it; what was leased stays so until it runs out."""
        self.settle()
        desk = self._desks.pop(self._on.scene.clusters[number], None)
        if desk is not None:
            desk.leases.close()
            self._on.trace.close(desk.stream)
            if not self._on.session.plane.link.opens_at_once:
                self._left.add(self._on.scene.clusters[number])

    def may_be_leased(self, slot: Slot, app: model.App) -> bool:
        """Whether a stream that was closed may be sent the app."""
        waits = app.spec.desired_state != STOP and app.status.assigned_cluster in ("", *self._left)
        return waits and any(self._on.scene.serves(cluster, slot) for cluster in self._left)

    def _await_begin(self, cluster: str, desk: Desk) -> None:
        """Waits until an app of the cluster's pool comes on the stream, where it may begin later than it is opened."""
        if self._on.session.plane.link.opens_at_once:
            return
        where = {"project": f"{self._on.session.project}m"} if self._on.capabilities.projects else dict[str, str]()
        slot = Slot("", self._on.session.id(**where), cluster, own=True)
        with preparing("the first lease of a stream"):
            app = self._on.trace.call("Create", self._on.scene.creation(slot), rpc.CreateResponse)
            while all(each.metadata.id != app_of(app).metadata.id for each in self._hand(desk, desk.leases.next())):
                pass

    def settle(self) -> None:
        """Reads each app that some cluster has to have been leased."""
        for slot in self._own():
            entry = self._on.entry(slot)
            if self.at_hand(slot) and (len(entry.branches) > 1 or entry.passed or self._waits(slot)):
                self._on.refresh(slot)

    def passed(self, seconds: float) -> None:
        """Time passed: leases may have run out."""
        self._now += seconds
        for slot in self._own():
            app = self._on.entry(slot).app
            if app is not None and app.status.HasField("lease_expiration"):
                self._on.entry(slot).passed = True
                self._on.refresh(slot)

    def observed(self, slot: Slot, before: model.App | None, now: Observation, *, reported: bool = False) -> None:
        """Judges what an app says of its lease; `reported`: its cluster has just spoken."""
        app = now.app
        if not slot.own:
            return
        self._born.setdefault(slot.key, set()).add(app.status.created_at.ToNanoseconds())
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
        if anew and cluster in self._left:
            self._granted[slot.key] = self._now
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
        """When a lease began: where an older one ran out while time was moved, before that time was over.

        Many may have run out since; all are of one length.
        """
        old = self._granted.get(slot.key)
        if old is None or not was.HasField("lease_expiration") or self._now - old < LEASE_SECONDS:
            return self._now
        longer = now.lease_expiration.ToNanoseconds() - was.lease_expiration.ToNanoseconds()
        return min(self._now, old + longer / 1e9)

    def _judge_time(self, slot: Slot, was: model.Status, now: Observation, *, anew: bool) -> None:
        status = now.app.status
        if not was.HasField("lease_expiration") or slot.key not in self._granted:
            return
        ran = self._now - self._granted[slot.key]
        again = ("DE-3",) if len(self._born[slot.key]) > 1 else ()  # it may be the lease of one that was deleted
        kept = status.lease_expiration == was.lease_expiration and status.assigned_cluster == was.assigned_cluster
        if ran > LEASE_SECONDS + MARGIN and kept:
            line = f"{now.word}.status.lease_expiration != {was.lease_expiration.ToNanoseconds()}"
            raise Violation(("LE-2",), f"a lease of {LEASE_SECONDS:g} s still runs after {ran:g} s", line)
        if ran < LEASE_SECONDS - MARGIN and anew:
            line = f"{now.word}.status.assigned_cluster == {was.assigned_cluster!r}"
            text = (
                f"it was leased to {status.assigned_cluster} after {ran:g} s, while {was.assigned_cluster}'s lease ran"
            )
            raise Violation(("LE-1", *again), text, line)
        if ran < LEASE_SECONDS - MARGIN and not kept and not status.assigned_cluster:
            line = f"{now.word}.status.assigned_cluster == {was.assigned_cluster!r}"
            raise Violation(("LE-1", "LE-2", *again), f"a lease of {LEASE_SECONDS:g} s was over after {ran:g} s", line)
        if ran > LEASE_SECONDS + MARGIN and not status.assigned_cluster:
            self._judge_lapse(now)

    def _judge_lapse(self, now: Observation) -> None:
        statuses = [each.deployment_status for each in now.app.status.conditions]
        stopping = now.app.spec.desired_state == STOP
        expected = (STOPPED,) if stopping else (lifecycle.UNASSIGNED, PENDING)
        acknowledged = bool(now.app.status.last_assigned_cluster) or PENDING in statuses
        if not stopping and not acknowledged:
            expected = (lifecycle.UNASSIGNED,)
        if not stopping and acknowledged:
            expected = (PENDING,)
        if statuses[-1] not in expected:
            line = f"{now.word}.status.conditions[-1].deployment_status in {expected!r}"
            text = f"after its lease ran out it is {lifecycle.text_of(now.app.status.conditions[-1])}"
            raise Violation(("LE-2",), text, line)

    def _expect_delivery(self, slot: Slot, app: model.App) -> None:
        """Reads the holder's stream until the lease comes."""
        cluster = app.status.assigned_cluster
        desk = self._desks[cluster]
        wanted = (slot.key, app.status.lease_expiration.ToNanoseconds())
        line = f"{app.metadata.id.name!r} in leased({desk.stream})"
        while wanted not in desk.handed:
            try:
                batch = desk.leases.poll(self._on.patience)
            except (Refused, StreamEnded) as error:
                raise Violation(("LE-1",), str(error), line) from None
            if batch is None:
                raise Violation(("LE-1",), f"{cluster} holds {slot.key}, but was never sent it", line)
            self._hand(desk, batch)

    def _take_in(self, desk: Desk) -> None:
        """Reads what has come on a stream."""
        while True:
            try:
                batch = desk.leases.poll()
            except (Refused, StreamEnded) as end:
                text = f"a Lease stream ended: {end}"
                raise Violation(("LE-1",), text, f"not ended({desk.stream})") from None
            if batch is None:
                return
            self._hand(desk, batch)

    def _hand(self, desk: Desk, batch: list[model.App]) -> list[model.App]:
        """Takes in a batch."""
        keys = {(s.app_id.project, s.app_id.domain, s.app_id.name): s.key for s in self._own()}
        if not batch:
            raise Violation(("LE-1",), "an empty batch of leases", f"leased({desk.stream}) != []")
        for app in batch:
            found = app.metadata.id
            key = keys.get((found.project, found.domain, found.name), "")
            desk.handed.append((key, app.status.lease_expiration.ToNanoseconds()))
        return batch

    def close(self) -> None:
        """Looks at what came on the streams, and that nobody asked for."""
        for cluster, desk in self._desks.items():
            self._take_in(desk)
            for key, until in desk.handed:
                others = [other for name, other in self._desks.items() if name != cluster]
                if key and any((key, until) in other.handed for other in others):
                    text = f"two clusters were leased {key} at once"
                    line = " and ".join(f"leased({other.stream})" for other in others)
                    raise Violation(("LE-1",), text, f"not (set(leased({desk.stream})) & set({line}))")
            if len(set(desk.handed)) != len(desk.handed):
                text = f"{cluster} was sent a lease twice"
                line = f"len(set(leased({desk.stream}))) == len(leased({desk.stream}))"
                raise Violation(("LE-1",), text, line)

    def _waits(self, slot: Slot) -> bool:
        """Whether the app is to be leased, as far as is known."""
        app = self._on.entry(slot).app
        return app is not None and app.spec.desired_state != STOP and not app.status.assigned_cluster

    def _own(self) -> list[Slot]:
        return [slot for slot in self._on.scene.slots if slot.own]

    # ---- reports

    def report(self, number: int, said: int, by: int, revision: int, counter: int, replicas: int) -> None:
        """UpdateStatus of anything, by the app's cluster or another."""
        slot = self._leased(number)
        app = self._reportable(slot)
        if app is None:
            return
        cluster = app.status.assigned_cluster if by == 0 else self._on.scene.clusters[by - 1]
        if not slot.own and by == 0:
            return  # the cluster that has it speaks for itself
        last = app.status.conditions[-1].revision
        status, substate, message = REPORTS[said]
        sent = self._message(slot, cluster, status, substate, message, replicas)
        sent.metadata.revision = (0, app.metadata.revision, app.metadata.revision + 1)[revision]
        sent.status.conditions[-1].revision = (0, last, last + 1)[counter]
        self._send(slot, app, sent)

    def progress(self, number: int) -> None:
        """What the app's cluster says next on its way to what is wanted."""
        slot = self._leased(number)
        app = self._reportable(slot)
        if app is None or not slot.own or not app.status.assigned_cluster:
            return
        stopping, last = app.spec.desired_state == STOP, last_status(app)
        if stopping and last != lifecycle.ASSIGNED:
            said = (STOPPED, 0, "")
        elif last == lifecycle.ASSIGNED or app.status.HasField("lease_expiration"):
            said = (PENDING, 0, "")
        elif last in (PENDING, lifecycle.DEPLOYING):
            said = (ACTIVE, model.Status.RUNNING, "")
        else:
            return
        sent = self._message(slot, app.status.assigned_cluster, *said, int(said[0] == ACTIVE))
        sent.metadata.revision = app.metadata.revision
        self._send(slot, app, sent)

    def _leased(self, number: int) -> Slot:
        """One of the apps that some cluster of the scene has, as far as is known; any slot where there is none."""
        apps = [(slot, self._on.entry(slot).app) for slot in self._own()]
        leased = [slot for slot, app in apps if app is not None and app.status.assigned_cluster]
        return leased[number % len(leased)] if leased else self._on.scene.slots[number]

    def _reportable(self, slot: Slot) -> model.App | None:
        if slot.foreign or self._missing:
            return None
        entry = self._on.entry(slot)
        if not entry.known:
            self._on.refresh(slot)
        app = entry.app
        return app if app is not None and app.status.conditions and not self._on.moving(slot, app) else None

    def _message(self, slot: Slot, cluster: str, status: int, substate: int, message: str, replicas: int) -> model.App:
        sent = self._on.scene.app(slot, 0, 0, 0)
        sent.status.assigned_cluster = cluster
        sent.status.current_replicas = replicas
        sent.status.conditions.add(deployment_status=status, substate=substate, message=message)  # type: ignore[arg-type]
        return sent

    def _send(self, slot: Slot, app: model.App, sent: model.App) -> None:
        trace = self._on.trace
        before = Observation(app, self._on.entry(slot).seen.word)  # type: ignore[union-attr]  # it was seen
        step = trace.call("UpdateStatus", rpc.UpdateStatusRequest(app=sent), rpc.UpdateStatusResponse)
        if step.code == "UNIMPLEMENTED":
            self._missing = step.message
            return
        entry = self._on.entry(slot)
        codes = reports.refusals(app, sent)
        wanted = tuple(codes) or (OK,)
        if step.code not in wanted:
            says = tuple(each for code in codes.values() for each in code) or ("US-2", "LE-3", "US-1")
            text = f"expected {' or '.join(wanted)}, got {step.code} {step.message}"
            raise Violation(says, text, code_proof(trace.number, wanted))
        if codes:
            self._on.possible.blame(entry, codes[step.code])
            return
        now = Observation(app_of(step), f"answers[{trace.number}].app")
        self._judge_report(slot, before, sent, now)
        self._on.possible.accept(entry, now)
        self._on.possible.blame(entry, ("US-0", "US-1"))
        self.observed(slot, before.app, now, reported=True)
        self._on.watches.observed(slot, now.app, written=False)
        self.settle()

    def _judge_report(self, slot: Slot, before: Observation, sent: model.App, now: Observation) -> None:
        expected = reports.reported(before.app, sent, now.app)
        if self.at_hand(slot) and not expected.status.assigned_cluster:
            return  # it was released and may have been leased again: what is read next shows that
        for path in differences(expected, now.app):
            says = next(says for prefix, says in BLAME if path.startswith(prefix))
            if path == "status.conditions" and len(expected.status.conditions) == len(now.app.status.conditions):
                wanted, got = expected.status.conditions[-1], now.app.status.conditions[-1]
                said = list(differences(wanted, got))
                says = ("US-4",) if said == ["deployment_id"] else ("US-1",) if said == ["revision"] else says
            text = f"not what the report leads to (-)\n{diff(expected, now.app)}"
            raise Violation(says, text, *field_proofs(now.word, expected, now.app))
