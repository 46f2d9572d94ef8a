"""Concurrent histories: several clients race for a few apps, list and watch; then all that was seen is judged.

The calls of the clients are drawn from the seed; their overlap is not. Apps are stopped: those that run are in
running_histories.py.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import list_pb2

from flyteapps_contract.explorations.clients_at_once import ClientRace
from flyteapps_contract.model import watching
from flyteapps_contract.model.linearizability import Call, Undecided, contradiction
from flyteapps_contract.model.listing import by
from flyteapps_contract.model.racing import OK, Said, State, step
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import Broken, NotOffered, Refused, Span, StreamEnded, Unjudged
from flyteapps_contract.session import NO_ANSWER, STOP, Session
from flyteapps_contract.streams import PATIENCE, Watcher

MARK = "mark"
"""The label that tells the writes apart."""
VERBS = {"update": 6, "get": 4, "create": 2, "delete": 2, "list": 1, "pages": 1, "watch": 1}
"""The operations of a client, and how often each is drawn beside the rest."""
SPEAKING = {"create": "CR-2", "delete": "DE-1", "update": "UP-3", "get": "GE-3", "list": "GE-3"}
"""The guarantee of one client's own calls, by what can't be explained."""
LOST = 0.02
"""The share of answers that are lost."""
CUT_OFF = (*NO_ANSWER, "UNKNOWN", "INTERNAL")
"""Codes of calls whose plane was killed."""
MAX_KILLS, KILL_SECONDS = 3, 0.05
"""Kills of a plane while a plan is carried out, and the longest real time between two."""
MAX_CLIENTS, LONGEST = 8, 40
STREAMS = 3


@dataclass(frozen=True, slots=True)
class Op:
    """One operation of a client: its app, whether with the revision read last, whether its response is lost."""

    verb: str
    app: int = 0
    guarded: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The operations of all clients. Of the apps the first `standing` are there throughout; the others come and go."""

    clients: tuple[tuple[Op, ...], ...]
    apps: int
    standing: int
    kills: tuple[float, ...] = ()
    """The real seconds before each kill of the plane, where it can be started again."""


@dataclass(slots=True)
class Event:
    """A call as it was: by which client, what was said of which app, when it was made and when it returned."""

    client: int
    app: int
    said: Said
    called: int
    returned: int | None


@dataclass(slots=True)
class History:
    """All that one plan came to. `pages` are the names that a client paged through."""

    events: list[Event] = field(default_factory=list[Event])
    apps: dict[tuple[int, int, int], model.App] = field(default_factory=dict[tuple[int, int, int], model.App])
    """Apps as answers showed them, by number, created_at and revision."""
    differing: list[str] = field(default_factory=list[str])
    pages: list[list[str]] = field(default_factory=list[list[str]])
    watchers: list[Watcher] = field(default_factory=list[Watcher])

    def seen(self) -> set[str]:
        """Return the calls with their codes, and what else there was, as the evidence counts them."""
        calls = {f"{event.said.verb}: {event.said.code}" for event in self.events}
        return calls | {word for word, there in (("pages", self.pages), ("watch", self.watchers)) if there}


def drawn(seed: int, number: int, *, kills: bool = False) -> Plan:
    """Return the plan of that number: the first ones are small. `kills`: whether the plane can be killed."""
    draw = random.Random(f"{seed}/{number}")
    clients = min(MAX_CLIENTS, 2 + number // 4 + draw.randrange(2))
    length = min(LONGEST, 3 + 2 * number)
    apps = draw.randint(1, 3)
    verbs = [verb for verb, weight in VERBS.items() for _ in range(weight)]
    watched = draw.random() < 0.5
    ops = tuple(
        (Op("watch"),) * (client == 0 and watched)
        + tuple(
            Op(draw.choice(verbs), draw.randrange(apps), guarded=draw.random() < 0.5, lost=draw.random() < LOST)
            for _ in range(draw.randint(1, length))
        )
        for client in range(clients)
    )
    standing = draw.randint(0, apps)
    times = draw.randint(1, MAX_KILLS) if kills else 0
    return Plan(ops, apps, standing, tuple(draw.uniform(0, KILL_SECONDS) for _ in range(times)))


class Race(ClientRace[Op, Event]):
    """One plan on one session."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self.session = session
        self.plan = plan
        self.history = History()
        super().__init__(self.history.events)
        self._ids = [session.id() for _ in range(plan.apps)]
        self._numbers = {app_id.name: number for number, app_id in enumerate(self._ids)}
        self._wrong: Said | None = None
        self.undecided = False
        """Whether the calls of some app may have gone in too many ways to look at each."""
        self._afloat: set[int] = set()
        """Apps with a write that may take effect at any later time: its call was given up."""
        self._revisions: list[dict[int, int]] = [{} for _ in plan.clients]
        """The revisions of apps that each client has read last."""
        self._kills = 0
        """Number of kills of the plane that were begun."""
        self._is_up = threading.Event()
        self._is_up.set()

    def run(self) -> list[Violation]:
        """Run the clients, reads all that is left, and judges: what broke, as far as each part of it can be judged."""
        for number in range(self.plan.standing):
            if self._call(-1, number, Said("create", f"a{number}")) is None:
                raise Unjudged("the apps of a history could not be created: an answer was lost")
        try:
            self._race(self.plan.clients, self._kill_now_and_then)
        finally:
            for app_id in self._ids:
                self.session.may_have(app_id)
        violations, troubles = self._troubles()
        final = [self._call(-1, number, Said("get")) for number in range(self.plan.apps)]
        for judge in (self._judge_calls, self._judge_pages, lambda: self._judge_streams(final)):
            try:
                judge()
            except Violation as violation:
                violations.append(violation)
            except (Refused, Unjudged, NotOffered) as trouble:
                troubles.append(trouble)
        if troubles and not violations:
            raise troubles[0]
        return violations

    def _kill_now_and_then(self, clients: Sequence[threading.Thread]) -> None:
        """Kill the plane as often as the plan says, while clients make calls; they go on once it is there again.

        The first time also where they have ended by then: what was acknowledged has to outlive it.
        """
        for number, pause in enumerate(self.plan.kills):
            clients[0].join(pause)
            if number and not any(client.is_alive() for client in clients):
                return
            self._is_up.clear()
            self._kills += 1
            try:
                self.session.plane.kill()
            finally:
                self._is_up.set()

    # ---- clients

    def _await_plane(self) -> None:
        self._is_up.wait()

    def _act(self, client: int, mark: str, op: Op) -> None:
        number, read = op.app, self._revisions[client]
        match op.verb:
            case "list" | "pages" if not self.session.capabilities.projects:
                pass  # others have apps there, too
            case "list" | "pages":
                try:
                    self._list(client) if op.verb == "list" else self._page_through()
                except Refused as error:
                    if error.code not in (CUT_OFF if self.plan.kills else NO_ANSWER):
                        raise
            case "watch" if self.plan.kills:
                pass  # each kill ends it
            case "watch":
                if len(self.history.watchers) < STREAMS:
                    self.history.watchers.append(self.session.watch())
            case "create" | "delete" if number < self.plan.standing:
                self._call(client, number, Said("get"))
            case _:
                revision = read.get(number, 0) if op.guarded and op.verb == "update" else 0
                seen = self._call(client, number, Said(op.verb, mark, revision), lost=op.lost)
                if seen is not None and seen[1] is not None:
                    read[number] = seen[1][0]

    def _call(
        self, client: int, number: int, said: Said, *, lost: bool = False
    ) -> tuple[model.App | None, State] | None:
        """Return one call of one app: what it showed, None where the answer was lost."""
        called, kills = self._tick(), self._kills
        app, code = self._ask(number, said)
        returned = self._tick()
        if code in CUT_OFF and kills != self._kills:
            if said.verb != "get":
                self._record(Event(client, number, replace(said, cut_off=True), called, returned))
            return None
        if code in NO_ANSWER and said.verb != "get":
            self._afloat.add(number)
        if (lost or code in NO_ANSWER) and said.verb != "get":
            self._record(Event(client, number, said, called, None))
            return None
        if code in NO_ANSWER:
            return None
        state = self._state(number, app) if app is not None else None
        self._record(Event(client, number, replace(said, code=code, seen=state), called, returned))
        return app, state

    def _ask(self, number: int, said: Said) -> tuple[model.App | None, str]:
        s, app_id = self.session, self._ids[number]
        try:
            match said.verb:
                case "get":
                    return s.get(app_id), OK
                case "delete":
                    s.delete(app_id)
                    return None, OK
                case _:
                    app = s.app(app_id.name, state=STOP, image=f"img:{said.mark}", labels={MARK: said.mark})
                    app.metadata.revision = said.revision
                    return (s.create if said.verb == "create" else s.update)(app), OK
        except Refused as error:
            return None, error.code

    def _list(self, client: int) -> None:
        """Send one List, which reads every app; a lost response shows nothing."""
        called = self._tick()
        page = self.session.list(list_pb2.ListRequest(limit=1000))
        returned = self._tick()
        shown = {self._numbers.get(app.metadata.id.name, -1): app for app in page.apps}
        for number in range(self.plan.apps):
            app = shown.get(number)
            state = self._state(number, app) if app is not None else None
            said = Said("list", code=OK if app is not None else "NOT_FOUND", seen=state)
            self._record(Event(client, number, said, called, returned))

    def _page_through(self) -> None:
        names: list[str] = []
        query = by("created_at", "ASCENDING", limit=1)
        for _ in range(10 * self.plan.apps + 10):
            page = self.session.list(query)
            names += [app.metadata.id.name for app in page.apps]
            if not page.token:
                self.history.pages.append(names)
                return
            query.token = page.token
        raise Violation(("LI-4",), f"pages of one app each never ended; they showed {names}")

    def _state(self, number: int, app: model.App) -> State:
        """Return what is compared; an app that is shown twice in one state has to be the same throughout."""
        key = (number, app.status.created_at.ToNanoseconds(), app.metadata.revision)
        with self._lock:
            known = self.history.apps.setdefault(key, app)
        if known != app:
            self.history.differing.append(f"{app.metadata.id.name} at revision {app.metadata.revision}")
        return app.metadata.revision, app.metadata.labels.get(MARK, "")

    # ---- verdicts

    def _judge_calls(self) -> None:
        for number in range(self.plan.apps):
            events = [event for event in self.history.events if event.app == number]
            calls = [
                Call(event.called, event.returned, event.said, reads=event.said.verb in ("get", "list"))
                for event in events
            ]
            try:
                found = contradiction(calls, None, step)
            except Undecided:
                self.undecided = True
                continue
            if found is not None:
                said = self._wrong = found.call.what
                around = "; ".join(f"{_say(call.what)}" for call in found.open) or "nothing"
                might = ", ".join(map(_say_state, found.states))
                text = (
                    f"no order of the calls explains {_say(said)} of app {self._ids[number].name}: "
                    f"before it there was {might}; beside it ran {around}"
                )
                raise Violation(("HI-1", SPEAKING[said.verb]), text)
        if self.history.differing:
            raise Violation(("HI-1", "GE-3"), f"two answers showed otherwise: {self.history.differing[0]}")

    def _judge_pages(self) -> None:
        for names in self.history.pages:
            standing = [app_id.name for app_id in self._ids[: self.plan.standing]]
            missing = [name for name in standing if name not in names]
            if missing:
                raise Violation(("LI-4",), f"{missing[0]} was there throughout, but came on no page: {names}")
            twice = [name for name in standing if names.count(name) > 1]
            if twice:
                raise Violation(("LI-4",), f"{twice[0]} came on two pages: {names}")

    def _judge_streams(self, final: Sequence[tuple[model.App | None, State] | None]) -> None:
        """Read every stream up to a last write, then judge it by its rules, and by what is read in the end."""
        if not self.history.watchers:
            return
        marker = self.session.given_stopped()
        left = {app.metadata.id.name: app for each in final if each is not None and (app := each[0]) is not None}
        unsure = {self._ids[n].name for n, each in enumerate(final) if each is None or n in self._afloat}
        for watcher in self.history.watchers:
            self._read(watcher, marker)
            events = [event for event in watcher.seen if event.name in self._numbers]
            if not watching.unique_rule(events):  # what comes twice is no other order
                self._judge_order(events)
            for guarantee, rule, _ in watching.RULES:
                if violation := rule(events):
                    # events that overtake each other break most of these rules, too
                    says = (guarantee,) if guarantee == "WA-4" else (guarantee, "WA-3")
                    raise Violation(says, f"a watch beside writers: {violation}")
            shown = {key[-1]: app for key, app in watching.fold(events).items()}
            wrong = [name for name in {*shown, *left} - unsure if shown.get(name) != left.get(name)]
            if wrong:
                text = f"a watch beside writers: what it showed of {wrong[0]} in the end is not what is read"
                raise Violation(("WA-5", "WA-8", "WA-1"), text)

    def _read(self, watcher: Watcher, marker: model.App) -> None:
        deadline = time.monotonic() + PATIENCE
        while not any(event.name == marker.metadata.id.name for event in watcher.seen):
            try:
                event = watcher.poll(max(deadline - time.monotonic(), 0.0))
            except (Refused, StreamEnded, Broken) as end:
                raise Violation(("WA-5", "WA-9"), f"a watch beside writers ended: {end}") from None
            if event is None:
                raise Violation(("WA-5",), "a watch beside writers doesn't show an app that was created at the end")

    def _judge_order(self, events: Sequence[watching.WatchEvent]) -> None:
        """From what a stream showed first of an incarnation on, each of its revisions comes, in order."""
        last: dict[tuple[str, tuple[int, int]], int] = {}
        for event in events:
            if event.kind == "delete":
                continue
            key = (event.name, watching.created_at(event.app))
            revision = event.app.metadata.revision
            if key in last and revision != last[key] + 1:
                text = f"a watch beside writers shows revision {revision} of {event.name} after revision {last[key]}"
                late = [each for each in events if (each.name, watching.created_at(each.app)) == key]
                missing = set(range(last[key] + 1, revision)) - {each.app.metadata.revision for each in late}
                merged = event.old is not None and event.old.metadata.revision == last[key]
                raise Violation(("WA-5", "WA-3") if missing and not merged else ("WA-3", "WA-5"), text)
            last[key] = revision

    def timeline(self) -> tuple[Span, ...]:
        """Return the calls, by client."""
        return self._timeline(
            lambda event: f"{_say(event.said)} of app {self._ids[event.app].name}",
            lambda event: event.said is self._wrong,
        )


def _say(said: Said) -> str:
    revision = f" with revision {said.revision}" if said.revision else ""
    mark = f" {said.mark}" if said.mark else ""
    seen = f" {_say_state(said.seen)}" if said.code == OK and said.verb != "delete" else ""
    lost = "cut off by a kill" if said.cut_off else "answer lost"
    return f"{said.verb}{mark}{revision}: {said.code or lost}{seen}"


def _say_state(state: State) -> str:
    return f"revision {state[0]} by {state[1] or 'nobody'}" if state is not None else "no app"
