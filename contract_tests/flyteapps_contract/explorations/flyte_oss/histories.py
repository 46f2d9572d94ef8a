"""Concurrent histories of flyte-oss: several clients race for a few apps, list and watch them.

The calls of the clients are drawn from the seed; their overlap is not. An app has several ids, which differ in case or
in where a hyphen stands. What comes of it is judged by judging.py.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.explorations.clients_at_once import ClientRace
from flyteapps_contract.explorations.flyte_oss.judging import Event, Judge, Key, Stream, describe
from flyteapps_contract.model.flyte_oss.racing import (
    INTERNAL,
    OK,
    REFUSALS,
    WRITES,
    Said,
    Shown,
    Version,
    collapsed,
)
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import Broken, NotOffered, Refused, Span, StreamEnded, Unjudged
from flyteapps_contract.session import ATTEMPTS, NO_ANSWER, RUN, STOP, Session
from flyteapps_contract.streams import PATIENCE, Watcher

IMAGE = "example.org/app"
"""The image of each spec, whose tag is the mark of the write."""
VERBS = {"update": 6, "create": 4, "get": 4, "stop": 3, "delete": 3, "list": 3, "again": 2, "watch": 1, "wait": 1}
"""The operations of a client, and how often each is drawn beside the rest. `again`: a spec that others write, too."""
AGAIN = "s"
"""The first letter of the mark of such a spec."""
LOST = 0.02
"""The share of answers that are lost."""
MAX_CLIENTS, MAX_LENGTH, MAX_WATCHES, MAX_WAITS = 8, 30, 3, 2
MAX_WRITES = 60
"""Writes of one history, so that a watcher is never 100 events behind, however slowly it reads."""
WAIT_SECONDS = 31.0
"""The plane's time after which no answer to Get is cached any more."""


@dataclass(frozen=True, slots=True)
class Op:
    """One operation of a client on an app by one of its ids; `lost`: its answer is lost."""

    verb: str
    app: int = 0
    alias: int = 0
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The operations of all clients. Of the apps the first `standing` are there in the beginning."""

    clients: tuple[tuple[Op, ...], ...]
    apps: int
    standing: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A Watch: of which app and id, what it showed, when it was asked for, and when that returned."""

    key: Key
    watcher: Watcher
    called: int
    returned: int


@dataclass(slots=True)
class History:
    """All that one plan came to."""

    events: list[Event] = field(default_factory=list[Event])
    watches: list[Opened] = field(default_factory=list["Opened"])

    def seen(self) -> set[str]:
        """Return the calls with their codes, and what else there was, as the evidence counts them."""
        calls = {f"{event.said.verb}: {event.said.code}" for event in self.events}
        there = {
            "refused": any(event.said.words for event in self.events),
            "again": any(event.said.mark.startswith(AGAIN) for event in self.events),
            "watch": bool(self.watches),
        }
        return calls | {word for word, is_there in there.items() if is_there}


def drawn(seed: int, number: int, *, clock: bool) -> Plan:
    """Return the plan of that number: the first ones are small. `clock`: whether clients can let time pass."""
    draw = random.Random(f"{seed}/{number}")
    clients = min(MAX_CLIENTS, 2 + number // 4 + draw.randrange(2))
    length = min(MAX_LENGTH, 3 + 2 * number)
    apps = draw.randint(1, 2)
    aliases = draw.choice((1, 1, 3))
    verbs = [verb for verb, weight in VERBS.items() for _ in range(weight) if clock or verb != "wait"]
    writes, waits = itertools.count(), itertools.count()

    def op() -> Op:
        verb = draw.choice(verbs)
        bounded = (verb in (*WRITES, "again") and next(writes) >= MAX_WRITES) or (
            verb == "wait" and next(waits) >= MAX_WAITS
        )
        lost = draw.random() < LOST
        return Op("get" if bounded else verb, draw.randrange(apps), draw.randrange(aliases), lost=lost)

    ops = tuple(tuple(op() for _ in range(draw.randint(1, length))) for _ in range(clients))
    return Plan(ops, apps, draw.randint(0, apps))


GUARANTEES = (
    *("OSS-80", "OSS-7", "OSS-8", "OSS-14", "OSS-15", "OSS-16", "OSS-17", "OSS-18", "OSS-20"),
    *("OSS-26", "OSS-27", "OSS-28"),
)
OF_CALLS: dict[str, frozenset[str]] = {
    "OSS-7": frozenset({"create: OK"}),
    "OSS-8": frozenset({"again"}),
    "OSS-14": frozenset({"get: OK"}),
    "OSS-15": frozenset({"get: OK"}),
    "OSS-16": frozenset({"update: OK"}),
    "OSS-17": frozenset({"update: OK", "stop: OK"}),
    "OSS-18": frozenset({"refused"}),
    "OSS-20": frozenset({"delete: OK"}),
    "OSS-26": frozenset({"watch"}),
    "OSS-27": frozenset({"watch"}),
    "OSS-28": frozenset({"watch"}),
}
"""Of these a history needs one to speak of a guarantee: calls with their codes, refusals by a conflict, a spec that
several wrote, a Watch."""


def exercised(seen: Collection[str]) -> set[str]:
    """Return the guarantees that a history put to the test; `seen`: its calls with codes, and what else there was."""
    return {each for each in GUARANTEES if each not in OF_CALLS or OF_CALLS[each] & set(seen)}


class Race(ClientRace[Op, Event]):
    """One plan on one session."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self.session = session
        self.plan = plan
        self.history = History()
        super().__init__(self.history.events)
        self._aliases = [self._ids() for _ in range(plan.apps)]
        self._keys = {_scoped(app_id): (number, alias) for number, alias, app_id in self._each()}
        self._wrong: Said | None = None
        self.undecided = False
        """Whether the calls of some app allow for too many orders to look at each."""

    def run(self) -> list[Violation]:
        """Run the clients, read all that is left, and judge: the first violation of each part that can be judged."""
        for number in range(self.plan.standing):
            if self._call(-1, (number, 0), Said("create", f"a{number}")).code != OK:
                raise Unjudged("the apps of a history could not be created")
        self.session.attempts = 1  # a refusal is an answer
        try:
            self._race(self.plan.clients)
        finally:
            self.session.attempts = ATTEMPTS
            for app_id in (app_id for _, alias, app_id in self._each() if not alias):
                self.session.may_have(app_id)
        violations, troubles = self._troubles()
        if not violations:
            try:
                self._end()
                violations += self._judge()
            except Violation as violation:
                violations.append(violation)
            except (Refused, Unjudged, NotOffered) as trouble:
                troubles.append(trouble)
        if troubles and not violations:
            raise troubles[0]
        return violations

    def _ids(self) -> list[model.Identifier]:
        """Return ids of one new app: in another case, and with a hyphen elsewhere where projects are free."""
        app_id = self.session.id(self.session.name("-a"))
        others = [self.session.id(app_id.name.upper())]
        if self.session.capabilities.projects:
            others.append(self.session.id(app_id.name.removesuffix("-a"), project=f"a-{self.session.project}"))
        return [app_id, *others]

    def _each(self) -> Iterable[tuple[int, int, model.Identifier]]:
        return ((number, alias, each) for number, ids in enumerate(self._aliases) for alias, each in enumerate(ids))

    def _id(self, key: Key) -> model.Identifier:
        return self._aliases[key[0]][key[1]]

    # ---- clients

    def _act(self, client: int, mark: str, op: Op) -> None:
        key = (op.app, op.alias % len(self._aliases[op.app]))
        match op.verb:
            case "list" if not self.session.capabilities.projects:
                pass  # others have apps there, too
            case "list":
                self._list(client, self._id(key).project)
            case "watch":
                self._watch(client, key)
            case "wait":
                called = self._tick()
                self.session.advance(WAIT_SECONDS)
                self._record(Event(client, key, Said("wait", code=OK), called, self._tick()))
            case "again":
                self._call(client, key, Said("update", f"{AGAIN}{op.app}", key[1]), lost=op.lost)
            case _:
                mark = mark if op.verb in ("create", "update") else ""
                self._call(client, key, Said(op.verb, mark, key[1]), lost=op.lost)

    def _call(self, client: int, key: Key, said: Said, *, lost: bool = False) -> Said:
        """Return one call of one app with its answer; its code is "" where that was lost."""
        called = self._tick()
        code, words, seen = self._ask(key, said)
        returned = self._tick()
        if code in NO_ANSWER or (lost and said.verb != "get"):
            self._record(Event(client, key, said, called, None))
            return said
        answered = replace(said, code=code, words=words, seen=seen)
        self._record(Event(client, key, answered, called, returned))
        return answered

    def _ask(self, key: Key, said: Said) -> tuple[str, str, Version | None]:
        s, app_id = self.session, self._id(key)
        try:
            match said.verb:
                case "get":
                    return OK, "", self.version(s.get(app_id))
                case "delete":
                    s.delete(app_id)
                case _:
                    app = s.app(app_id.name, project=app_id.project, state=STOP if said.verb == "stop" else RUN)
                    if said.verb != "stop":
                        app.spec.container.image = f"{IMAGE}:{said.mark}"
                        app.spec.container.args.append(said.mark)
                    answer = s.create(app) if said.verb == "create" else s.update(app)
                    answer.ClearField("status")
                    if answer != app:
                        text = f"{said.verb} of {app_id.name} answers with another app than it was sent"
                        raise Violation(("OSS-11" if said.verb == "create" else "OSS-17",), text)
            return OK, "", None
        except Refused as error:
            return error.code, self._words(said, error), None

    def _words(self, said: Said, error: Refused) -> str:
        """Return the words of a refusal by a conflict, "" of another that may be. Raises Violation."""
        if said.verb == "get" or error.code != INTERNAL:
            if error.code in NO_ANSWER or (error.code == "NOT_FOUND" and said.verb in ("get", "update", "stop")):
                return ""
        elif words := next((words for words in REFUSALS if words in error.message), ""):
            return words
        raise Violation(("OSS-18", "OSS-80"), f"{said.verb} beside other clients' calls was refused with {error}")

    def _list(self, client: int, project: str) -> None:
        """Send one List, which reads each app that has an id in that project."""
        called = self._tick()
        try:
            apps = self.session.call(
                "List", rpc.ListRequest(project=self.session.scope(project)), rpc.ListResponse
            ).apps
        except Refused as error:
            if error.code in NO_ANSWER:
                return
            raise
        returned = self._tick()
        for number, ids in enumerate(self._aliases):
            aliases = tuple(alias for alias, each in enumerate(ids) if each.project == project)
            shown = [app for app in apps if self._keys.get(_scoped(app.metadata.id), (-1, 0))[0] == number]
            if len(shown) > 1:
                raise Violation(("OSS-4", "OSS-80"), f"List shows {len(shown)} apps of one resource name")
            if aliases:
                seen = self.version(shown[0]) if shown else None
                said = Said("list", code=OK, seen=seen, aliases=aliases)
                self._record(Event(client, (number, aliases[0]), said, called, returned))

    def _watch(self, client: int, key: Key) -> None:
        with self._lock:
            number = len(self.history.watches)
            if number >= MAX_WATCHES:
                return
            called = self._tick()
            watcher = self.session.watch(app_id=self._id(key))
            self.history.watches.append(Opened(key, watcher, called, self._tick()))

    def version(self, app: model.App) -> Version:
        """Return what is compared of an app. Raises Violation where no client has written such a one."""
        key = self._keys.get(_scoped(app.metadata.id))
        mark = app.spec.container.image.partition(":")[2]
        if key is None or app.spec.container.args[1:] != [mark]:
            raise Violation(("OSS-80",), f"an app was shown that no client wrote: {describe(app)}")
        return Version(mark, app.spec.desired_state == STOP, key[1])

    # ---- the end

    def _end(self) -> None:
        """Write each app once more under each id that is watched, and read the watches up to that."""
        watched = sorted({each.key for each in self.history.watches})
        for key in watched:
            said = self._call(-1, key, Said("create", f"end{key[1]}", key[1]))
            if said.code != OK:
                raise Unjudged(f"the last write of a history was refused with {said.code or 'nothing'}")
            for each in self.history.watches:
                if each.key == key:
                    self._read(each.watcher, key, said.mark)
        if self.session.capabilities.projects:
            for project in dict.fromkeys(app_id.project for _, _, app_id in self._each()):
                self._list(-1, project)

    def _read(self, watcher: Watcher, key: Key, mark: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                event = watcher.poll(max(deadline - time.monotonic(), 0.0))
            except (Refused, StreamEnded, Broken) as end:
                raise Violation(("OSS-28",), f"a Watch beside writers ended: {end}") from None
            if event is None:
                text = f"a Watch of {self._id(key).name} beside writers doesn't show the last write of it"
                raise Violation(("OSS-26",), text)
            if self._keys.get(_scoped(event.app.metadata.id)) == key and self.version(event.app).mark == mark:
                return

    def _judge(self) -> list[Violation]:
        streams = [self._stream(each) for each in self.history.watches]
        judge = Judge(self.history.events, streams, self._tick())
        try:
            return list(judge.violations())
        finally:
            self.undecided, self._wrong = judge.undecided, judge.wrong

    def _stream(self, opened: Opened) -> Stream:
        """Return what a Watch showed of its app. Raises Violation where an event is none of this dialect's."""
        own = [each for each in opened.watcher.seen if self._keys.get(_scoped(each.app.metadata.id)) == opened.key]
        versions = list[Version | None]()
        for event in own:
            version = self.version(event.app)
            if event.old is not None:
                raise Violation(("OSS-27",), f"a Watch beside writers: an UpdateEvent of {event.name} has an old_app")
            if event.kind == "delete" and versions and versions[-1] not in (version, None):
                text = f"a Watch beside writers: the DeleteEvent of {event.name} has {version}, after {versions[-1]}"
                raise Violation(("OSS-28",), text)
            versions.append(None if event.kind == "delete" else version)
        shown = Shown(opened.key[1], collapsed(versions), snapshot=bool(own) and own[0].kind == "create")
        at_once = self.session.plane.link.opens_at_once
        return Stream(opened.key[0], shown, opened.called, opened.returned if at_once else None)

    def timeline(self) -> tuple[Span, ...]:
        """Return the calls, by client."""
        return self._timeline(
            lambda event: f"{event} of app {self._id(event.key).name}", lambda event: event.said is self._wrong
        )


def _scoped(app_id: model.Identifier) -> tuple[str, str]:
    return app_id.project, app_id.name
