"""Concurrent histories of apps that run: clients write, start, stop, delete and read them, while a cluster reports.

The cluster is the session's own: it serves a pool that no other does, and is some of the clients. Judged are the calls,
as those of histories.py are.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import list_pb2

from flyteapps_contract.explorations.clients_at_once import ClientRace
from flyteapps_contract.model import lifecycle
from flyteapps_contract.model.linearizability import Call, Undecided, contradiction
from flyteapps_contract.model.running import OK, READS, Asked, Running, State, state_of
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import Broken, Refused, Span, StreamEnded, Unjudged
from flyteapps_contract.session import NO_ANSWER, RUN, STOP, Session, copy, preparing
from flyteapps_contract.streams import Leases

BEGINNINGS = ("absent", "stopped", "waiting", "leased", "running", "stopping")
"""States of an app before the race."""
VERBS = {"update": 3, "start": 3, "stop": 3, "report": 6, "get": 3, "list": 2, "delete": 3, "create": 1}
"""The operations, and how often each is drawn beside the rest."""
SPEAKING = {
    "create": "CR-2",
    "delete": "DE-2",
    "update": "UP-2",
    "start": "UP-2",
    "stop": "UP-2",
    "report": "US-1",
    "get": "GE-3",
    "list": "GE-3",
    "lease": "LE-1",
}
"""The guarantee of one client's own calls, by what can't be explained."""
REPORTED = (lifecycle.PENDING, lifecycle.DEPLOYING, lifecycle.ACTIVE, lifecycle.FAILED, lifecycle.STOPPED)
TO_RUN = (lifecycle.PENDING, lifecycle.ACTIVE)
"""The reports of an app that begins running."""
MARK = "mark"
MAX_CLIENTS, MAX_OPS = 4, 10
MAX_GRANTS = 8
"""Leases that are read, so that few calls overlap with all others."""


@dataclass(frozen=True, slots=True)
class RunningOp:
    """One operation of a client on an app: with the revision that it read last, or without; what it reports."""

    verb: str
    app: int = 0
    guarded: bool = False
    status: int = 0


@dataclass(frozen=True, slots=True)
class RunningPlan:
    """The operations of all clients, and how each app begins. `at_hand`: the cluster leases what it can meanwhile."""

    clients: tuple[tuple[RunningOp, ...], ...]
    beginnings: tuple[str, ...]
    at_hand: bool = False

    @property
    def apps(self) -> int:
        """The number of apps."""
        return len(self.beginnings)


@dataclass(slots=True)
class RunningEvent:
    """A call as it was: by which client, of which app, when it was made and when it returned."""

    client: int
    app: int
    asked: Asked
    called: int
    returned: int


@dataclass(slots=True)
class RunningHistory:
    """The calls of one plan."""

    events: list[RunningEvent] = field(default_factory=list[RunningEvent])

    def seen(self) -> set[str]:
        """Return the calls with their codes, as the evidence counts them."""
        return {f"{event.asked.verb}: {event.asked.code}" for event in self.events}


def drawn_running(seed: int, number: int, *, clock: bool) -> RunningPlan:
    """Return the plan of that number: the first ones are small. `clock`: whether leases can't run out meanwhile."""
    draw = random.Random(f"running/{seed}/{number}")
    clients = min(MAX_CLIENTS, 2 + number // 8 + draw.randrange(2))
    length = min(MAX_OPS, 2 + number // 2)
    verbs = [verb for verb, weight in VERBS.items() for _ in range(weight)]
    beginnings = tuple(draw.choice(BEGINNINGS) for _ in range(draw.randint(1, 2)))
    ops = tuple(
        tuple(
            RunningOp(draw.choice(verbs), draw.randrange(len(beginnings)), draw.random() < 0.4, draw.choice(REPORTED))
            for _ in range(draw.randint(1, length))
        )
        for _ in range(clients)
    )
    if not clock:  # a lease that isn't acknowledged would run out some time
        beginnings = tuple("waiting" if each == "leased" else each for each in beginnings)
    return RunningPlan(ops, beginnings, clock and draw.random() < 0.4)


class RunningRace(ClientRace[RunningOp, RunningEvent]):
    """One plan on one session."""

    def __init__(self, session: Session, plan: RunningPlan) -> None:
        session.require_pools()
        self.session = session
        self.plan = plan
        self.history = RunningHistory()
        super().__init__(self.history.events)
        self.undecided = False
        """Whether the calls of some app may have gone in too many ways to look at each, or one had no answer."""
        self._cluster = session.name("-cluster")
        self._ids = [session.id() for _ in range(plan.apps)]
        self._numbers = {app_id.name: number for number, app_id in enumerate(self._ids)}
        self._last: list[dict[int, model.App]] = [{} for _ in plan.clients]
        """The apps that each client has read last."""
        self._unanswered: set[int] = set()
        self._wrong: Asked | None = None

    def run(self) -> list[Violation]:
        """Run the clients, read what is left, and judge."""
        leases = self._prepare()
        initial = [state_of(self._read(number)) for number in range(self.plan.apps)]
        try:
            self._race(self.plan.clients)
        finally:
            for app_id in self._ids:
                self.session.may_have(app_id)
        for number in range(self.plan.apps):
            self._call(-1, RunningOp("get", number), "", {})
        self._list(-1)
        if leases is not None:
            self._read_leases(leases)
        if self._trouble:
            raise self._trouble[0]
        return [each for number, state in enumerate(initial) if (each := self._judge(number, state)) is not None]

    # ---- before the race

    def _prepare(self) -> Leases | None:
        """Bring each app to its beginning; return the Lease stream that stays open, if one does."""
        for number, beginning in enumerate(self.plan.beginnings):
            if beginning != "absent":
                self.session.given(self._message(number, "begin", STOP if beginning == "stopped" else RUN))
            if beginning in ("leased", "running", "stopping"):
                self._given_leased(number)
            if beginning in ("running", "stopping"):
                for status in TO_RUN:
                    with preparing("a report"):
                        self.session.update_status(self._report(number, f"begin {status}", status))
            if beginning == "stopping":
                self.session.given_update(self._message(number, "begin stopping", STOP))
        return self.session.lease(self._cluster) if self.plan.at_hand else None

    def _given_leased(self, number: int) -> None:
        leases = self.session.lease(self._cluster)
        with preparing("a lease"):
            leases.until(lambda apps: any(map(self._is(number), apps)), "the lease of an app")
        leases.close()

    def _is(self, number: int) -> Callable[[model.App], bool]:
        return lambda app: app.metadata.id.name == self._ids[number].name

    def _read(self, number: int) -> model.App | None:
        try:
            return self.session.get(self._ids[number])
        except Refused as error:
            if error.code != "NOT_FOUND":
                raise Unjudged(f"the apps of a history could not be read: {error}") from error
            return None

    # ---- clients

    def _act(self, client: int, mark: str, op: RunningOp) -> None:
        if op.verb == "list":
            self._list(client)
        else:
            self._call(client, op, mark, self._last[client])

    def _call(self, client: int, op: RunningOp, mark: str, read: dict[int, model.App]) -> None:
        sent = self._sent(op, mark, read.get(op.app))
        called = self._tick()
        code, seen = OK, None
        try:
            seen = self._ask(op, sent)
        except Refused as error:
            code = error.code
        returned = self._tick()
        if code in NO_ANSWER:
            if op.verb != "get":
                self._unanswered.add(op.app)
            return
        if seen is not None:
            read[op.app] = seen
        self._record(RunningEvent(client, op.app, Asked(op.verb, code, sent, seen, mark), called, returned))

    def _sent(self, op: RunningOp, mark: str, last: model.App | None) -> model.App | None:
        match op.verb:
            case "get" | "delete":
                return None
            case "report":
                app = self._report(op.app, mark, op.status)
                if op.guarded and last is not None:
                    app.metadata.revision = last.metadata.revision
                    app.status.conditions[-1].revision = last.status.conditions[-1].revision
                return app
            case _:
                wanted = last.spec.desired_state if last is not None else RUN
                app = self._message(op.app, mark, {"start": RUN, "stop": STOP}.get(op.verb, wanted))
                if op.guarded and last is not None and op.verb != "create":
                    app.metadata.revision = last.metadata.revision
                return app

    def _ask(self, op: RunningOp, sent: model.App | None) -> model.App | None:
        s, app_id = self.session, self._ids[op.app]
        if sent is None:
            if op.verb == "get":
                return s.get(app_id)
            s.delete(app_id)
            return None
        return {"create": s.create, "report": s.update_status}.get(op.verb, s.update)(copy(sent))

    def _list(self, client: int) -> None:
        """Send one List, which reads every app; one without an answer shows nothing."""
        if not self.session.capabilities.projects:
            return  # others have apps there, too
        called = self._tick()
        try:
            page = self.session.list(list_pb2.ListRequest(limit=1000))
        except Refused as error:
            if error.code not in NO_ANSWER:
                raise
            return
        returned = self._tick()
        shown = {self._numbers.get(app.metadata.id.name, -1): app for app in page.apps}
        for number in range(self.plan.apps):
            app = shown.get(number)
            asked = Asked("list", OK if app is not None else "NOT_FOUND", None, app)
            self._record(RunningEvent(client, number, asked, called, returned))

    def _read_leases(self, leases: Leases) -> None:
        """Read what the cluster was leased: each was so at some time of the race."""
        try:
            while (apps := leases.poll()) is not None:
                for app in apps[:MAX_GRANTS]:
                    number = self._numbers.get(app.metadata.id.name)
                    if number is not None:
                        self._record(RunningEvent(-1, number, Asked("lease", OK, None, app), 0, self._tick()))
        except (Refused, StreamEnded, Broken) as end:
            raise Violation(("LE-6", "WA-9"), f"a Lease stream beside writers ended: {end}") from None

    def _message(self, number: int, mark: str, state: int) -> model.App:
        app = self.session.app(self._ids[number].name, state=state, image=f"img:{mark}".replace(" ", "-"))
        app.metadata.labels[MARK] = mark.replace(" ", "-")
        app.spec.cluster_pool = self._cluster
        return app

    def _report(self, number: int, mark: str, status: int) -> model.App:
        app = self._message(number, mark, RUN)
        app.status.assigned_cluster = self._cluster
        app.status.current_replicas = 1
        app.status.conditions.add(deployment_status=status, message=mark)  # type: ignore[arg-type]  # a plain int
        return app

    # ---- verdicts

    def _judge(self, number: int, initial: State) -> Violation | None:
        if number in self._unanswered:
            self.undecided = True
            return None
        calls = [
            Call(event.called, event.returned, event.asked, reads=event.asked.verb in READS)
            for event in self.history.events
            if event.app == number
        ]
        machine = Running(at_hand=self.plan.at_hand)
        try:
            found = contradiction(calls, initial, machine.step)
        except Undecided:
            self.undecided = True
            return None
        if found is None:
            return None
        asked = self._wrong = found.call.what
        beside = "; ".join(_say(call.what) for call in found.open) or "nothing"
        might = ", ".join(_say_app(machine.app(state)) for state in found.states)
        text = (
            f"no order of the calls explains {_say(asked)} of app {self._ids[number].name}: "
            f"before it there was {might}; beside it ran {beside}"
        )
        return Violation(("HI-1", SPEAKING[asked.verb]), text)

    def timeline(self) -> tuple[Span, ...]:
        """Return the calls, by client."""
        return self._timeline(
            lambda event: f"{_say(event.asked)} of app {self._ids[event.app].name}",
            lambda event: event.asked is self._wrong,
        )


def _say(asked: Asked) -> str:
    said = f" {asked.mark}" if asked.sent is not None else ""
    if asked.verb == "report" and asked.sent is not None:
        said += f" {lifecycle.text_of(asked.sent.status.conditions[-1])}"
    if asked.sent is not None and asked.sent.metadata.revision:
        said += f" with revision {asked.sent.metadata.revision}"
    seen = f" {_say_app(asked.seen)}" if asked.seen is not None else ""
    return f"{asked.verb}{said}: {asked.code}{seen}"


def _say_app(app: model.App | None) -> str:
    if app is None:
        return "no app"
    last = app.status.conditions[-1] if app.status.conditions else model.Condition()
    wanted = "to stop" if app.spec.desired_state == STOP else "to run"
    image = app.spec.container.image
    return f"revision {app.metadata.revision} ({image}, {wanted}), {lifecycle.text_of(last)} number {last.revision}"
