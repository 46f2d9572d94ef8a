"""Get in sequences, and the judging of every app that a response shows."""

from __future__ import annotations

from collections.abc import Sequence

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.model.plane import Entry
from flyteapps_contract.model.transitions import Observation
from flyteapps_contract.model.violations import Violation, code_proof
from flyteapps_contract.sequences import commands
from flyteapps_contract.sequences.choices import Extra, UrlForm
from flyteapps_contract.sequences.context import Context, at_rest
from flyteapps_contract.sequences.operators.lease_streams import LeaseStreams
from flyteapps_contract.sequences.slots import Slot
from flyteapps_contract.sequences.write_log import WriteLog
from flyteapps_contract.traces.trace import OK, Step, app_of


class Reads:
    """The reads of one sequence."""

    def __init__(self, context: Context, leases: LeaseStreams, log: WriteLog) -> None:
        self._context = context
        self._leases = leases
        self._log = log

    # ---- commands

    def get(self, command: commands.Get) -> None:
        """Send Get by id; of an id of another org only once the plane's own org is known."""
        slot = self._context.slots[command.slot]
        if not slot.foreign or self._context.possible.org:
            self.refresh(slot)

    def get_by_url(self, command: commands.GetByUrl) -> None:
        """Send Get by the public URL that the app had when it was last observed."""
        slot = self._context.slots[command.slot]
        entry = self._context.entry(slot)
        url = entry.seen.app.status.ingress.public_url if entry.seen is not None else ""
        if not url or not entry.known:
            return
        if entry.app is None and (self.others_with(slot, Extra.SUBDOMAIN) or self.others_with(slot, Extra.CNAME)):
            return  # another app has taken the host since
        ingress = model.Ingress(public_url=_spelled(url, command.form))
        step = self._context.trace.call("Get", rpc.GetRequest(ingress=ingress), rpc.GetResponse)
        self._judge(slot, step, ("GE-2",))

    # ---- what other commands need

    def refresh(self, slot: Slot) -> model.App | None:
        """Send Get by id, and return the app, None where there is none."""
        request = rpc.GetRequest(app_id=slot.app_id)
        step = self._context.trace.call("Get", request, rpc.GetResponse)
        return self._judge(slot, step, ("GE-1", "GE-3"))

    def known(self, slot: Slot) -> Entry:
        """Return what is known of the slot; an app that may have changed is read first."""
        entry = self._context.entry(slot)
        if entry.may_exist and not entry.known:
            self.refresh(slot)
        return entry

    def found(self, slot: Slot, step: Step, guarantees: tuple[str, ...]) -> Observation:
        """Judge the app in the response of the last step."""
        now = Observation(app_of(step), f"answers[{self._context.trace.number}].app")
        entry = self._context.entry(slot)
        before = entry.seen.app if entry.seen is not None else None
        at_hand = bool(self._leases.at_hand(slot))
        moving = self.moving(slot, now.app) or (before is not None and self.moving(slot, before))
        self._context.possible.found(entry, now, guarantees, moving=moving, at_hand=at_hand)
        self.observed(slot, before, now, written=guarantees[0] in ("CR-1", "UP-2"))
        return now

    def observed(
        self, slot: Slot, before: model.App | None, now: Observation, *, written: bool = False, reported: bool = False
    ) -> None:
        """Judge the lease of an observed app, and record the write that it shows."""
        self._leases.observed(slot, before, now, reported=reported)
        self._log.add(slot, now.app, written=written)

    def moving(self, slot: Slot, app: model.App) -> bool:
        """Return whether the app may move by itself between two calls."""
        if slot.own:
            return self._leases.may_be_leased(slot, app)
        return not self._context.capabilities.clock and not at_rest(app)

    def others_with(self, slot: Slot, extra: Extra) -> Sequence[Entry]:
        """Return the other apps that have, or may have, the sequence's host, as subdomain or CNAME."""
        host = self._context.slots.host

        def has(front: model.App | None) -> bool:
            if front is None:
                return False
            ingress = front.spec.ingress
            return bool(ingress.subdomain == host if extra is Extra.SUBDOMAIN else ingress.cname)

        own = self._context.entry(slot)
        entries = self._context.possible.entries.values()
        return [each for each in entries if each is not own and any(has(branch.front) for branch in each.branches)]

    def _judge(self, slot: Slot, step: Step, guarantees: tuple[str, ...]) -> model.App | None:
        entry = self._context.entry(slot)
        number = self._context.trace.number
        if step.code == "NOT_FOUND":
            try:
                self._context.possible.absent(entry, guarantees)
            except Violation as violation:
                raise Violation(violation.guarantees, str(violation), code_proof(number, (OK,))) from None
            return None
        if step.code != OK:
            text = f"a read ended with {step.code}: {step.message}"
            raise Violation(guarantees, text, code_proof(number, (OK, "NOT_FOUND")))
        if not entry.may_exist:
            raise self._context.possible.gone_code(entry, number)
        self.found(slot, step, guarantees)
        return app_of(step)


def _spelled(url: str, form: UrlForm) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    match form:
        case UrlForm.AS_SHOWN:
            return url
        case UrlForm.UPPER_CASE:
            return f"{scheme.upper()}://{host.upper()}{slash}{path}"
        case UrlForm.SLASH:
            return f"{url}/"
