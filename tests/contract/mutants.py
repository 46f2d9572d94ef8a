"""Wrong planes: the stand-in with one thing broken, each by overriding a seam that exists anyway.

Each is a context manager under the id of the guarantee that it breaks. The suite must find every one.
"""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any
from unittest.mock import patch

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common.list_pb2 import Filter

from flyteapps_fake.cluster.reactor import Reactor
from flyteapps_fake.cluster.runs import Run
from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.plane import filters, identity, ingress, listing, reads, writes
from flyteapps_fake.plane.apps import AppKey, AppRecord, Draft
from flyteapps_fake.plane.clock import Agenda, from_timestamp
from flyteapps_fake.plane.commits import State
from flyteapps_fake.plane.conditions import History
from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.plane.events import CREATE_EVENT, DELETE_EVENT, UPDATE_EVENT, Event, EventLog, Subscription
from flyteapps_fake.plane.identity import Organization
from flyteapps_fake.plane.ingress import Hosts
from flyteapps_fake.plane.lifecycle import PENDING

Mutant = Callable[[], AbstractContextManager[Any]]
MUTANTS: list[tuple[str, Mutant]] = []


def mutant(guarantee: str) -> Callable[[Mutant], Mutant]:
    """Registers a mutant of that guarantee."""

    def register(make: Mutant) -> Mutant:
        MUTANTS.append((guarantee, make))
        return make

    return register


def around(owner: Any, name: str, wrapper: Callable[..., Any]) -> AbstractContextManager[Any]:
    """`owner.name` replaced by `wrapper(original, *arguments)`."""
    real = getattr(owner, name)
    return patch.object(owner, name, lambda *arguments: wrapper(real, *arguments))


def at_commit(change: Callable[[model.App, model.App | None], None]) -> AbstractContextManager[Any]:
    """`change(app, old)` alters each app before it is stored; `old` is None for a new one."""
    real = State.commit

    def commit(self: State, draft: Draft) -> AppRecord:
        app = _whole(draft)
        change(app, draft.old.parse() if draft.old is not None else None)
        return real(self, draft_of(draft.old, app))

    return patch.object(State, "commit", commit)


def _whole(draft: Draft) -> model.App:
    """The app that the draft leads to."""
    front = draft.sent if draft.sent is not None else draft.old and draft.old.parse_front()
    assert front is not None
    app = model.App(metadata=front.metadata, spec=front.spec)
    app.status.CopyFrom(draft.status)
    app.status.MergeFrom(model.Status.FromString(draft.history.encoded))
    return app


def draft_of(old: AppRecord | None, app: model.App) -> Draft:
    """A draft that leads to that app, whatever it is."""
    draft = Draft(old, model.App(metadata=app.metadata, spec=app.spec))
    draft.history = History()
    for condition in app.status.conditions:
        draft.history = draft.history.append(condition)
    last = app.status.conditions[-1]
    draft.reached, draft.substate, draft.counter = last.deployment_status, last.substate, last.revision
    draft.changed_at = from_timestamp(last.last_transition_time)
    draft.status.CopyFrom(app.status)
    draft.status.ClearField("conditions")
    return draft


def at_create(change: Callable[[model.App], None]) -> AbstractContextManager[Any]:
    """`change(app)` alters each new app before it is stored."""
    return at_commit(lambda app, old: change(app) if old is None else None)


def at_update(change: Callable[[model.App, model.App], None]) -> AbstractContextManager[Any]:
    """`change(app, old)` alters each app that a client updates before it is stored."""
    return at_commit(
        lambda app, old: (
            change(app, old) if old is not None and app.metadata.revision != old.metadata.revision else None
        )
    )


@mutant("ID-1")
def names_ignore_case() -> AbstractContextManager[Any]:
    of = AppKey.of
    return patch.object(AppKey, "of", lambda app_id: of(app_id)._replace(name=app_id.name.lower()))


@mutant("ID-1")
def another_org_is_taken_in() -> AbstractContextManager[Any]:
    return patch.object(Organization, "require", lambda self, org: None)


@mutant("ID-2")
def rules_are_not_checked() -> AbstractContextManager[Any]:
    return patch("flyteapps_fake.control_plane.check", lambda request: None)


@mutant("ID-4")
def the_creator_stays_empty() -> AbstractContextManager[Any]:
    return patch.object(writes, "user", lambda subject: identity.EnrichedIdentity())


@mutant("CR-1")
def revisions_start_at_2() -> AbstractContextManager[Any]:
    return at_create(lambda app: setattr(app.metadata, "revision", 2))


@mutant("CR-2")
def create_upserts() -> AbstractContextManager[Any]:
    def create(real: Any, state: State, request: rpc.CreateRequest) -> AppKey:
        if state.store.get(AppKey.of(request.app.metadata.id)) is None:
            return real(state, request)
        request.app.metadata.revision = 0
        return writes.update(state, rpc.UpdateRequest(app=request.app))

    return around(writes, "create", create)


@mutant("CR-3")
def links_are_lost() -> AbstractContextManager[Any]:
    return at_create(lambda app: app.spec.ClearField("links"))


@mutant("CR-4")
def an_app_begins_pending() -> AbstractContextManager[Any]:
    return at_create(lambda app: setattr(app.status.conditions[0], "deployment_status", PENDING))


@mutant("CR-5")
def a_deleted_id_stays_taken() -> AbstractContextManager[Any]:
    def create(real: Any, state: State, request: rpc.CreateRequest) -> AppKey:
        if AppKey.of(request.app.metadata.id) in state._gone:
            raise RpcError(Code.ALREADY_EXISTS, "it was there")
        return real(state, request)

    return around(writes, "create", create)


@mutant("CR-6")
def any_host_will_do() -> AbstractContextManager[Any]:
    return patch.object(ingress, "is_hostname", lambda name: True)


@mutant("CR-6")
def hosts_are_never_taken() -> AbstractContextManager[Any]:
    def plan(real: Any, self: Hosts, *arguments: Any) -> Any:
        kept, self._owners = self._owners, {}
        try:
            return real(self, *arguments)
        finally:
            self._owners = kept

    return around(Hosts, "plan", plan)


@mutant("GE-1")
def an_absent_app_is_empty() -> AbstractContextManager[Any]:
    def call(real: Any, self: FakeControlPlane, operation: Any, request: Any) -> bytes:
        try:
            return real(self, operation, request)
        except RpcError as error:
            if error.code is Code.NOT_FOUND and isinstance(request, rpc.GetRequest):
                return b""
            raise

    return around(FakeControlPlane, "call", call)


@mutant("GE-2")
def urls_are_case_sensitive() -> AbstractContextManager[Any]:
    return around(Hosts, "_owner_of_url", lambda real, self, url: real(self, url) if url == url.lower() else None)


@mutant("GE-3")
def a_miss_is_cached_once() -> AbstractContextManager[Any]:
    missed: set[bytes] = set()

    def get(real: Any, state: State, request: rpc.GetRequest) -> Any:
        key = request.SerializeToString()
        if key in missed:
            missed.remove(key)
            raise RpcError(Code.NOT_FOUND, "no such app")
        try:
            return real(state, request)
        except RpcError:
            missed.add(key)
            raise

    return around(reads, "get", get)


@mutant("UP-1")
def update_upserts() -> AbstractContextManager[Any]:
    def update(real: Any, state: State, request: rpc.UpdateRequest) -> AppKey:
        if state.store.get(AppKey.of(request.app.metadata.id)) is None:
            return writes.create(state, rpc.CreateRequest(app=request.app))
        return real(state, request)

    return around(writes, "update", update)


@mutant("UP-2")
def labels_are_merged() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App) -> None:
        for key, value in old.metadata.labels.items():
            if key not in app.metadata.labels:
                app.metadata.labels[key] = value

    return at_update(change)


@mutant("UP-2")
def created_at_moves() -> AbstractContextManager[Any]:
    return at_update(lambda app, old: app.status.created_at.CopyFrom(app.status.last_updated_at))


@mutant("UP-3")
def the_revision_is_not_looked_at() -> AbstractContextManager[Any]:
    def update(real: Any, state: State, request: rpc.UpdateRequest) -> AppKey:
        request.app.metadata.revision = 0
        return real(state, request)

    return around(writes, "update", update)


@mutant("UP-4")
def labels_alone_are_no_change() -> AbstractContextManager[Any]:
    return patch.object(writes, "_described", lambda metadata: b"")


@mutant("UP-5")
def a_stop_is_never_at_once() -> AbstractContextManager[Any]:
    return patch.object(writes, "_condition_after_update", lambda app: PENDING)


@mutant("UP-6")
def the_reason_is_dropped() -> AbstractContextManager[Any]:
    def update(real: Any, state: State, request: rpc.UpdateRequest) -> AppKey:
        request.reason = ""
        return real(state, request)

    return around(writes, "update", update)


@mutant("UP-7")
def old_revisions_report() -> AbstractContextManager[Any]:
    """Every timer has an owner of its own, so that none is cancelled, and reports whatever the revision is."""
    numbers = itertools.count()
    real_call_at = Agenda.call_at

    def call_at(self: Agenda, due: int, owner: Any, action: Any, *, progress: bool = True) -> None:
        real_call_at(
            self, due, (owner, next(numbers)), lambda timer: action(timer._replace(owner=owner)), progress=progress
        )

    def take_step(real: Any, self: Reactor, *arguments: Any) -> None:
        with suppress(RpcError):
            real(self, *arguments)

    both = ExitStack()
    both.enter_context(patch.object(Agenda, "call_at", call_at))
    both.enter_context(around(Reactor, "_take_step", take_step))
    both.enter_context(patch.object(Run, "is_of", lambda self, record: True))
    return both


@mutant("DE-1")
def deleting_nothing_is_fine() -> AbstractContextManager[Any]:
    def delete(real: Any, state: State, request: rpc.DeleteRequest) -> AppKey:
        key = AppKey.of(request.app_id)
        return real(state, request) if state.store.get(key) is not None else key

    return around(writes, "delete", delete)


@mutant("DE-2")
def a_running_app_is_deleted() -> AbstractContextManager[Any]:
    def delete(real: Any, state: State, request: rpc.DeleteRequest) -> AppKey:
        with patch.object(writes, "shall_run", lambda state: False):
            return real(state, request)

    return around(writes, "delete", delete)


@mutant("DE-3")
def a_deleted_app_stays_listed() -> AbstractContextManager[Any]:
    gone: dict[int, list[bytes]] = {}

    def delete(real: Any, state: State, request: rpc.DeleteRequest) -> AppKey:
        gone.setdefault(id(state.store), []).append(state.require(AppKey.of(request.app_id)).encoded)
        return real(state, request)

    def list_apps(real: Any, store: Any, tokens: Any, own_org: str, request: rpc.ListRequest) -> Any:
        encoded, page = real(store, tokens, own_org, request)
        answer = rpc.ListResponse.FromString(encoded)
        answer.apps.extend(model.App.FromString(each) for each in gone.get(id(store), ()))
        return answer.SerializeToString(), page

    both = ExitStack()
    both.enter_context(around(reads, "list_apps", list_apps))
    both.enter_context(around(writes, "delete", delete))
    return both


@mutant("LI-1")
def a_project_scope_ignores_the_project() -> AbstractContextManager[Any]:
    real = listing._scope

    def scope(request: rpc.ListRequest, own_org: str) -> Any:
        found, keeps = real(request, own_org)
        return (("org",) if found is not None and found[0] == "project" else found), keeps

    return patch.object(listing, "_scope", scope)


@mutant("LI-2")
def contains_ignores_case() -> AbstractContextManager[Any]:
    def test(real: Any, function: int, values: list[str]) -> Any:
        return real(Filter.CONTAINS_CASE_INSENSITIVE if function == Filter.CONTAINS else function, values)

    return around(filters, "_text_test", test)


@mutant("LI-2")
def a_missing_label_fails_not_equal() -> AbstractContextManager[Any]:
    return patch.object(filters, "_TRUE_WITHOUT_LABEL", {Filter.NOT_EXISTS, Filter.VALUE_NOT_IN, Filter.NOT_ENDS_WITH})


@mutant("LI-3")
def no_direction_means_ascending() -> AbstractContextManager[Any]:
    return around(listing, "_orders", lambda real, query: [each._replace(ascending=True) for each in real(query)])


@mutant("LI-4")
def tokens_are_not_signed() -> AbstractContextManager[Any]:
    return patch.object(listing.Tokens, "_mac", lambda self, body: b"0" * 16)


@mutant("LI-5")
def the_total_is_of_the_page() -> AbstractContextManager[Any]:
    def list_apps(real: Any, store: Any, tokens: Any, own_org: str, request: rpc.ListRequest) -> Any:
        encoded, page = real(store, tokens, own_org, request)
        answer = rpc.ListResponse.FromString(encoded)
        answer.total_count = len(answer.apps) if request.include_total_count else 0
        return answer.SerializeToString(), page

    return around(reads, "list_apps", list_apps)


@mutant("LI-7")
def identities_stay_rich() -> AbstractContextManager[Any]:
    return patch.object(listing, "_bare", listing._whole)


@mutant("WA-1")
def the_snapshot_is_in_reverse() -> AbstractContextManager[Any]:
    return around(
        EventLog,
        "subscribe",
        lambda real, self, scope, snapshot: real(self, scope, tuple(reversed(list(snapshot)))),
    )


@mutant("WA-2")
def a_cluster_watch_shows_the_org() -> AbstractContextManager[Any]:
    return around(
        reads, "_target", lambda real, request, own: ("org",) if request.HasField("cluster_id") else real(request, own)
    )


@mutant("WA-3")
def status_moves_are_no_events() -> AbstractContextManager[Any]:
    def publish(real: Any, self: EventLog, event: Event) -> None:
        if event.old is None or event.new is None or event.old.revision != event.new.revision:
            real(self, event)

    return around(EventLog, "publish", publish)


@mutant("WA-4")
def the_snapshot_comes_again_as_an_event() -> AbstractContextManager[Any]:
    def subscribe(real: Any, self: EventLog, scope: Any, snapshot: Any) -> Subscription:
        records = tuple(snapshot)
        opened = real(self, scope, records)
        for record in records:
            opened.push(Event(None, record), CREATE_EVENT)
        return opened

    return around(EventLog, "subscribe", subscribe)


@mutant("WA-5")
def every_hundredth_event_is_lost() -> AbstractContextManager[Any]:
    counted = [0]

    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        counted[0] += 1
        if counted[0] % 100:
            real(self, event, kind)

    return around(Subscription, "push", push)


@mutant("WA-5")
def a_full_buffer_drops_its_oldest() -> AbstractContextManager[Any]:
    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        if len(self._queue) >= self._buffer:
            self._queue.popleft()
        real(self, event, kind)

    return around(Subscription, "push", push)


@mutant("WA-6")
def old_app_is_the_new_one() -> AbstractContextManager[Any]:
    return around(
        Event,
        "_encode",
        lambda real, self, kind: real(Event(self.new, self.new) if kind == UPDATE_EVENT else self, kind),
    )


@mutant("WA-7")
def a_created_again_app_is_an_update() -> AbstractContextManager[Any]:
    known: set[tuple[int, AppKey]] = set()

    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        if event.new is not None:
            again = (id(self), event.new.key) in known
            known.add((id(self), event.new.key))
            kind = UPDATE_EVENT if kind == CREATE_EVENT and again else kind
        real(self, event, kind)

    return around(Subscription, "push", push)


@mutant("WA-9")
def a_deletion_ends_the_stream() -> AbstractContextManager[Any]:
    def push(real: Any, self: Subscription, event: Event, kind: int) -> None:
        real(self, event, kind)
        if kind == DELETE_EVENT and self.scope is not None and self.scope[0] == "app":
            self.end(RpcError(Code.NOT_FOUND, "the app was deleted"))

    return around(Subscription, "push", push)


@mutant("WA-10")
def a_shutdown_is_internal() -> AbstractContextManager[Any]:
    return around(EventLog, "end", lambda real, self, error: real(self, RpcError(Code.INTERNAL, "bye")))


@mutant("HI-1")
def an_acknowledged_update_is_lost() -> AbstractContextManager[Any]:
    counted = [0]

    def update(real: Any, state: State, request: rpc.UpdateRequest) -> AppKey:
        counted[0] += 1
        return real(state, request) if counted[0] % 5 else AppKey.of(request.app.metadata.id)

    return around(writes, "update", update)


@mutant("HI-2")
def the_subdomain_is_random() -> AbstractContextManager[Any]:
    import secrets

    return patch.object(
        writes, "generated_subdomain", lambda seed, key, incarnation: f"{key.name.lower()}-{secrets.token_hex(4)}"
    )
