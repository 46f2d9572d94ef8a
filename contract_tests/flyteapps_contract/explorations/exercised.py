"""The guarantees that a run of calls put to the test, as its steps show: the evidence that reports count.

A guarantee counts where the oracle compared something that could have broken it: a refusal that was due, a lease that
was seen, a page after the first. Nothing here judges, or calls a plane.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.model import lifecycle
from flyteapps_contract.model.reports import KEPT
from flyteapps_contract.model.transitions import status_of
from flyteapps_contract.traces.trace import OK, Step

STOP = model.Spec.DESIRED_STATE_STOPPED
LEASE_SECONDS = 60.0
PLAIN = ("container", "desired_state", "cluster_pool", "ingress", "creator")
"""Fields of a spec that say nothing of those that a plane makes nothing of."""
REFUSALS: dict[tuple[str, str], tuple[str, ...]] = {
    ("Create", "ALREADY_EXISTS"): ("CR-2",),
    ("Create", "FAILED_PRECONDITION"): ("CR-6",),
    ("Create", "INVALID_ARGUMENT"): ("ID-2",),
    ("Create", "NOT_FOUND"): ("ID-1",),
    ("Update", "FAILED_PRECONDITION"): ("CR-6",),
    ("Update", "INVALID_ARGUMENT"): ("ID-2",),
    ("Update", "NOT_FOUND"): ("UP-1",),
    ("Delete", "FAILED_PRECONDITION"): ("DE-2",),
    ("Delete", "NOT_FOUND"): ("DE-1",),
    ("Delete", "INVALID_ARGUMENT"): ("ID-2",),
    ("Get", "INVALID_ARGUMENT"): ("ID-2",),
    ("List", "INVALID_ARGUMENT"): ("ID-2", "LI-2"),
    ("UpdateStatus", "ABORTED"): ("US-1",),
    ("UpdateStatus", "FAILED_PRECONDITION"): ("US-2", "LE-3"),
    ("UpdateStatus", "INVALID_ARGUMENT"): ("US-2", "ID-2"),
}
"""The guarantees that a refusal speaks of, by method and code."""

WATCHED = ("WA-1", "WA-3", "WA-4", "WA-5", "WA-6", "WA-7", "WA-8", "WA-9")
OF_HISTORIES: dict[str, frozenset[str]] = {
    "CR-2": frozenset({"create: ALREADY_EXISTS"}),
    "UP-2": frozenset({"update: OK", "start: OK", "stop: OK"}),
    "UP-3": frozenset({"update: ABORTED"}),
    "DE-1": frozenset({"delete: NOT_FOUND"}),
    "DE-2": frozenset({"delete: FAILED_PRECONDITION"}),
    "GE-3": frozenset({"get: OK", "get: NOT_FOUND", "list: OK"}),
    "LI-4": frozenset({"pages"}),
    **dict.fromkeys(WATCHED, frozenset({"watch"})),
}
"""Calls and streams, one of which a history needs to speak of a guarantee; of one that isn't here, each does."""

Key = tuple[str, str, str, str]


def exercised(steps: Sequence[Step]) -> set[str]:
    """Return the ids of the guarantees that the steps put to the test."""
    reader = _Reader()
    return {guarantee for step in steps for guarantee in reader.read(step)} | set(reader.of_streams())


def exercised_at_once(seen: Collection[str], guarantees: Collection[str]) -> set[str]:
    """Return those of the guarantees that a history put to the test; `seen`: its calls with codes, and streams."""
    return {each for each in guarantees if each not in OF_HISTORIES or OF_HISTORIES[each] & set(seen)}


class _Reader:
    """The knowledge after some of the steps."""

    def __init__(self) -> None:
        self._apps: dict[Key, model.App] = {}
        self._ids: set[Key] = set()
        self._gone: set[Key] = set()
        self._watches: dict[int, rpc.WatchRequest] = {}
        self._since: dict[int, set[str]] = {}
        """The methods of the writes since each Watch was opened."""
        self._clusters: set[str] = set()
        """Clusters that have opened a Lease stream."""
        self._org = ""
        self._passed = 0.0

    def read(self, step: Step) -> Iterator[str]:
        match step.kind:
            case "call" if step.received:
                yield from self._call(step)
            case "open" if isinstance(step.request, rpc.WatchRequest):
                self._watches[step.stream] = step.request
                self._since[step.stream] = set()
                yield from ("WA-1", "WA-2")
            case "open" if isinstance(step.request, rpc.LeaseRequest):
                self._clusters.add(step.request.id.name)
            case "close":
                self._watches.pop(step.stream, None)
            case "advance":
                self._passed += step.seconds
            case _:
                pass

    def of_streams(self) -> Iterator[str]:
        """Yield the guarantees of the watches that were read to the end."""
        for number, request in self._watches.items():
            since = self._since[number]
            if request.WhichOneof("target") == "cluster_id":
                yield from ("WA-6", "LE-4") if since & {"Update", "UpdateStatus"} else ()
                continue
            yield from ("WA-8",)
            if since:
                yield from ("WA-3", "WA-4", "WA-5", "WA-7")
            if since & {"Update", "UpdateStatus"}:
                yield "WA-6"
            if "Delete" in since or (request.HasField("app_id") and "Create" in since):
                yield "WA-9"

    def _call(self, step: Step) -> Iterator[str]:
        request: Any = step.request
        yield from REFUSALS.get((step.method, step.code), ())
        if step.method == "List":
            yield from self._list(request, step)
            return
        app_id = request.app.metadata.id if hasattr(request, "app") else request.app_id
        key = self._key(app_id)
        if step.method == "Get" and request.WhichOneof("identifier") == "ingress":
            yield "GE-2"
            key = self._key(step.answer.app.metadata.id) if isinstance(step.answer, rpc.GetResponse) else key
        else:
            yield from self._alike(key)
        before = self._apps.get(key)
        if step.method == "Update":
            yield from self._update(request, step, before)
        if step.method == "Get" and key[-1]:
            yield from ("GE-1", *(("GE-3",) if key in self._ids else ()))
            yield from ("DE-3",) if key in self._gone else ()
        if step.code != OK:
            return
        if step.method == "Delete":
            yield from ("DE-2",) if before is not None and before.spec.desired_state != STOP else ()
            self._apps.pop(key, None)
            self._gone.add(key)
        elif (app := getattr(step.answer, "app", None)) is not None:
            yield from self._shown(step, request, app, before)
            self._apps[key] = app
        if step.method != "Get":
            self._ids.add(key)
            for methods in self._since.values():
                methods.add(step.method)

    def _key(self, app_id: model.Identifier) -> Key:
        """Return the id, without the plane's own org, which requests may leave out."""
        self._org = self._org or app_id.org
        return ("" if app_id.org == self._org else app_id.org), app_id.project, app_id.domain, app_id.name

    def _alike(self, key: Key) -> Iterator[str]:
        if any(other != key and other[-1].lower() == key[-1].lower() for other in self._ids):
            yield "ID-1"

    def _list(self, request: rpc.ListRequest, step: Step) -> Iterator[str]:
        if step.code != OK:
            return
        yield from ("LI-1", "GE-3")
        if self._gone:
            yield "DE-3"
        if request.request.filters:
            yield "LI-2"
        if request.request.HasField("sort_by") or request.request.sort_by_fields:
            yield "LI-3"
        if step.token_of >= 0 or (isinstance(step.answer, rpc.ListResponse) and step.answer.token):
            yield "LI-4"
        if request.include_total_count:
            yield "LI-5"
        if request.disable_identity_enrichment:
            yield "LI-7"

    def _update(self, request: rpc.UpdateRequest, step: Step, before: model.App | None) -> Iterator[str]:
        if before is None:
            return
        sent = request.app.metadata.revision
        if sent:
            yield "UP-3"
        if step.code == "ABORTED" and sent in (0, before.metadata.revision):
            yield "UP-4"
        if request.app.HasField("status"):
            yield "ID-4"

    def _shown(self, step: Step, request: Any, app: model.App, before: model.App | None) -> Iterator[str]:
        conditions = app.status.conditions
        after, reached = len(conditions), status_of(app)
        if conditions and conditions[-1].deployment_id:
            yield "US-4"
        if after >= KEPT:
            yield "US-5"
        yield from self._leased(app, before)
        match step.method:
            case "Create":
                yield from ("CR-1", "CR-3", "CR-4")
                yield from ("CR-5",) if self._key(app.metadata.id) in self._gone else ()
                yield from _written(request.app)
                yield from ("LE-6",) if reached == lifecycle.ASSIGNED else ()
            case "Update" if before is not None:
                yield from ("UP-2", "US-6", *_written(request.app))
                if after > len(before.status.conditions):
                    yield "UP-5"
                    yield from ("UP-6",) if request.reason else ()
                if status_of(before) not in (lifecycle.STOPPED, lifecycle.ACTIVE, lifecycle.UNASSIGNED):
                    yield "UP-7"
            case "UpdateStatus":
                yield from ("US-0", "US-1", "US-2", "US-6")
                yield from ("US-3",) if reached == lifecycle.ACTIVE else ()
                yield from ("LE-5",) if reached == lifecycle.STOPPED else ()
                yield from ("LE-3",) if before is not None and before.status.HasField("lease_expiration") else ()
            case _ if before is not None and after > len(before.status.conditions):
                yield from ("US-2", "US-6")
            case _:
                pass

    def _leased(self, app: model.App, before: model.App | None) -> Iterator[str]:
        """Yield what speaks of leases: one was seen, and one was seen to have run out."""
        if app.status.assigned_cluster in self._clusters:
            yield "LE-1"
        ran = before is not None and before.status.HasField("lease_expiration") and self._passed >= LEASE_SECONDS
        if ran and before is not None and before.status.lease_expiration != app.status.lease_expiration:
            yield "LE-2"


def _written(sent: model.App) -> Iterator[str]:
    """Yield what a stored spec speaks of."""
    if any(field.name not in PLAIN for field, _ in sent.spec.ListFields()):
        yield "SP-3"
    if sent.spec.HasField("inputs"):
        yield "SP-4"
    if sent.spec.ingress.subdomain or sent.spec.ingress.cname:
        yield "CR-6"
