"""Runs commands on one session, and judges every answer by the oracle (model/plane.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf import text_format

from flyteapps_contract.model import transitions
from flyteapps_contract.model.plane import Codes, Entry, PossibleStates
from flyteapps_contract.model.transitions import Observation
from flyteapps_contract.model.violations import Violation, code_proof
from flyteapps_contract.sequences.commands import Act
from flyteapps_contract.sequences.data_plane import DataPlane
from flyteapps_contract.sequences.lists import Lists
from flyteapps_contract.sequences.names import CNAME, FLAWS, HOST, REASONS, SPANS, TWICE, Scene, Slot
from flyteapps_contract.sequences.trace import OK, Step, Trace, app_of
from flyteapps_contract.sequences.watches import Watches
from flyteapps_contract.session import STOP, STOPPED, Session, copy, last_status
from flyteapps_contract.streams import PATIENCE


class Interpreter:
    """One run of commands. Raises Flawed at the first answer that the contract rules out."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.capabilities = session.capabilities
        self.patience = 0.0 if session.plane.link.opens_at_once else PATIENCE
        self.scene = Scene(session)
        self.possible = PossibleStates()
        self.trace = Trace(session)
        self.watches = Watches(self)
        self.lists = Lists(self)
        self.data_plane = DataPlane(self)

    def run(self, acts: Iterable[Act]) -> None:
        """Runs the commands, then looks at all that is left to be seen."""
        for name, numbers in acts:
            getattr(self, name)(*numbers)
        self.close()

    def close(self) -> None:
        """What every run ends with: each app is read once more, each stream to its end."""
        for slot in self.scene.slots:
            entry = self.entry(slot)
            if entry.blame or entry.passed or len(entry.branches) > 1:
                self.refresh(slot)
        self.data_plane.close()
        self.watches.judge()

    # ---- writes

    def create(self, slot_number: int, state: int, image: int, extra: int, received: bool = True) -> None:
        """Create."""
        slot = self.scene.slots[slot_number]
        extra, refused = self._refusals(slot, extra)
        if refused is None:
            return
        sent = self.scene.app(slot, state, image, extra)
        entry = self.entry(slot)
        expect = self.possible.creating(sent, refused)
        step = self.trace.call("Create", rpc.CreateRequest(app=sent), rpc.CreateResponse, received=received)
        if not received:
            self.possible.lose(entry, expect)
            self.data_plane.settle()
            return
        self.judge(entry, step, expect)
        if step.code == OK:
            self.found(slot, step, ("CR-1", "CR-3"))
        self.data_plane.settle()

    def update(self, slot_number: int, state: int, image: int, extra: int, revision: int, reason: int) -> None:
        """Update, with a whole app as a client makes it."""
        self._update(slot_number, state, image, extra, revision, REASONS[reason], received=True)

    def _update(
        self, slot_number: int, state: int, image: int, extra: int, revision: int, reason: str, *, received: bool
    ) -> None:
        slot = self.scene.slots[slot_number]
        extra, refused = self._refusals(slot, extra)
        if refused is None:
            return
        sent = self.scene.app(slot, state, image, extra)
        front = self.entry(slot).branches[-1].front
        stored = front.metadata.revision if front is not None else 0
        sent.metadata.revision = (stored, 0, max(stored - 1, 0) or stored + 1, stored + 1)[revision]
        self.send(slot, sent, reason, refused, received=received)

    def send(
        self, slot: Slot, sent: model.App, reason: str = "", refused: Codes | None = None, received: bool = True
    ) -> None:
        """One Update, judged."""
        entry = self.entry(slot)
        expect = self.possible.updating(sent, refused or {})
        then = entry.seen if entry.app is not None else None
        request = rpc.UpdateRequest(app=sent, reason=reason)
        step = self.trace.call("Update", request, rpc.UpdateResponse, received=received)
        if not received:
            self.possible.lose(entry, expect)
            self.data_plane.settle()
            return
        self.judge(entry, step, expect)
        if step.code == OK:
            now = self.found(slot, step, ("UP-2",))
            if then is not None and not self.moving(slot, then.app):
                self._raise(transitions.after_update(then, now, reason))
        self.data_plane.settle()

    def delete(self, slot_number: int, received: bool = True) -> None:
        """Delete."""
        slot = self.scene.slots[slot_number]
        entry = self.entry(slot)
        refused = self._foreign(slot)
        if refused is None:
            return
        runs = any(branch.front is not None and branch.front.spec.desired_state != STOP for branch in entry.branches)
        if runs and not entry.known:
            self.refresh(slot)
        if runs and entry.app is not None and self.moving(slot, entry.app):
            return  # whether it is UNASSIGNED this moment nobody knows
        expect = self.possible.deleting(entry, refused)
        step = self.trace.call("Delete", rpc.DeleteRequest(app_id=slot.app_id), rpc.DeleteResponse, received=received)
        if not received:
            self.possible.lose(entry, expect)
            self.data_plane.settle()
            return
        self.judge(entry, step, expect)
        self.data_plane.settle()

    def start(self, slot_number: int) -> None:
        """Update of what was read last to a desired state of ACTIVE, as `flyte update app --activate` does."""
        self._resend(slot_number, model.Spec.DESIRED_STATE_ACTIVE)

    def stop(self, slot_number: int) -> None:
        """The same with STOPPED."""
        self._resend(slot_number, STOP)

    def resend(self, slot_number: int) -> None:
        """Update of what was read last with another label: every app that is returned is valid input."""
        self._resend(slot_number, None)

    def _resend(self, slot_number: int, desired: int | None) -> None:
        slot = self.scene.slots[slot_number]
        app = self.entry(slot).app
        if app is None:
            return
        sent = copy(app)
        if desired is None:
            sent.metadata.labels["resent"] = str(app.metadata.revision)
        else:
            sent.spec.desired_state = desired  # type: ignore[assignment]  # an enum value of protobuf is a plain int
        try:
            self.send(slot, sent)
        except Violation as violation:
            if self.trace.steps[-1].code == "INVALID_ARGUMENT":
                raise Violation(("ID-4", *violation.guarantees), str(violation), *violation.proof) from None
            raise

    def break_rule(self, slot_number: int, number: int) -> None:
        """Create or Update, whichever would be taken, with one rule of the messages broken."""
        slot = self.scene.slots[slot_number]
        if slot.foreign:
            return
        text, field = FLAWS[number]
        sent = self.scene.app(slot, 0, 0, 0)
        text_format.Merge(text, sent)
        entry = self.entry(slot)
        if entry.may_exist:
            step = self.trace.call("Update", rpc.UpdateRequest(app=sent), rpc.UpdateResponse)
        else:
            step = self.trace.call("Create", rpc.CreateRequest(app=sent), rpc.CreateResponse)
        self.possible.blame(entry, ("ID-2",))
        if step.code != "INVALID_ARGUMENT":
            text = f"expected INVALID_ARGUMENT for {field}, got {step.code} {step.message}"
            raise Violation(("ID-2",), text, code_proof(self.trace.number, ("INVALID_ARGUMENT",)))
        if set(step.fields) != {field}:
            line = f"set(violations({self.trace.number})) == {{{field!r}}}"
            raise Violation(("ID-2",), f"expected a violation of {field}, got {', '.join(step.fields) or 'none'}", line)

    def lose_create(self, slot_number: int, state: int, image: int) -> None:
        """A Create whose answer is lost."""
        self.create(slot_number, state, image, 0, received=False)

    def lose_update(self, slot_number: int, state: int, image: int, revision: int) -> None:
        """An Update whose answer is lost."""
        self._update(slot_number, state, image, 0, revision, "", received=False)

    def lose_delete(self, slot_number: int) -> None:
        """A Delete whose answer is lost."""
        self.delete(slot_number, received=False)

    # ---- reads

    def get(self, slot_number: int) -> None:
        """Get by id."""
        slot = self.scene.slots[slot_number]
        if self._foreign(slot) is not None:
            self.refresh(slot)

    def refresh(self, slot: Slot) -> model.App | None:
        """Get by id, judged: the app, None where there is none."""
        request = rpc.GetRequest(app_id=slot.app_id)
        step = self.trace.call("Get", request, rpc.GetResponse)
        return self._read(slot, step, ("GE-1", "GE-3"))

    def get_by_url(self, slot_number: int, form: int) -> None:
        """Get by the public URL that the app had when it was last seen."""
        slot = self.scene.slots[slot_number]
        seen = self.entry(slot).seen
        url = seen.app.status.ingress.public_url if seen is not None else ""
        if not url or not self.entry(slot).known:
            return
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        url = (url, f"{scheme.upper()}://{host.upper()}{slash}{path}", f"{url}/")[form]
        ingress = model.Ingress(public_url=url)
        owners = self._owners_of(slot, self.entry(slot))
        if owners:
            return  # another app has taken the host since
        step = self.trace.call("Get", rpc.GetRequest(ingress=ingress), rpc.GetResponse)
        self._read(slot, step, ("GE-2",))

    def _read(self, slot: Slot, step: Step, says: tuple[str, ...]) -> model.App | None:
        entry = self.entry(slot)
        number = self.trace.number
        if step.code == "NOT_FOUND":
            try:
                self.possible.absent(entry, says)
            except Violation as violation:
                raise Violation(violation.guarantees, str(violation), code_proof(number, (OK,))) from None
            return None
        if step.code != OK:
            raise Violation(
                says, f"a read ended with {step.code}: {step.message}", code_proof(number, (OK, "NOT_FOUND"))
            )
        if not entry.may_exist:
            raise self.possible.gone_code(entry, number)
        self.found(slot, step, says)
        return app_of(step)

    # ---- lists, streams, time, clusters: rooms of their own

    def list(self, *numbers: int) -> None:
        """List."""
        self.lists.list(*numbers)

    def next_page(self) -> None:
        """The next page of a listing that is open."""
        self.lists.next_page()

    def watch(self, target: int) -> None:
        """Watch."""
        self.watches.open(target)

    def close_watch(self, number: int) -> None:
        """The client leaves a stream."""
        self.watches.close(number)

    def pause_watch(self, number: int) -> None:
        """The client reads no more of a stream, or reads on."""
        self.watches.pause(number)

    def advance(self, span: int) -> None:
        """Time passes."""
        self.trace.advance(SPANS[span])
        for slot in self.scene.slots:
            entry = self.entry(slot)
            rests = entry.app is not None and self.at_rest(entry.app)
            if not slot.own and entry.may_exist and not rests:
                entry.passed = True
        self.data_plane.passed(SPANS[span])

    def lease(self, cluster: int) -> None:
        """A cluster opens its Lease stream."""
        self.data_plane.lease(cluster)

    def leave(self, cluster: int) -> None:
        """A cluster closes its Lease stream."""
        self.data_plane.leave(cluster)

    def report(self, *numbers: int) -> None:
        """UpdateStatus of whatever a cluster may say."""
        self.data_plane.report(*numbers)

    def progress(self, slot_number: int) -> None:
        """UpdateStatus of what the app's cluster would say next."""
        self.data_plane.progress(slot_number)

    # ---- what rooms share

    def entry(self, slot: Slot) -> Entry:
        """What the oracle knows of the slot."""
        return self.possible.entry(slot.key)

    def judge(self, entry: Entry, step: Step, expect: object) -> None:
        """Judges the code of the last step."""
        self.possible.judge(entry, self.trace.number, step.code, expect, step.message)  # type: ignore[arg-type]

    def found(self, slot: Slot, step: Step, says: tuple[str, ...]) -> Observation:
        """Judges the app in the answer of the last step."""
        now = Observation(app_of(step), f"answers[{self.trace.number}].app")
        self.observed(slot, now, says)
        return now

    def observed(self, slot: Slot, now: Observation, says: tuple[str, ...]) -> None:
        """Judges an app that an answer shows."""
        entry = self.entry(slot)
        before = entry.seen.app if entry.seen is not None else None
        at_hand = bool(self.data_plane.at_hand(slot))
        self.possible.found(entry, now, says, moving=self.moving(slot, now.app), at_hand=at_hand)
        self.data_plane.observed(slot, before, now)
        self.watches.observed(slot, now.app, written=says[0] in ("CR-1", "UP-2"))

    def moving(self, slot: Slot, app: model.App) -> bool:
        """Whether the app may move by itself while nobody looks."""
        if slot.own:
            return self.data_plane.may_be_leased(slot, app)
        return not self.capabilities.clock and not self.at_rest(app)

    def at_rest(self, app: model.App) -> bool:
        """Whether nothing but a client moves the app."""
        return last_status(app) == STOPPED and app.spec.desired_state == STOP and not app.status.assigned_cluster

    def _raise(self, violations: Iterable[Violation]) -> None:
        for violation in violations:
            raise violation

    def _foreign(self, slot: Slot) -> Codes | None:
        """With which codes a write to another org is refused; None before the plane has an org."""
        if not slot.foreign:
            return {}
        return {"NOT_FOUND": ("ID-1",)} if self.possible.org else None

    def _refusals(self, slot: Slot, extra: int) -> tuple[int, Codes | None]:
        """The extra to send, and with which codes the request is refused whatever is stored."""
        refused = self._foreign(slot)
        if refused is None:
            return extra, None
        codes = dict(refused)
        if extra == TWICE:
            codes["INVALID_ARGUMENT"] = ("SP-4",)
        if extra in (HOST, CNAME) and not slot.foreign:
            owners = self._others_with(slot, extra)
            if any(len(owner.branches) > 1 for owner in owners):
                return 0, codes
            if owners:
                codes["FAILED_PRECONDITION"] = ("CR-6",)
        return extra, codes

    def _others_with(self, slot: Slot, extra: int) -> Sequence[Entry]:
        """The other apps that have, or may have, the scene's host."""

        def has(front: model.App | None) -> bool:
            if front is None:
                return False
            ingress = front.spec.ingress
            return bool(ingress.subdomain == self.scene.host if extra == HOST else ingress.cname)

        own = self.entry(slot)
        return [
            each
            for each in self.possible.entries.values()
            if each is not own and any(has(w.front) for w in each.branches)
        ]

    def _owners_of(self, slot: Slot, entry: Entry) -> Sequence[Entry]:
        """Other apps that may have the URL of an app that was seen."""
        return [] if entry.app is not None else [*self._others_with(slot, HOST), *self._others_with(slot, CNAME)]
