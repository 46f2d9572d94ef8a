"""A stranger's plane: a dict behind grpcio, nothing of this project in it. What it gets wrong is written where it does.

It keeps: ids, Create and Get by id, NOT_FOUND, plain Watches. It has no rules, no revisions to check, no states to
speak of, no filters, no pages, and one thread for each stream.
"""

from __future__ import annotations

# ruff: noqa: N802  # the RPCs are the methods
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app import app_service_pb2_grpc

Key = tuple[str, str, str]


class NaivePlane(app_service_pb2_grpc.AppServiceServicer):
    """All state in one dict; every watcher has a queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._apps: dict[Key, model.App] = {}
        self._queues: list[tuple[rpc.WatchRequest, queue.Queue[rpc.WatchResponse]]] = []
        self._ticks = 0

    def Create(self, request: rpc.CreateRequest, context: Any) -> rpc.CreateResponse:
        """Accept any id (ID-2), keep the status of the client (CR-1), and allow any host twice (CR-6)."""
        with self._lock:
            if _key(request.app.metadata.id) in self._apps:
                _refuse(context, grpc.StatusCode.ALREADY_EXISTS, "it exists")
            app = _copy(request.app)
            app.metadata.id.org = app.metadata.id.org or "flyte"
            app.metadata.revision = 1
            if not app.spec.ingress.ByteSize():
                app.spec.ingress.subdomain = app.metadata.id.name.lower()
            if not app.spec.creator.WhichOneof("principal"):
                app.spec.creator.user.id.subject = "somebody"
            app.status.created_at.nanos = self._tick()
            app.status.conditions.add(deployment_status=model.Status.DEPLOYMENT_STATUS_ACTIVE)  # CR-4
            self._apps[_key(app.metadata.id)] = app
            self._tell(rpc.WatchResponse(create_event=rpc.CreateEvent(app=app)), app)
            return rpc.CreateResponse(app=app)

    def Get(self, request: rpc.GetRequest, context: Any) -> rpc.GetResponse:
        """Return the app by id alone (GE-2)."""
        with self._lock:
            return rpc.GetResponse(app=self._require(request.app_id, context))

    def Update(self, request: rpc.UpdateRequest, context: Any) -> rpc.UpdateResponse:
        """Accept any revision (UP-3), also without a change (UP-4), and add no condition (UP-5, UP-6)."""
        with self._lock:
            old = self._require(request.app.metadata.id, context)
            app = _copy(request.app)
            app.metadata.id.CopyFrom(old.metadata.id)
            app.metadata.revision = old.metadata.revision + 1
            app.status.CopyFrom(old.status)
            self._apps[_key(app.metadata.id)] = app
            self._tell(rpc.WatchResponse(update_event=rpc.UpdateEvent(updated_app=app)), app)  # WA-6: no old_app
            return rpc.UpdateResponse(app=app)

    def Delete(self, request: rpc.DeleteRequest, context: Any) -> rpc.DeleteResponse:
        """Delete the app, running or not (DE-2)."""
        with self._lock:
            app = self._require(request.app_id, context)
            del self._apps[_key(request.app_id)]
            self._tell(rpc.WatchResponse(delete_event=rpc.DeleteEvent(app=app)), app)
            return rpc.DeleteResponse()

    def List(self, request: rpc.ListRequest, context: Any) -> rpc.ListResponse:
        """Return all: no filter (LI-2), no order but that of creation (LI-3), no page (LI-4), no count (LI-5)."""
        with self._lock:
            apps = [app for app in self._apps.values() if _in_project(request, app)]
            return rpc.ListResponse(apps=apps)

    def Watch(self, request: rpc.WatchRequest, context: Any) -> Iterator[rpc.WatchResponse]:
        """Return the snapshot, then what happens."""
        events: queue.Queue[rpc.WatchResponse] = queue.Queue()
        with self._lock:
            for app in self._apps.values():
                if _watched(request, app):
                    events.put(rpc.WatchResponse(create_event=rpc.CreateEvent(app=app)))
            self._queues.append((request, events))
        context.add_callback(lambda: events.put(rpc.WatchResponse()))
        while True:
            event = events.get()
            if not context.is_active():
                return
            yield event

    def _require(self, app_id: model.Identifier, context: Any) -> model.App:
        app = self._apps.get(_key(app_id))
        if app is None:
            _refuse(context, grpc.StatusCode.NOT_FOUND, "there is no such app")
        return app

    def _tell(self, event: rpc.WatchResponse, app: model.App) -> None:
        for request, events in self._queues:
            if _watched(request, app):
                events.put(event)

    def _tick(self) -> int:
        self._ticks += 1_000
        return self._ticks


def _key(app_id: model.Identifier) -> Key:
    return (app_id.project, app_id.domain, app_id.name)


def _copy(app: model.App) -> model.App:
    own = model.App()
    own.CopyFrom(app)
    return own


def _in_project(request: rpc.ListRequest | rpc.WatchRequest, app: model.App) -> bool:
    wanted, app_id = request.project, app.metadata.id
    return not request.HasField("project") or (wanted.name, wanted.domain) == (app_id.project, app_id.domain)


def _watched(request: rpc.WatchRequest, app: model.App) -> bool:
    if request.HasField("app_id"):
        return _key(request.app_id) == _key(app.metadata.id)
    return _in_project(request, app)


def _refuse(context: Any, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, message)
    raise AssertionError("abort raises")


class NaiveServer:
    """The plane behind a port of the loopback."""

    def __init__(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(64), options=(("grpc.so_reuseport", 0),))
        app_service_pb2_grpc.add_AppServiceServicer_to_server(NaivePlane(), self._server)
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self) -> None:
        """End it."""
        self._server.stop(0).wait(10)
