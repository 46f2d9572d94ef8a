"""What the backend keeps its apps in: the services of a cluster, who hears of their changes, and the time."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import App, Status

from flyteapps_fake.core.operations import CREATE_EVENT, DELETE_EVENT, UPDATE_EVENT
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.flyte_oss.services import Service, Services
from flyteapps_fake.flyte_oss.watch_hub import BUFFER, Informer, event_of


class Cluster:
    """The services of one plane; every change of one goes through `put` or `remove`."""

    def __init__(self, settings: Settings, timeline: Timeline) -> None:
        self.settings = settings
        self.timeline = timeline
        self.clock = timeline.clock
        self.agenda = timeline.agenda
        self.services = Services()
        self.streams = Informer(settings.watch_buffer or BUFFER, timeline.lock)

    def put(self, service: Service) -> None:
        """Stores a service, and tells of it; the clock has ticked for it."""
        kind = UPDATE_EVENT if self.services.get(service.resource) is not None else CREATE_EVENT
        self.services.put(service)
        self._tell(kind, service)

    def put_quietly(self, service: Service) -> None:
        """Stores what nobody is told of: what becomes of a revision is no change of its service."""
        self.services.put(service)

    def remove(self, service: Service) -> None:
        """Removes a service, and tells of it."""
        self.services.remove(service)
        self._tell(DELETE_EVENT, service)

    def app(self, service: Service) -> App:
        """The app as it is shown now."""
        return service.app(self.settings, self._now(service))

    def status(self, service: Service) -> Status:
        """Its status as it is shown now."""
        return service.status(self.settings, self._now(service))

    def shown(self, service: Service) -> bytes:
        """The encoded App as it is shown now."""
        return encode(self.app(service))

    def _now(self, service: Service) -> int:
        """The time of a look at it. A stopped app is stamped with it, and no two looks are at one time."""
        return self.clock.tick() if service.stopped else self.clock.now()

    def _tell(self, kind: int, service: Service) -> None:
        self.timeline.changed(service.resource)
        watching = self.streams.watching(service.name)
        if watching:
            event = event_of(kind, self.shown(service))
            for stream in watching:
                stream.feed(event)
