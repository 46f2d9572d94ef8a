"""Create, Update and Delete in sequences."""

from __future__ import annotations

from dataclasses import replace

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.catalogue.dialects import DIALECTS
from flyteapps_contract.model.flyte_oss import services
from flyteapps_contract.model.flyte_oss.services import REFUSED, Effect, Service
from flyteapps_contract.model.flyte_oss.shown import judge_status, lacks
from flyteapps_contract.model.violations import Violation, about, code_proof, field_proofs
from flyteapps_contract.sequences.flyte_oss import commands
from flyteapps_contract.sequences.flyte_oss.choices import DesiredState, Payload, SlotName
from flyteapps_contract.sequences.flyte_oss.context import Context
from flyteapps_contract.sequences.flyte_oss.reads import Reads
from flyteapps_contract.sequences.flyte_oss.slots import Slot
from flyteapps_contract.session import STOP, copy
from flyteapps_contract.traces.trace import Step, app_of
from flyteapps_contract.wording import call, differing


class Writes:
    """The writes of one sequence."""

    def __init__(self, context: Context, reads: Reads) -> None:
        self._context = context
        self._reads = reads
        self._conflict = DIALECTS[context.capabilities.dialect].conflict

    def create(self, command: commands.Create) -> None:
        """Send Create."""
        slot = self._context.slots[command.slot]
        self._create(slot, self._context.slots.app(slot, command.payload, command.state, command.extra))

    def create_again(self, command: commands.CreateAgain) -> None:
        """Send Create with the spec that is stored."""
        slot = self._context.slots[command.slot]
        service = self._context.known(slot.resource).service
        if service is not None:
            self._create(slot, model.App(metadata=model.Meta(id=slot.app_id), spec=service.spec))

    def update(self, command: commands.Update) -> None:
        """Send Update with a whole app."""
        slot = self._context.slots[command.slot]
        self._update(slot, self._context.slots.app(slot, command.payload, command.state, command.extra))

    def stop(self, command: commands.Stop) -> None:
        """Send Update to STOPPED."""
        slot = self._context.slots[command.slot]
        sent = self._context.slots.app(slot, Payload.FIRST, DesiredState.STOPPED)
        if command.bare:
            sent.spec.ClearField("container")
        self._update(slot, sent)

    def start(self, command: commands.Start) -> None:
        """Send Update of the app as Get gives it, to ACTIVE, as `flyte update app --activate` does."""
        slot = self._context.slots[command.slot]
        app = self._reads.refresh(slot)
        if app is not None:
            sent = copy(app)
            sent.metadata.id.CopyFrom(slot.app_id)
            sent.spec.desired_state = DesiredState.ACTIVE.value
            self._update(slot, sent)

    def delete(self, command: commands.Delete) -> None:
        """Send Delete."""
        slot = self._context.slots[command.slot]
        effect = services.deleted(self._context.known(slot.resource).service)
        step = self._context.trace.call("Delete", rpc.DeleteRequest(app_id=slot.app_id), rpc.DeleteResponse)
        self._context.exercise("OSS-20", "OSS-15")
        done = self._is_done(slot, step, effect)
        self._context.wrote(slot.resource, effect if done else replace(effect, kind=REFUSED))

    def _create(self, slot: Slot, sent: model.App) -> None:
        before = self._context.known(slot.resource).service
        effect = services.created(before, sent, fails=self._context.slots.fails(sent))
        self._send("Create", slot, sent, effect)

    def _update(self, slot: Slot, sent: model.App) -> None:
        self._context.session.may_have(slot.app_id)
        before = self._context.known(slot.resource).service
        effect = services.updated(before, sent, fails=self._context.slots.fails(sent))
        self._send("Update", slot, sent, effect)

    def _send(self, method: str, slot: Slot, sent: model.App, effect: Effect) -> None:
        context, name = self._context, slot.resource
        before, ever = context.known(name).service, context.known(name).ever
        request = rpc.CreateRequest(app=sent) if method == "Create" else rpc.UpdateRequest(app=sent)
        response = rpc.CreateResponse if method == "Create" else rpc.UpdateResponse
        step = context.trace.call(method, request, response)
        context.exercise(*effect.guarantees, *_speaks_of(method, slot, sent, before, ever=ever))
        try:
            done = self._is_done(slot, step, effect)
            context.wrote(name, effect if done else replace(effect, kind=REFUSED))
            if not done:
                return
            if effect.maybe and before is not None and effect.service is not None:
                self._settle(name, before, effect.service)
            self._judge_response(method, name, sent, app_of(step), f"answers[{context.trace.steps.index(step)}].app")
        except Violation as violation:
            found = Violation((*violation.guarantees, *effect.guarantees), str(violation), *violation.proof)
            raise about(found, call(method, request)) from None

    def _is_done(self, slot: Slot, step: Step, effect: Effect) -> bool:
        """Judge the code of a write; return whether it was taken."""
        if step.code == "INTERNAL" and self._conflict in step.message:
            self._context.exercise("OSS-18")
            self._context.known(slot.resource).status = None  # the cluster has written
            return False
        number = self._context.trace.number
        if step.code != effect.code:
            text = f"expected {effect.code}, got {step.code} {step.message}"
            raise Violation(effect.guarantees, text, code_proof(number, (effect.code,)))
        if not step.message.startswith(effect.opening):
            text = f"expected a message that begins with {effect.opening!r}, got {step.message!r}"
            raise Violation(effect.guarantees, text, f"messages[{number}].startswith({effect.opening!r})")
        if effect.kind == REFUSED:
            return False
        self._context.answers.forget(slot.app_id)
        return True

    def _settle(self, name: str, before: Service, after: Service) -> None:
        """Find out whether a write that may have been none was one, where that shows: in the id of the app."""
        known = self._context.known(name)
        known.service = before if before.shown() == after.shown() else known.service
        if before.shown() == after.shown():
            self._context.changes.pop()  # its event is as one of a report of the cluster
            return
        shown = self._reads.find(name, (before, after))
        if shown is before:
            self._context.changes.pop()
            known.service = before

    def _judge_response(self, method: str, name: str, sent: model.App, answer: model.App, where: str) -> None:
        """Judge the app in a response: the request, with the ingress, or the status as it is."""
        guarantee = "OSS-11" if method == "Create" else "OSS-17"
        for part in ("metadata", "spec"):
            wanted, got = getattr(sent, part), getattr(answer, part)
            if wanted != got:
                text = f"the {part} should be as it was sent\n{differing(wanted, got)}"
                raise Violation((guarantee,), text, *field_proofs(f"{where}.{part}", wanted, got))
        if method == "Create":
            self._context.urls.judge(name, answer.status.ingress.public_url, where)
            if others := [field.name for field, _ in answer.status.ListFields() if field.name != "ingress"]:
                text = f"the status should hold the ingress alone, and has {others[0]}"
                raise Violation(("OSS-11",), text, lacks(f"{where}.status", others[0]))
            return
        service = self._context.known(name).service
        assert service is not None
        judge_status(answer.status, service, self._context.urls, where)
        self._context.judge_status(answer.status, name, where)


def _speaks_of(method: str, slot: Slot, sent: model.App, before: Service | None, *, ever: bool) -> list[str]:
    """Return the guarantees that a write that was sent puts to the test, beside those of its effect."""
    found = ["OSS-11", "OSS-34"] if method == "Create" else ["OSS-17"]
    found.append("OSS-15")
    if before is not None:
        found += ["OSS-7"] if method == "Create" else ["OSS-31"]
        theirs, ours = before.app_id, slot.app_id
        if (theirs.name, theirs.project) != (ours.name, ours.project):
            found.append("OSS-4")
        if theirs.org != ours.org:
            found.append("OSS-6")
    elif ever:
        found.append("OSS-20")
    if slot.name in (SlotName.LONG, SlotName.LONG_OTHER_CASE):
        found.append("OSS-5")
    if method == "Create" and sent.spec.desired_state == STOP:
        found.append("OSS-10")
    return found
