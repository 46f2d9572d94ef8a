"""The cluster under the backend: its services, the watchers of their changes, and the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flyteidl2.app.app_definition_pb2 import App, Status

from flyteapps_fake.core.operations import CREATE_EVENT, DELETE_EVENT, UPDATE_EVENT
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.state.sections import Entry
from flyteapps_fake.core.time.history import Change, History
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.flyte_oss.kubernetes.admission import Admission
from flyteapps_fake.flyte_oss.paging.pages import Pages
from flyteapps_fake.flyte_oss.services import Service, Services
from flyteapps_fake.flyte_oss.watch_hub import MAX_BUFFERED_EVENTS, WatchHub, event_of

FLYTE_OSS_SERVICES = "flyte_oss_services"
"""The section of the state that holds the services."""
FLYTE_OSS_CLUSTER = "flyte_oss_cluster"
"""The section of the state that holds the cluster's version, in its only piece, of the key ""."""


@dataclass(eq=False, slots=True)
class Since:
    """The time since a writer has read a service, at `at`, and what has happened to the service.

    `at_once`: it writes in the same moment. `moved`: the service has been written, `deleted`: it has been removed.
    """

    at: int
    at_once: bool = False
    moved: bool = False
    deleted: bool = False


class Cluster:
    """The services of one plane; every change of one goes through `put` or `remove`."""

    def __init__(self, settings: Settings, timeline: Timeline) -> None:
        self.settings = settings
        self.admission = Admission(settings.kubernetes, timeline.seed)
        self.timeline = timeline
        self.clock = timeline.clock
        self.timers = timeline.timers
        self.changes = timeline.changes
        self.services = Services()
        buffer = settings.watch_buffer or MAX_BUFFERED_EVENTS
        self.streams = WatchHub(buffer, timeline.lock, timeline.changes, timeline.seed)
        self.pages = Pages(settings.kubernetes, self.services)
        self.on_change: Callable[[Service | None, Service | None], None] | None = None
        """Receives each change of a service: what it was and what it became (None: absent)."""
        self.on_notice: Callable[[str, str], None] | None = None
        """Receives what no answer says: the name of an app and a message."""
        self._since: dict[str, dict[Since, None]] = {}
        """The writers that have read a service and haven't written it yet, by resource name."""
        self.history: History[str, Service] | None = None
        """The changes of the last while; None as long as no read needs them."""

    def begin(self, resource: str, since: Since) -> None:
        """Record what happens to a service, there or not, from now on."""
        self._since.setdefault(resource, {})[since] = None

    def end(self, resource: str, since: Since) -> None:
        """Record no longer what happens to a service."""
        writers = self._since.get(resource, {})
        writers.pop(since, None)
        if not writers:
            self._since.pop(resource, None)

    def moved(self, resource: str, *, deleted: bool = False) -> None:
        """Record that a service is written or removed, for the writers that have read it."""
        for since in self._since.get(resource, ()):
            since.moved = True
            since.deleted = since.deleted or deleted

    def shows(self, service: Service) -> bool:
        """Return whether the caller of the RPC that is being answered may see the service."""
        sees = self.streams.sees
        return sees is None or sees(service.project, service.domain)

    def put(self, service: Service) -> None:
        """Store a service and notify its watchers; the caller has ticked the clock."""
        self.moved(service.resource)
        kind = UPDATE_EVENT if self.services.get(service.resource) is not None else CREATE_EVENT
        self._store(service, silent=False)
        self._notify(kind, service)

    def put_without_event(self, service: Service) -> None:
        """Store a service without an event, as for a change of a revision, which is no change of its service."""
        self._store(service, silent=True)

    def put_unseen(self, service: Service) -> None:
        """Store a service in which nothing has changed that a client or the operator could see."""
        self.touch(service.resource)
        self.services.put(service)

    def touch(self, resource: str) -> None:
        """Record that a service, or what belongs to it, is about to change."""
        if self.changes.on:
            self.changes.touch(FLYTE_OSS_SERVICES, resource)

    def count(self, resource: str) -> None:
        """Count a change of a service, which is about to be made."""
        if self.changes.on:
            self.changes.touch(FLYTE_OSS_CLUSTER, "")
        self.pages.changed(resource, self.services.get(resource))

    def _store(self, service: Service, *, silent: bool) -> None:
        self.touch(service.resource)
        self.count(service.resource)
        self._keep(service.resource, self.services.get(service.resource), service, silent=silent)
        old = self.services.get(service.resource)
        if self.on_change is not None:
            self.on_change(old, service)
        self.services.put(service)
        before = old.shown_replicas if old is not None else 0
        if service.shown_replicas != before:
            self.timeline.usage.scaled(service.named(), before, service.shown_replicas)

    def _keep(self, resource: str, old: Service | None, new: Service | None, *, silent: bool = False) -> None:
        """Keep a change in the history, where there is one."""
        if self.history is not None:
            size = sum(len(each.spec) for each in (old, new) if each is not None)
            self.history.add(Change(self.clock.now(), resource, old, new, size, silent))

    def remove(self, service: Service) -> None:
        """Remove a service and notify its watchers."""
        self.touch(service.resource)
        self.moved(service.resource, deleted=True)
        self.count(service.resource)
        self._keep(service.resource, service, None)
        self.services.remove(service)
        self.timeline.usage.forget(service.named())
        if self.on_change is not None:
            self.on_change(service, None)
        self._notify(DELETE_EVENT, service)

    def restored(self, entries: Sequence[Entry]) -> None:
        """Go on from another state, in which these pieces differ.

        One in which services are gone at the same version, as after a reset of a project, is another version.
        """
        self.pages.restored()
        services = [str(entry.key) for entry in entries if entry.section == FLYTE_OSS_SERVICES]
        same_version = all(entry.section != FLYTE_OSS_CLUSTER for entry in entries)
        gone = any(self.services.get(resource) is None for resource in services)
        if same_version and (gone or (len(self.services) and not self.pages.version)):
            self.count("")

    def app(self, service: Service) -> App:
        """Return the app as it is shown now."""
        return service.app(self.settings, self._now(service))

    def status(self, service: Service) -> Status:
        """Return the app's status as it is shown now."""
        return service.status(self.settings, self._now(service))

    def encoded(self, service: Service) -> bytes:
        """Return the encoded App as it is shown now."""
        return encode(self.app(service))

    def encoder(self, service: Service) -> Callable[[], bytes]:
        """Return a function that returns the encoded App as it is shown now, whenever it is called."""
        now = self._now(service)
        return lambda: encode(service.app(self.settings, now))

    def _now(self, service: Service) -> int:
        """Return the time of a read. A stopped app is stamped with it, so each read of one has its own time."""
        return self.clock.tick() if service.stopped else self.clock.now()

    def _notify(self, kind: int, service: Service) -> None:
        self.timeline.changed(service.resource)
        watching = self.streams.watching(service.shown_name)
        if watching:
            event = event_of(kind, self.encoded(service))
            for stream in watching:
                if stream.sees is None or stream.sees(service.project, service.domain):
                    stream.feed(event, self.timeline.causes.current)
