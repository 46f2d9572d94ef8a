"""Get, List and Watch as they would have been answered some time ago, for the faults of the control API.

The services of then are those of now, with the later changes undone. The cache of Get has no part in it.
"""

from __future__ import annotations

from functools import partial

from flyteidl2.app.app_payload_pb2 import GetRequest, ListRequest, WatchRequest

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import CREATE_EVENT, DELETE_EVENT, UPDATE_EVENT
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.core.time.history import Change, undone
from flyteapps_fake.flyte_oss.cluster import Cluster
from flyteapps_fake.flyte_oss.names import resource_name
from flyteapps_fake.flyte_oss.reads import list_services, matching, watched_id
from flyteapps_fake.flyte_oss.services import Service, Services
from flyteapps_fake.flyte_oss.watch_hub import Subscription, event_of
from flyteapps_fake.flyte_oss.writes import check_name, found


class Past:
    """The services of a plane as they were `age` nanoseconds ago."""

    def __init__(self, cluster: Cluster, age: int) -> None:
        self._cluster = cluster
        self._age = age
        self._then = cluster.clock.now() - age
        self._changes = cluster.history.after(self._then) if cluster.history is not None else []
        self._undone = undone(self._changes)

    def get(self, request: GetRequest) -> bytes:
        """Return the encoded App. Raises RpcError."""
        if not request.HasField("app_id"):
            raise RpcError(Code.INVALID_ARGUMENT, "app_id is required")
        resource = resource_name(request.app_id)
        check_name(self._cluster, f"failed to get KService {resource}", resource)
        self._read(resource)
        change = self._undone.get(resource)
        service = change.old if change is not None else self._cluster.services.get(resource)
        return self._shown(found(resource, service), self._then)

    def list_(self, request: ListRequest) -> bytes:
        """Return the encoded ListResponse."""
        for resource in self._undone:
            self._read(resource)

        def shown(service: Service) -> bytes:
            if service.resource not in self._undone:
                self._read(service.resource)
            return self._shown(service, self._then)

        return list_services(self._cluster, self._services(), request, shown)

    def watch(self, request: WatchRequest) -> Subscription:
        """Return a subscription that begins with the apps of then, and the events since."""
        app_id = watched_id(request)
        shows = self._cluster.shows
        present = [each for each in matching(self._cluster, self._services(), app_id) if shows(each)]
        snapshot = [partial(self._shown, each, self._then) for each in present]
        changes = [each for each in self._changes if not each.silent and _name(each) == app_id.name]
        since = [self._event(each) for each in changes if shows(_service_of(each))]
        return self._cluster.streams.subscribe(app_id.name, snapshot, (), since)

    def _event(self, change: Change[str, Service]) -> bytes:
        service = _service_of(change)
        kind = DELETE_EVENT if change.new is None else UPDATE_EVENT if change.old is not None else CREATE_EVENT
        return event_of(kind, self._shown(service, change.at))

    def _services(self) -> Services:
        """Return the services of then."""
        present = self._cluster.services
        if not self._undone:
            return present
        services = Services()
        for service in present.listed("", ""):
            if service.resource not in self._undone:
                services.put(service)
        for change in self._undone.values():
            if change.old is not None:
                services.put(change.old)
        return services

    def _shown(self, service: Service, at: int) -> bytes:
        return encode(service.app(self._cluster.settings, at))

    def _read(self, resource: str) -> None:
        """Record the read of a service."""
        timeline = self._cluster.timeline
        timeline.read_late(resource)
        change = self._undone.get(resource)
        if change is not None:
            timeline.read_past(resource, change.at + self._age)


def _service_of(change: Change[str, Service]) -> Service:
    service = change.new or change.old
    assert service is not None
    return service


def _name(change: Change[str, Service]) -> str:
    """Return the bare name of the app that changed."""
    return _service_of(change).shown_name
