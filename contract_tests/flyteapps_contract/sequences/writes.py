"""Create, Update and Delete in sequences."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf import text_format

from flyteapps_contract.model import transitions
from flyteapps_contract.model.plane import Codes, Entry, Expect
from flyteapps_contract.model.violations import Violation, about, code_proof
from flyteapps_contract.sequences import commands
from flyteapps_contract.sequences.choices import DesiredState, Extra, Image, Reason, SentRevision
from flyteapps_contract.sequences.context import Context
from flyteapps_contract.sequences.operators.clusters import Clusters
from flyteapps_contract.sequences.reads import Reads
from flyteapps_contract.sequences.slots import Slot
from flyteapps_contract.session import STOP, copy
from flyteapps_contract.traces.trace import OK, Step
from flyteapps_contract.wording import call


class Writes:
    """The writes of one sequence."""

    def __init__(self, context: Context, reads: Reads, clusters: Clusters) -> None:
        self._context = context
        self._reads = reads
        self._clusters = clusters

    # ---- commands

    def create(self, command: commands.Create) -> None:
        """Send Create."""
        self._create(self._context.slots[command.slot], command.state, command.image, command.extra)

    def lose_create(self, command: commands.LoseCreate) -> None:
        """Send Create, and lose the response."""
        self._create(self._context.slots[command.slot], command.state, command.image, received=False)

    def update(self, command: commands.Update) -> None:
        """Send Update with a whole app."""
        slot = self._context.slots[command.slot]
        self._update(slot, command.state, command.image, command.extra, command.revision, command.reason)

    def lose_update(self, command: commands.LoseUpdate) -> None:
        """Send Update, and lose the response."""
        slot = self._context.slots[command.slot]
        self._update(slot, command.state, command.image, Extra.NONE, command.revision, Reason.NONE, received=False)

    def delete(self, command: commands.Delete) -> None:
        """Send Delete."""
        self._delete(self._context.slots[command.slot])

    def lose_delete(self, command: commands.LoseDelete) -> None:
        """Send Delete, and lose the response."""
        self._delete(self._context.slots[command.slot], received=False)

    def start(self, command: commands.Start) -> None:
        """Send Update of the app as last read, to ACTIVE, as `flyte update app --activate` does."""
        self._resend(self._context.slots[command.slot], DesiredState.ACTIVE)

    def stop(self, command: commands.Stop) -> None:
        """Send Update of the app as last read, to STOPPED."""
        self._resend(self._context.slots[command.slot], DesiredState.STOPPED)

    def resend(self, command: commands.Resend) -> None:
        """Send Update of the app as last read, with another label: every app that is returned is valid input."""
        self._resend(self._context.slots[command.slot], None)

    def break_rule(self, command: commands.BreakRule) -> None:
        """Send Create or Update, whichever would be accepted, with one rule of the messages broken."""
        slot = self._context.slots[command.slot]
        if slot.foreign:
            return
        sent = self._context.slots.app(slot)
        text_format.Merge(command.rule.text, sent)
        entry = self._context.entry(slot)
        trace = self._context.trace
        if entry.may_exist:
            step = trace.call("Update", rpc.UpdateRequest(app=sent), rpc.UpdateResponse)
        else:
            step = trace.call("Create", rpc.CreateRequest(app=sent), rpc.CreateResponse)
        self._context.possible.blame(entry, ("ID-2",))
        path = command.rule.path
        if step.code != "INVALID_ARGUMENT":
            text = f"expected INVALID_ARGUMENT for {path}, got {step.code} {step.message}"
            raise Violation(("ID-2",), text, code_proof(trace.number, ("INVALID_ARGUMENT",)))
        if set(step.fields) != {path}:
            line = f"set(violations({trace.number})) == {{{path!r}}}"
            raise Violation(("ID-2",), f"expected a violation of {path}, got {', '.join(step.fields) or 'none'}", line)

    # ---- what streams need

    def write(self, slot: Slot, label: str) -> None:
        """Write the slot's app once more: with that label, or as a new app."""
        app = self._reads.known(slot).app
        if app is None:
            self._create(slot, DesiredState.STOPPED, Image.FIRST)
            return
        sent = copy(app)
        sent.metadata.revision = 0
        sent.metadata.labels["last"] = label
        self._send_update(slot, sent)

    # ---- one call each

    def _create(
        self, slot: Slot, state: DesiredState, image: Image, extra: Extra = Extra.NONE, *, received: bool = True
    ) -> None:
        extra, refused = self._refusals(slot, extra)
        if refused is None:
            return
        sent = self._context.slots.app(slot, state, image, extra)
        expect = self._context.possible.creating(sent, refused)
        request = rpc.CreateRequest(app=sent)
        step = self._context.trace.call("Create", request, rpc.CreateResponse, received=received)
        if self._judged(self._context.entry(slot), step, expect) and step.code == OK:
            self._reads.found(slot, step, ("CR-1", "CR-3"))
        self._clusters.settle()

    def _update(
        self,
        slot: Slot,
        state: DesiredState,
        image: Image,
        extra: Extra,
        revision: SentRevision,
        reason: Reason,
        *,
        received: bool = True,
    ) -> None:
        extra, refused = self._refusals(slot, extra)
        if refused is None:
            return
        sent = self._context.slots.app(slot, state, image, extra)
        front = self._context.entry(slot).branches[-1].front
        sent.metadata.revision = _numbered(revision, front.metadata.revision if front is not None else 0)
        self._send_update(slot, sent, reason.value, refused, received=received)

    def _send_update(
        self, slot: Slot, sent: model.App, reason: str = "", refused: Codes | None = None, *, received: bool = True
    ) -> None:
        entry = self._context.entry(slot)
        expect = self._context.possible.updating(sent, refused or {})
        then = entry.seen if entry.app is not None else None
        request = rpc.UpdateRequest(app=sent, reason=reason)
        step = self._context.trace.call("Update", request, rpc.UpdateResponse, received=received)
        if self._judged(entry, step, expect) and step.code == OK:
            now = self._reads.found(slot, step, ("UP-2",))
            if then is not None and not self._reads.moving(slot, then.app):
                for violation in transitions.after_update(then, now, reason):
                    raise about(violation, call(step.method, request))
        self._clusters.settle()

    def _resend(self, slot: Slot, desired: DesiredState | None) -> None:
        app = self._context.entry(slot).app
        if app is None:
            return
        sent = copy(app)
        if desired is None:
            sent.metadata.labels["resent"] = str(app.metadata.revision)
        else:
            sent.spec.desired_state = desired.value
        try:
            self._send_update(slot, sent)
        except Violation as violation:
            if self._context.trace.steps[-1].code == "INVALID_ARGUMENT":
                raise Violation(("ID-4", *violation.guarantees), str(violation), *violation.proof) from None
            raise

    def _delete(self, slot: Slot, *, received: bool = True) -> None:
        entry = self._context.entry(slot)
        refused = self._foreign(slot)
        if refused is None:
            return
        runs = any(branch.front is not None and branch.front.spec.desired_state != STOP for branch in entry.branches)
        if runs and not entry.known:
            self._reads.refresh(slot)
        if runs and entry.app is not None and self._reads.moving(slot, entry.app):
            return  # whether it is UNASSIGNED at this moment is unknown
        expect = self._context.possible.deleting(entry, refused)
        request = rpc.DeleteRequest(app_id=slot.app_id)
        step = self._context.trace.call("Delete", request, rpc.DeleteResponse, received=received)
        self._judged(entry, step, expect)
        self._clusters.settle()

    def _judged(self, entry: Entry, step: Step, expect: Expect) -> bool:
        """Judge the code of the last step; return False where its response is lost."""
        if not step.received:
            self._context.possible.lose(entry, expect)
            return False
        try:
            self._context.possible.judge(entry, self._context.trace.number, step.code, expect, step.message)
        except Violation as violation:
            assert step.request is not None
            raise about(violation, call(step.method, step.request)) from None
        return True

    # ---- refusals

    def _foreign(self, slot: Slot) -> Codes | None:
        """Return the codes of a write to another org; None before the plane has an org."""
        if not slot.foreign:
            return {}
        return {"NOT_FOUND": ("ID-1",)} if self._context.possible.org else None

    def _refusals(self, slot: Slot, extra: Extra) -> tuple[Extra, Codes | None]:
        """Return the extra to send, and the codes that refuse the request whatever is stored."""
        refused = self._foreign(slot)
        if refused is None:
            return extra, None
        codes = dict(refused)
        if extra is Extra.INPUT_TWICE:
            codes["INVALID_ARGUMENT"] = ("SP-4",)
        if extra in (Extra.SUBDOMAIN, Extra.CNAME) and not slot.foreign:
            owners = self._reads.others_with(slot, extra)
            if any(len(owner.branches) > 1 for owner in owners):
                return Extra.NONE, codes
            if owners:
                codes["FAILED_PRECONDITION"] = ("CR-6",)
        return extra, codes


def _numbered(choice: SentRevision, stored: int) -> int:
    match choice:
        case SentRevision.STORED:
            return stored
        case SentRevision.NONE:
            return 0
        case SentRevision.OLDER:
            return max(stored - 1, 0) or stored + 1
        case SentRevision.NEWER:
            return stored + 1
