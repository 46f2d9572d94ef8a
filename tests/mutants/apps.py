"""Wrong planes: identity, Create, Get, Update, Delete."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import Any
from unittest.mock import patch

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common.identity_pb2 import EnrichedIdentity

from flyteapps_fake.core.call import Identity
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import PENDING, STOPPED
from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.time.timers import TimerQueue
from flyteapps_fake.standard import ingress, reads, writes
from flyteapps_fake.standard.apps import AppKey
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.ingress import Hosts
from flyteapps_fake.standard.organization import Organization
from flyteapps_fake.standard.simulation.reactor import Reactor
from flyteapps_fake.standard.simulation.runs import Run

from .planting import around, at_create, at_update, draft_of, mutant


@mutant("ID-1")
def names_ignore_case() -> AbstractContextManager[Any]:
    of = AppKey.of
    return patch.object(AppKey, "of", lambda app_id: of(app_id)._replace(name=app_id.name.lower()))


@mutant("ID-1")
def another_org_is_taken_in() -> AbstractContextManager[Any]:
    return patch.object(Organization, "require", lambda self, org: None)


@mutant("ID-2")
def rules_are_not_checked() -> AbstractContextManager[Any]:
    return patch("flyteapps_fake.standard.dialect.check", lambda request: None)


@mutant("ID-4")
def the_creator_stays_empty() -> AbstractContextManager[Any]:
    return patch.object(Identity, "enriched", lambda self: EnrichedIdentity())


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
        if state.next_incarnation(AppKey.of(request.app.metadata.id)) > 1:
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


@mutant("CR-6")
def long_subdomains_are_cut_in_urls() -> AbstractContextManager[Any]:
    return around(Hosts, "url", lambda real, self, subdomain: real(self, subdomain[:40]))


@mutant("GE-1")
def an_absent_app_is_empty() -> AbstractContextManager[Any]:
    def call(real: Any, self: Plane, call: Any) -> bytes:
        try:
            return real(self, call)
        except RpcError as error:
            if error.code is Code.NOT_FOUND and isinstance(call.request, rpc.GetRequest):
                return b""
            raise

    return around(Plane, "call", call)


@mutant("GE-2")
def urls_are_case_sensitive() -> AbstractContextManager[Any]:
    return around(Hosts, "_owner_of_url", lambda real, self, url: real(self, url) if url == url.lower() else None)


@mutant("GE-2")
def what_is_under_a_url_leads_nowhere() -> AbstractContextManager[Any]:
    return around(Hosts, "_owner_of_url", lambda real, self, url: real(self, url) if not url.endswith("/b") else None)


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
    schedule = TimerQueue.schedule

    def schedule_all(self: TimerQueue, due: int, owner: Any, *kind: Any, **options: bool) -> None:
        schedule(self, due, (owner, next(numbers)), *kind, **options)

    def step_due(real: Any, self: Reactor, timer: Any) -> None:
        real(self, timer._replace(owner=timer.owner[0]))

    def scale_down(real: Any, self: Reactor, timer: Any) -> None:
        real(self, timer._replace(owner=timer.owner[0]))

    def take_step(real: Any, self: Reactor, *arguments: Any) -> None:
        with suppress(RpcError):
            real(self, *arguments)

    both = ExitStack()
    both.enter_context(patch.object(TimerQueue, "schedule", schedule_all))
    both.enter_context(around(Reactor, "_step_due", step_due))
    both.enter_context(around(Reactor, "_scale_down", scale_down))
    both.enter_context(patch.object(Reactor, "_run_of", lambda self, key, *revision: self._runs.get(key)))
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
        with patch.object(writes, "should_run", lambda state: False):
            return real(state, request)

    return around(writes, "delete", delete)


@mutant("DE-3")
def a_deleted_app_stays_listed() -> AbstractContextManager[Any]:
    gone: dict[int, list[bytes]] = {}

    def delete(real: Any, state: State, request: rpc.DeleteRequest) -> AppKey:
        gone.setdefault(id(state.store), []).append(state.require(AppKey.of(request.app_id)).encoded)
        return real(state, request)

    def list_apps(real: Any, store: Any, *arguments: Any) -> Any:
        encoded, page = real(store, *arguments)
        answer = rpc.ListResponse.FromString(encoded)
        answer.apps.extend(model.App.FromString(each) for each in gone.get(id(store), ()))
        return answer.SerializeToString(), page

    both = ExitStack()
    both.enter_context(around(reads, "list_apps", list_apps))
    both.enter_context(around(writes, "delete", delete))
    return both


@mutant("UP-2")
def an_update_takes_the_creator() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App) -> None:
        app.spec.creator.user.id.subject = "the last writer"

    return at_update(change)


@mutant("UP-2")
def an_update_loses_the_ingress() -> AbstractContextManager[Any]:
    return at_update(lambda app, old: app.spec.ClearField("ingress"))


@mutant("UP-2")
def a_revision_comes_twice() -> AbstractContextManager[Any]:
    def change(app: model.App, old: model.App) -> None:
        if app.metadata.revision == 3:
            app.metadata.revision = 2

    return at_update(change)


@mutant("UP-3")
def a_conflict_is_half_an_update() -> AbstractContextManager[Any]:
    def update(real: Any, state: State, request: rpc.UpdateRequest) -> AppKey:
        try:
            return real(state, request)
        except RpcError as error:
            old = state.store.get(AppKey.of(request.app.metadata.id))
            if error.code is Code.ABORTED and "moved on" in error.message and old is not None:
                app = old.parse()
                app.metadata.labels["touched"] = "by a conflict"
                state.clock.tick()
                state.commit(draft_of(old, app))
            raise

    return around(writes, "update", update)


@mutant("CR-5")
def a_created_again_app_goes_on_counting() -> AbstractContextManager[Any]:
    def create(real: Any, state: State, request: rpc.CreateRequest) -> AppKey:
        again = state.next_incarnation(AppKey.of(request.app.metadata.id)) > 1
        with at_create(lambda app: setattr(app.metadata, "revision", 2)) if again else nullcontext():
            return real(state, request)

    return around(writes, "create", create)


@mutant("DE-2")
def a_stopped_app_can_not_be_deleted() -> AbstractContextManager[Any]:
    def delete(real: Any, state: State, request: rpc.DeleteRequest) -> AppKey:
        if state.require(AppKey.of(request.app_id)).status == STOPPED:
            raise RpcError(Code.FAILED_PRECONDITION, "it is stopped")
        return real(state, request)

    return around(writes, "delete", delete)
