"""The sections of the state of a plane of the standard dialect: its apps, the ids of deleted ones, and the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple, Protocol

from flyteapps_control.v1 import state_pb2 as pb
from flyteapps_fake.core.state.sections import Section
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.standard.apps import AppKey
from flyteapps_fake.standard.commits import DELETED_IDS, STANDARD_APPS, STANDARD_PLANE, State, project_digest
from flyteapps_fake.standard.operators.waiting import lease_timer
from flyteapps_fake.standard.simulation.reactor import SimulatedApp
from flyteapps_fake.standard.state.app_checks import check_apps
from flyteapps_fake.standard.state.app_messages import AppImage, app_image, app_message


class OwnApps(Protocol):
    """The plane's own cluster, as far as it has apps."""

    def image(self, key: AppKey) -> SimulatedApp:
        """Return an immutable picture of what the cluster has of an app."""
        ...

    def put(self, key: AppKey, image: SimulatedApp) -> None:
        """Replace what the cluster has of an app."""
        ...

    def put_new(self, key: AppKey, image: SimulatedApp) -> None:
        """Put what the cluster has of an app, of which it has nothing; it takes the image over."""
        ...


class Apps(Section):
    """The apps. `own`: the plane's own cluster, None where there is none."""

    name: ClassVar[str] = STANDARD_APPS

    def __init__(self, state: State, own: OwnApps | None) -> None:
        self._state = state
        self._own = own

    def keys(self) -> Iterable[AppKey]:
        return [record.key for record in self._state.store.members(("org",))]

    def image(self, key: AppKey) -> AppImage | None:
        state = self._state
        record = state.store.get(key)
        if record is None:
            return None
        timers = tuple(timer for owner in (key, lease_timer(key)) if (timer := state.timers.get(owner)) is not None)
        simulated = self._own.image(key) if self._own is not None else SimulatedApp()
        return AppImage(record, state.hosts.of(key), state.replicas.image(key), timers, simulated)

    def put(self, key: AppKey, image: AppImage | None) -> None:
        state = self._state
        old, new = state.store.get(key), image.record if image is not None else None
        if old is not new:
            state.store.put(old, new)
            state.waiting.put(old, new)
        state.hosts.put(key, image.hosts if image is not None else None)
        state.replicas.put(key, image.lives if image is not None else None)
        lease = lease_timer(key)
        own: dict[object, Timer] = {timer.owner: timer for timer in image.timers} if image is not None else {}
        state.timers.put(key, own.get(key))
        state.timers.put(lease, own.get(lease))
        if self._own is not None:
            self._own.put(key, image.simulated if image is not None else SimulatedApp())

    def put_new(self, images: Mapping[AppKey, AppImage]) -> None:
        state, own = self._state, self._own
        state.store.add_all(image.record for image in images.values())
        state.timers.put_new({timer.owner: timer for image in images.values() for timer in image.timers})
        for key, image in images.items():
            state.waiting.put(None, image.record)
            state.hosts.put(key, image.hosts)
            state.replicas.put(key, image.lives)
            if own is not None:
                own.put_new(key, image.simulated)

    def encode(self, key: AppKey, image: AppImage) -> pb.StandardApp:
        return app_message(key, image)

    def decode(self, message: pb.StandardApp) -> tuple[AppKey, AppImage]:
        self._state.organization.check(message.org)
        return app_image(message, self._state.seed)

    def check(self, pieces: Mapping[AppKey, AppImage]) -> None:
        check_apps(pieces)

    def stored_key(self, key: AppKey) -> bytes:
        return json.dumps(key, separators=(",", ":"), ensure_ascii=False).encode()

    def project_of(self, key: AppKey) -> str:
        return key.project


class DeletedIds(Section):
    """The ids of deleted apps, by their digests."""

    name: ClassVar[str] = DELETED_IDS

    def __init__(self, state: State) -> None:
        self._state = state

    def keys(self) -> Iterable[bytes]:
        return list(self._state.deleted)

    def image(self, key: bytes) -> int | None:
        return self._state.deleted.get(key)

    def put(self, key: bytes, image: int | None) -> None:
        self._state.deleted.pop(key, None)
        if image is not None:
            self._state.deleted[key] = image

    def encode(self, key: bytes, image: int) -> pb.DeletedIds:
        return pb.DeletedIds(digest=key, incarnation=image)

    def decode(self, message: pb.DeletedIds) -> tuple[bytes, int]:
        return message.digest, message.incarnation

    def stored_key(self, key: bytes) -> bytes:
        return key

    def within(self, project: str) -> list[bytes]:
        prefix = project_digest(project)
        return [key for key in self._state.deleted if key.startswith(prefix)]


class PlaneImage(NamedTuple):
    """The pieces of a plane that are no apps: its org, and what it knows of clusters."""

    org: str
    clusters: tuple[str, ...]
    lapses: tuple[tuple[str, int], ...]


class Rest(Section):
    """The pieces of the plane that are no apps."""

    name: ClassVar[str] = STANDARD_PLANE

    def __init__(self, state: State) -> None:
        self._state = state

    def keys(self) -> Iterable[str]:
        return [""]

    def image(self, key: str) -> PlaneImage:
        pools = self._state.pools
        lapses = tuple(pools.lapse_counts.items())
        return PlaneImage(self._state.organization.decided, tuple(pools.come_clusters), lapses)

    def put(self, key: str, image: PlaneImage | None) -> None:
        org, clusters, lapses = image or PlaneImage("", (), ())
        self._state.organization.decide(org)
        pools = self._state.pools
        pools.come_clusters, pools.lapse_counts = dict.fromkeys(clusters), dict(lapses)

    def encode(self, key: str, image: PlaneImage) -> pb.StandardPlane:
        return pb.StandardPlane(org=image.org, clusters=image.clusters, lapses=dict(image.lapses))

    def decode(self, message: pb.StandardPlane) -> tuple[str, PlaneImage]:
        return "", PlaneImage(message.org, tuple(message.clusters), tuple(message.lapses.items()))

    def stored_key(self, key: str) -> bytes:
        return b""
