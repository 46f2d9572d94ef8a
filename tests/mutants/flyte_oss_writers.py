"""Wrong planes of the dialect `flyte-oss`: writers at once of one app that are answered, or end, otherwise."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the dialect's own functions do, whose types stand there.

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.flyte_oss import names
from flyteapps_fake.flyte_oss.writes import Writes

from .planting import around, mutant

Planted = AbstractContextManager[Any]


def at_refusal(word: str, act: Callable[[Writes, App, RpcError], RpcError]) -> Planted:
    """Refuse a Create or Update, whose refusal has that word, with what `act` returns, which may do something first."""

    def deploy(real: Any, self: Writes, app: App) -> Any:
        try:
            return (yield from real(self, app))
        except RpcError as error:
            raise (act(self, app, error) if word in error.message else error) from None

    return around(Writes, "_deploy", deploy)


def stored_all_the_same(self: Writes, app: App, error: RpcError) -> RpcError:
    """Store the spec of a write that is refused."""
    service = self._cluster.services.get(names.resource_name(app.metadata.id))
    if service is not None:
        self._cluster.put(replace(service, spec=encode(app.spec)))
    return error


def shown_all_the_same(self: Writes, app: App, error: RpcError) -> RpcError:
    """Send the event of a write that is refused, and leave the service as it is."""
    service = self._cluster.services.get(names.resource_name(app.metadata.id))
    if service is not None:
        self._cluster._notify(2, replace(service, spec=encode(app.spec)))
    return error


def aborted(self: Writes, app: App, error: RpcError) -> RpcError:
    """Refuse a conflict as the documented API does."""
    return RpcError(Code.ABORTED, error.message)


def already_exists(self: Writes, app: App, error: RpcError) -> RpcError:
    """Refuse a Create of what is there as the documented API does."""
    return RpcError(Code.ALREADY_EXISTS, error.message)


def internal(self: Writes, app: App, error: RpcError) -> RpcError:
    """Refuse in other words."""
    return RpcError(Code.INTERNAL, "please try again")


@mutant("OSS-18")
def a_conflict_is_aborted() -> Planted:
    return at_refusal("has been modified", aborted)


@mutant("OSS-18")
def a_conflicting_update_is_stored() -> Planted:
    return at_refusal("has been modified", stored_all_the_same)


@mutant("OSS-18")
def a_conflicting_update_is_shown() -> Planted:
    return at_refusal("has been modified", shown_all_the_same)


@mutant("OSS-18")
def of_racing_writers_none_is_taken() -> Planted:
    """A write that another one has begun beside is refused, also where it is the first to end."""

    def deploy(real: Any, self: Writes, app: App) -> Any:
        resource = names.resource_name(app.metadata.id)
        beside = len(self._cluster._since.get(resource, ()))
        inner, sent = real(self, app), None
        try:
            while True:
                step = inner.send(sent)
                sent = yield step
                beside = max(beside, len(self._cluster._since.get(resource, ())) - 1)
                if beside > 0 and self._cluster.services.get(resource) is not None:
                    sent.moved = True
        except StopIteration as done:
            return done.value

    return around(Writes, "_deploy", deploy)


@mutant("OSS-39")
def a_create_of_what_came_meanwhile_is_already_exists() -> Planted:
    return at_refusal("already exists", already_exists)


@mutant("OSS-39")
def a_create_of_what_came_meanwhile_is_stored() -> Planted:
    return at_refusal("already exists", stored_all_the_same)


@mutant("OSS-40")
def a_write_of_what_is_gone_speaks_other_words() -> Planted:
    return at_refusal('" not found', internal)


@mutant("OSS-40")
def a_write_of_what_is_gone_shows_it_once_more() -> Planted:
    def act(self: Writes, app: App, error: RpcError) -> RpcError:
        from flyteapps_fake.flyte_oss.services import Service

        app_id = app.metadata.id
        service = Service(
            resource=names.resource_name(app_id),
            org=app_id.org,
            project=app_id.project,
            domain=app_id.domain,
            name=app_id.name,
            spec=encode(app.spec),
            stopped=False,
            generation=1,
        )
        self._cluster.put(service)
        return error

    return at_refusal('" not found', act)


@mutant("OSS-41")
def a_stop_has_a_condition() -> Planted:
    def stop(real: Any, self: Writes, resource: str) -> Any:
        inner, since = real(self, resource), None
        try:
            while True:
                since = yield inner.send(since)
                if since.moved:
                    raise RpcError(Code.INTERNAL, f"failed to patch KService {resource} to stop: it has been modified")
        except StopIteration as done:
            return done.value

    return around(Writes, "_stop", stop)


@mutant("OSS-41")
def a_deletion_has_a_condition() -> Planted:
    def delete(real: Any, self: Writes, request: Any) -> Any:
        inner, since = real(self, request), None
        try:
            while True:
                since = yield inner.send(since)
                if since.moved:
                    raise RpcError(Code.INTERNAL, "failed to delete KService: it has been modified")
        except StopIteration as done:
            return done.value

    return around(Writes, "delete", delete)
