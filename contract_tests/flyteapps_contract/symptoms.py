"""The abilities that checks prepare with, and the symptoms of their faults in a session's calls. Nothing here calls.

Most checks create, read, update, delete, list and watch on their way to what they judge. Each of these abilities is
verified apart; what a check did with one that is at fault tells what broke it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message

from flyteapps_contract.outcomes import Refused


class Ability(StrEnum):
    """An ability that checks prepare with, the most elementary first; a fault of one may explain those after it."""

    GET = "get"
    LABEL = "label"
    UPDATE = "update"
    DELETE = "delete"
    LIST = "list"
    PAGES = "pages"
    SNAPSHOT = "snapshot"
    EVENTS = "events"


GUARANTEE = {
    Ability.GET: "GE-1",
    Ability.LABEL: "UP-2",
    Ability.UPDATE: "UP-2",
    Ability.DELETE: "DE-2",
    Ability.LIST: "LI-1",
    Ability.PAGES: "LI-4",
    Ability.SNAPSHOT: "WA-1",
    Ability.EVENTS: "WA-5",
}
"""The guarantee that a fault of the ability breaks."""
OF_STREAMS = ("WA-4", "WA-3", "WA-7", "WA-6")
"""The guarantees whose violations a stream shows, beside those of the abilities."""
ROOTS = tuple(dict.fromkeys(["CR-1", "GE-1", "GE-3", *GUARANTEE.values(), *OF_STREAMS]))
"""The guarantees whose violation may explain others', the most elementary first."""
OF_METHOD = {"Create": "CR-1", "Get": "GE-1", "Update": "UP-2", "Delete": "DE-2", "List": "LI-1", "Watch": "WA-1"}
"""The guarantee that a call breaks which fails altogether."""
FAILED = ("UNAVAILABLE", "INTERNAL", "UNKNOWN", "DEADLINE_EXCEEDED")
"""The codes of calls that failed, where the plane is there."""

Key = tuple[str, str, str]


@dataclass(slots=True)
class _Begun:
    """A call that was sent: whether no write was pending then, and how many writes had begun."""

    alone: bool
    writes: int
    known: model.App | None = None


@dataclass(slots=True)
class Symptoms:
    """The symptoms of one session: by guarantee, what was observed first.

    `faults`: the abilities that are known to be at fault. A refusal or an answer is compared with what was answered
    before only where no write came between. Other orgs' apps are passed over.
    """

    faults: dict[Ability, str] = field(default_factory=dict[Ability, str])
    found: dict[str, str] = field(default_factory=dict[str, str])
    _apps: dict[Key, model.App] = field(default_factory=dict[Key, model.App])
    _chains: dict[str, tuple[int, frozenset[Key]]] = field(default_factory=dict[str, tuple[int, frozenset[Key]]])
    _writes: int = 0
    _pending: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def exists(self, app_id: model.Identifier) -> bool:
        """Return whether the app was answered, and not deleted since."""
        return _key(app_id) in self._apps

    def record(self, guarantee: str, text: str) -> None:
        """Keep the first symptom of each guarantee."""
        self.found.setdefault(guarantee, text)

    def opened(self) -> None:
        """Record that a watch was opened."""
        for ability in (Ability.SNAPSHOT, Ability.EVENTS):
            if ability in self.faults:
                self.record(GUARANTEE[ability], self.faults[ability])

    def call(self, method: str, request: Message, send: Callable[[], Message]) -> Message:
        """Return what `send` returns or raises, and record the symptoms in it."""
        begun = self._begin(method, request)
        writes = method not in ("Get", "List")
        try:
            answer = send()
        except Refused as error:
            with self._lock:
                self._pending -= writes
                self._refused(method, request, error, self._is_alone(begun, writes), begun.known)
            raise
        except BaseException:
            with self._lock:
                self._pending -= writes
            raise
        with self._lock:
            self._pending -= writes
            self._answered(request, answer, self._is_alone(begun, writes), begun)
        return answer

    def _begin(self, method: str, request: Message) -> _Begun:
        with self._lock:
            begun = _Begun(not self._pending, self._writes)
            if method not in ("Get", "List"):
                self._writes += 1
                self._pending += 1
            match request:
                case rpc.DeleteRequest():
                    self._apps.pop(_key(request.app_id), None)
                case rpc.UpdateRequest():
                    begun.known = self._apps.get(_key(request.app.metadata.id))
                case rpc.GetRequest():
                    begun.known = self._apps.get(_key(request.app_id))
                case rpc.ListRequest() if Ability.LIST in self.faults:
                    self.record("LI-1", self.faults[Ability.LIST])
                case _:
                    pass
            if method == "Update" and Ability.UPDATE in self.faults:
                self.record("UP-2", self.faults[Ability.UPDATE])
            return begun

    def _is_alone(self, begun: _Begun, writes: bool) -> bool:
        return begun.alone and self._writes == begun.writes + writes

    def _refused(self, method: str, request: Message, error: Refused, alone: bool, known: model.App | None) -> None:
        if error.code in FAILED and method in OF_METHOD:
            self.record(OF_METHOD[method], f"{method} was refused with {error}")
        if method == "Update" and error.code == "ABORTED" and Ability.LABEL in self.faults:
            self.record("UP-2", self.faults[Ability.LABEL])
        if method == "Get" and error.code == "NOT_FOUND" and Ability.GET in self.faults:
            assert isinstance(request, rpc.GetRequest)
            if known is not None or request.HasField("ingress"):
                self.record("GE-1", self.faults[Ability.GET])
        if not alone or known is None:
            return
        match request:
            case rpc.GetRequest() if error.code == "NOT_FOUND" and _is_of(known, request.app_id):
                self.record("GE-1", f"Get of {known.metadata.id.name}, which exists, was refused with {error}")
            case rpc.UpdateRequest() if error.code == "ABORTED" and _is_of(known, request.app.metadata.id):
                if request.app.metadata.revision in (0, known.metadata.revision) and _is_changed(known, request.app):
                    self.record("UP-2", f"an Update that changes {known.metadata.id.name} was refused with {error}")
            case _:
                pass

    def _answered(self, request: Message, answer: Message, alone: bool, begun: _Begun) -> None:
        match request, answer:
            case rpc.CreateRequest(), rpc.CreateResponse():
                self._learn(answer.app)
            case rpc.GetRequest(), rpc.GetResponse():
                known = begun.known
                if alone and known is not None and answer.app.metadata.revision < known.metadata.revision:
                    name, last = known.metadata.id.name, known.metadata.revision
                    self.record("GE-3", f"Get of {name} gave revision {answer.app.metadata.revision} after {last}")
                self._learn(answer.app)
            case rpc.UpdateRequest(), rpc.UpdateResponse():
                known = begun.known
                if alone and known is not None and answer.app.metadata.revision <= known.metadata.revision:
                    name = known.metadata.id.name
                    self.record("UP-2", f"Update of {name} answered with revision {answer.app.metadata.revision}")
                self._learn(answer.app)
            case rpc.UpdateStatusRequest(), rpc.UpdateStatusResponse():
                self._learn(answer.app)
            case rpc.ListRequest(), rpc.ListResponse():
                self._listed(request, answer, alone)
            case _:
                pass

    def _learn(self, app: model.App) -> None:
        if app.metadata.id.name:
            self._apps[_key(app.metadata.id)] = app

    def _listed(self, request: rpc.ListRequest, answer: rpc.ListResponse, alone: bool) -> None:
        query = request.request
        shown = frozenset(_key(app.metadata.id) for app in answer.apps)
        before = self._chains.get(query.token) if query.token else (self._writes, frozenset[Key]())
        if query.token and Ability.PAGES in self.faults:
            self.record("LI-4", self.faults[Ability.PAGES])
        if before is not None and before[0] == self._writes and shown & before[1]:
            self.record("LI-4", f"{min(shown & before[1])[2]} came on two pages")
        if before is not None and answer.token:
            self._chains[answer.token] = (before[0], before[1] | shown)
        whole = not query.filters and not query.token and not answer.token
        if alone and whole and request.HasField("project") and self._is_own(request.project.organization):
            place = (request.project.name, request.project.domain)
            if missing := sorted(key for key in self._apps if key[:2] == place and key not in shown):
                self.record("LI-1", f"List of project {place[0]} did not show {missing[0][2]}, which exists")

    def _is_own(self, org: str) -> bool:
        """Return whether that is the org of the apps that were answered; "" is."""
        return not org or any(app.metadata.id.org == org for app in self._apps.values())


def _is_of(known: model.App, app_id: model.Identifier) -> bool:
    """Return whether the id names that app; without an org it names the plane's own."""
    return app_id.org in ("", known.metadata.id.org)


def _key(app_id: model.Identifier) -> Key:
    return (app_id.project, app_id.domain, app_id.name)


def _is_changed(known: model.App, sent: model.App) -> bool:
    """Return whether the update asks for something else for sure, whatever the plane fills in."""
    return known.metadata.labels != sent.metadata.labels or known.spec.container != sent.spec.container
