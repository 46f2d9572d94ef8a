"""The common state of one sequence: the session, its slots, what is known of each service, and the calls so far."""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract import streams
from flyteapps_contract.model.flyte_oss.answers import Answers
from flyteapps_contract.model.flyte_oss.services import CREATED, DELETED, NOTHING, REFUSED, Effect, Service
from flyteapps_contract.model.flyte_oss.shown import Urls, comparable, has_failed, is_active, judge_app
from flyteapps_contract.model.flyte_oss.watching import Change
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.sequences.flyte_oss.slots import Slots
from flyteapps_contract.session import Session
from flyteapps_contract.traces.trace import Trace
from flyteapps_contract.wording import differing

SETTLED_SECONDS = 300.0
"""The plane's seconds after which an app that should run does, or has failed."""


@dataclass(slots=True)
class Known:
    """The knowledge of one service.

    `status` is the one that was shown last, at that time of the plane, None where the cluster may have changed it;
    `written` the time of the last write; `created_at` the creation time that was shown, -1 where none was yet.
    """

    service: Service | None = None
    status: model.Status | None = None
    at: float = 0.0
    written: float = 0.0
    created_at: int = -1
    ever: bool = False
    """Whether it was there before."""
    blame: tuple[str, ...] = ()
    """The guarantees of the last write, which may be what it is shown wrong for."""


class Context:
    """The state of one sequence. `patience`: real seconds that a message may take to arrive on a stream."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.capabilities = session.capabilities
        self.opens_at_once = session.plane.link.opens_at_once
        self.patience = 0.0 if self.opens_at_once else streams.PATIENCE
        self.slots = Slots(session)
        self.trace = Trace(session)
        self.urls = Urls()
        self.answers = Answers()
        self.changes: list[Change] = []
        self._known: dict[str, Known] = {}

    @property
    def now(self) -> float:
        """The seconds by which the plane's clock was moved."""
        return self.session.advanced

    @property
    def services(self) -> dict[str, Service | None]:
        """The services by resource name."""
        return {name: each.service for name, each in self._known.items()}

    def known(self, name: str) -> Known:
        """Return what is known of the service of that resource name."""
        return self._known.setdefault(name, Known())

    def exercise(self, *guarantees: str) -> None:
        """Record what the last call put to the test."""
        step = self.trace.steps[-1]
        step.exercised = tuple(dict.fromkeys((*step.exercised, *guarantees)))

    def wrote(self, name: str, effect: Effect) -> None:
        """Record the effect of a write, a refused one, too."""
        known = self.known(name)
        before, known.blame = known.service, effect.guarantees
        if effect.kind in (NOTHING, REFUSED):
            return
        shown = effect.service if effect.service is not None else before
        assert shown is not None
        self.changes.append(Change(name, effect.kind, shown, self.now))
        known.service, known.written, known.ever = effect.service, self.now, True
        if effect.kind in (CREATED, DELETED):
            known.created_at = -1
        stays = before is not None and effect.service is not None and not before.stopped and not effect.service.stopped
        if effect.kind == CREATED and self.capabilities.clock:
            known.at = self.now
        elif not stays or effect.maybe:
            known.status = None

    # ---- apps that are shown

    def judge(self, app: model.App, name: str, guarantees: tuple[str, ...], where: str) -> None:
        """Judge an app that was read, and is as it is now. `where` is the script's word for it."""
        known = self.known(name)
        assert known.service is not None
        judge_app(app, known.service, (*guarantees, *known.blame), self.urls, where)
        self.judge_status(app.status, name, where)

    def judge_status(self, status: model.Status, name: str, where: str) -> None:
        """Judge a status that may be as such: time has not passed, or enough of it; and record it."""
        known = self.known(name)
        assert known.service is not None
        if known.service.stopped:
            return
        self._judge_creation(status, known, where)
        self.exercise(*(("OSS-30",) if status.conditions else ()), *(("OSS-32",) if has_failed(status) else ()))
        if not self.capabilities.clock:
            return
        if known.status is not None and known.at == self.now and comparable(known.status) != comparable(status):
            text = f"{known.service.name}: no time has passed, and the status is another\n"
            line = f"[each.message for each in {where}.status.conditions] == "
            line += repr([each.message for each in known.status.conditions])
            raise Violation(("OSS-31", "OSS-30"), text + differing(known.status, status), line)
        if self.capabilities.cluster and self.now - known.written > SETTLED_SECONDS:
            self._judge_settled(status, known.service, where)
        known.status, known.at = status, self.now

    def _judge_settled(self, status: model.Status, service: Service, where: str) -> None:
        if service.fails and not has_failed(status):
            text = f"{service.name} should have failed by now"
            raise Violation(("OSS-32",), text, f"'FAILED' in statuses({where}.status)")
        if not service.fails and not is_active(status):
            text = f"{service.name} should be active {SETTLED_SECONDS:g} s after it was written"
            raise Violation(("OSS-30", "OSS-9"), text, f"set(statuses({where}.status)) == {{'ACTIVE'}}")

    def _judge_creation(self, status: model.Status, known: Known, where: str) -> None:
        created_at = status.created_at.ToNanoseconds() if status.HasField("created_at") else 0
        if known.created_at not in (-1, created_at):
            text = "created_at moved, though the app was not created again"
            line = f"{where}.status.created_at.ToNanoseconds() == {known.created_at}"
            raise Violation(("OSS-30", "OSS-7"), text, line)
        known.created_at = created_at
