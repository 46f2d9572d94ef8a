"""UpdateStatus in sequences: reports of clusters, compared with what the oracle expects of them."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.model import lifecycle, reports
from flyteapps_contract.model.transitions import Observation
from flyteapps_contract.model.violations import Violation, code_proof, differences, field_proofs
from flyteapps_contract.sequences import commands
from flyteapps_contract.sequences.choices import ReportedRevision, Reporter, SlotName
from flyteapps_contract.sequences.context import Context
from flyteapps_contract.sequences.operators.clusters import Clusters
from flyteapps_contract.sequences.operators.lease_streams import LeaseStreams
from flyteapps_contract.sequences.reads import Reads
from flyteapps_contract.sequences.slots import Slot
from flyteapps_contract.session import ACTIVE, PENDING, STOP, STOPPED, last_status
from flyteapps_contract.traces.trace import OK, app_of
from flyteapps_contract.wording import call, differing

GUARANTEES: tuple[tuple[str, tuple[str, ...]], ...] = (
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
"""The guarantees of a field that a report left wrong; the first prefix that matches."""
SLOT_ORDER = {name: number for number, name in enumerate(SlotName)}


class StatusReports:
    """The reports of one sequence."""

    def __init__(self, context: Context, leases: LeaseStreams, reads: Reads, clusters: Clusters) -> None:
        self._context = context
        self._leases = leases
        self._reads = reads
        self._clusters = clusters

    def report(self, command: commands.ReportStatus) -> None:
        """Send any report, by the app's cluster or another."""
        slot = self._leased(command.slot)
        app = self._reportable(slot)
        if app is None:
            return
        if command.reporter is not Reporter.HOLDER:
            cluster = self._context.slots.cluster(command.reporter.value)
        elif slot.own:
            cluster = app.status.assigned_cluster
        else:
            return  # the plane's own cluster holds the app, and reports by itself
        sent = self._message(slot, cluster, command.report.value, command.replicas.value)
        sent.metadata.revision = _numbered(command.revision, app.metadata.revision)
        last = app.status.conditions[-1].revision
        sent.status.conditions[-1].revision = _numbered(command.condition_revision, last)
        self._send(slot, app, sent)

    def progress(self, command: commands.Progress) -> None:
        """Send the report that comes next on the app's way to its desired state."""
        slot = self._leased(command.slot)
        app = self._reportable(slot)
        if app is None or not slot.own or not app.status.assigned_cluster:
            return
        stopping, last = app.spec.desired_state == STOP, last_status(app)
        if stopping and last != lifecycle.ASSIGNED:
            report = (STOPPED, 0, "")
        elif last == lifecycle.ASSIGNED or app.status.HasField("lease_expiration"):
            report = (PENDING, 0, "")
        elif last in (PENDING, lifecycle.DEPLOYING):
            report = (ACTIVE, model.Status.RUNNING, "")
        else:
            return
        sent = self._message(slot, app.status.assigned_cluster, report, int(report[0] == ACTIVE))
        sent.metadata.revision = app.metadata.revision
        self._send(slot, app, sent)

    def _leased(self, name: SlotName) -> Slot:
        """Return one of the leased apps' slots, as far as is known; the named one where no app is leased."""
        apps = [(slot, self._context.entry(slot).app) for slot in self._context.slots.own]
        leased = [slot for slot, app in apps if app is not None and app.status.assigned_cluster]
        return leased[SLOT_ORDER[name] % len(leased)] if leased else self._context.slots[name]

    def _reportable(self, slot: Slot) -> model.App | None:
        if slot.foreign or self._leases.missing:
            return None
        entry = self._context.entry(slot)
        if not entry.known:
            self._reads.refresh(slot)
        app = entry.app
        return app if app is not None and app.status.conditions and not self._reads.moving(slot, app) else None

    def _message(self, slot: Slot, cluster: str, report: tuple[int, int, str], replicas: int) -> model.App:
        status, substate, message = report
        sent = self._context.slots.app(slot)
        sent.status.assigned_cluster = cluster
        sent.status.current_replicas = replicas
        sent.status.conditions.add(deployment_status=status, substate=substate, message=message)  # type: ignore[arg-type]
        return sent

    def _send(self, slot: Slot, app: model.App, sent: model.App) -> None:
        trace = self._context.trace
        entry = self._context.entry(slot)
        assert entry.seen is not None
        before = Observation(app, entry.seen.word)
        step = trace.call("UpdateStatus", rpc.UpdateStatusRequest(app=sent), rpc.UpdateStatusResponse)
        if step.code == "UNIMPLEMENTED":
            self._leases.missing = step.message
            return
        codes = reports.refusals(app, sent)
        wanted = tuple(codes) or (OK,)
        if step.code not in wanted:
            guarantees = tuple(each for code in codes.values() for each in code) or ("US-2", "LE-3", "US-1")
            said = call("UpdateStatus", rpc.UpdateStatusRequest(app=sent))
            text = f"{said}: expected {' or '.join(wanted)}, got {step.code} {step.message}"
            raise Violation(guarantees, text, code_proof(trace.number, wanted))
        if codes:
            self._context.possible.blame(entry, codes[step.code])
            return
        now = Observation(app_of(step), f"answers[{trace.number}].app")
        self._judge(slot, before, sent, now)
        self._context.possible.accept(entry, now)
        self._context.possible.blame(entry, ("US-0", "US-1"))
        self._reads.observed(slot, before.app, now, reported=True)
        self._clusters.settle()

    def _judge(self, slot: Slot, before: Observation, sent: model.App, now: Observation) -> None:
        expected = reports.reported(before.app, sent, now.app)
        if self._leases.at_hand(slot) and not expected.status.assigned_cluster:
            return  # it was released and may have been leased again: the next read shows that
        for path in differences(expected, now.app):
            guarantees = next(guarantees for prefix, guarantees in GUARANTEES if path.startswith(prefix))
            if path == "status.conditions" and len(expected.status.conditions) == len(now.app.status.conditions):
                wanted, got = expected.status.conditions[-1], now.app.status.conditions[-1]
                fields = list(differences(wanted, got))
                if fields in (["deployment_id"], ["revision"]):
                    guarantees = ("US-4",) if fields == ["deployment_id"] else ("US-1",)
            text = f"{now.app.metadata.id.name} is not as its report leaves it:\n{differing(expected, now.app)}"
            raise Violation(guarantees, text, *field_proofs(now.word, expected, now.app))


def _numbered(choice: ReportedRevision, stored: int) -> int:
    match choice:
        case ReportedRevision.NONE:
            return 0
        case ReportedRevision.STORED:
            return stored
        case ReportedRevision.NEWER:
            return stored + 1
