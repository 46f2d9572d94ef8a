"""Planes with one elementary bug each, as a link around the stand-in's: whatever a check does, it meets the bug."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import list_pb2
from google.protobuf.message import Message

from flyteapps_contract.outcomes import Refused
from flyteapps_contract.session import SERVICE, STOPPED, last_status
from flyteapps_contract.targets.planes import InProcess, PlanesTarget
from flyteapps_contract.targets.target import CALL_SECONDS, Link, QueueStream

from . import standins

Send = Callable[[], Message]
SLOW_SECONDS = 0.3


class TroubledLink(Link):
    """A link that does with each call what the plane behind it does; bugs override the method of their call."""

    def __init__(self, link: Link) -> None:
        self.wire = link.wire
        self.opens_at_once = link.opens_at_once
        self._link = link

    def unary(self, service: str, method: str, request: Message, response: type[Message], seconds: float) -> Message:
        """Return one call, with the bug in it."""

        def send() -> Message:
            return self._link.unary(service, method, request, response, seconds)

        return self.troubled(request, send) if response.DESCRIPTOR.file.package == "flyteidl2.app" else send()

    def troubled(self, request: Message, send: Send) -> Message:
        """Return the answer to a call of AppService."""
        return send()

    def stream(self, service: str, method: str, request: Message, response: type[Message]) -> QueueStream:
        """Return an open server stream."""
        return self._link.stream(service, method, request, response)

    def close(self) -> None:
        """End what is open."""
        self._link.close()

    def app(self, app_id: model.Identifier) -> model.App | None:
        """Return the app as it is, None where there is none."""
        try:
            answer = self._link.unary(SERVICE, "Get", rpc.GetRequest(app_id=app_id), rpc.GetResponse, CALL_SECONDS)
        except Refused:
            return None
        assert isinstance(answer, rpc.GetResponse)
        return answer.app


class LabelUpdatesAreAborted(TroubledLink):
    """An Update that changes labels alone is ABORTED."""

    def troubled(self, request: Message, send: Send) -> Message:
        old = self.app(request.app.metadata.id) if isinstance(request, rpc.UpdateRequest) else None
        if old is not None and isinstance(request, rpc.UpdateRequest):
            labels_differ = old.metadata.labels != request.app.metadata.labels
            if labels_differ and old.spec == request.app.spec:
                raise Refused("ABORTED", "the app has been changed meanwhile")
        return send()


class ListIsEmpty(TroubledLink):
    """List shows no app that was created since the plane began, as from an index that is never written."""

    def troubled(self, request: Message, send: Send) -> Message:
        return rpc.ListResponse() if isinstance(request, rpc.ListRequest) else send()


class ListLacksNewApps(TroubledLink):
    """List shows an app from its first update on."""

    def troubled(self, request: Message, send: Send) -> Message:
        answer = send()
        if isinstance(answer, rpc.ListResponse):
            kept = [app for app in answer.apps if app.metadata.revision > 1]
            del answer.apps[:]
            answer.apps.extend(kept)
        return answer


class StoppedAppsAreNotFound(TroubledLink):
    """Get of an app that is STOPPED is NOT_FOUND."""

    def troubled(self, request: Message, send: Send) -> Message:
        answer = send()
        if isinstance(answer, rpc.GetResponse) and last_status(answer.app) == STOPPED:
            raise Refused("NOT_FOUND", "there is no such app")
        return answer


class EachThirdDeleteIsUnavailable(TroubledLink):
    """Each third Delete is UNAVAILABLE, and deletes nothing."""

    numbers = count(1)

    def troubled(self, request: Message, send: Send) -> Message:
        if isinstance(request, rpc.DeleteRequest) and not next(self.numbers) % 3:
            raise Refused("UNAVAILABLE", "try again")
        return send()


class PagesRepeatTheLastApp(TroubledLink):
    """A page begins with the app that the page before ended with."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._last: dict[str, model.App] = {}

    def troubled(self, request: Message, send: Send) -> Message:
        answer = send()
        if isinstance(request, rpc.ListRequest) and isinstance(answer, rpc.ListResponse):
            if (last := self._last.get(request.request.token)) is not None:
                apps = [last, *answer.apps]
                del answer.apps[:]
                answer.apps.extend(apps)
            if answer.token and answer.apps:
                self._last[answer.token] = answer.apps[-1]
        return answer


class UpdateAnswersWithTheOldApp(TroubledLink):
    """An Update is carried out, but answered with the app as it was before."""

    def troubled(self, request: Message, send: Send) -> Message:
        old = self.app(request.app.metadata.id) if isinstance(request, rpc.UpdateRequest) else None
        answer = send()
        if old is not None and isinstance(answer, rpc.UpdateResponse):
            answer.app.CopyFrom(old)
        return answer


class CreateIsSlow(TroubledLink):
    """A Create takes long: that breaks nothing."""

    def troubled(self, request: Message, send: Send) -> Message:
        if isinstance(request, rpc.CreateRequest):
            time.sleep(SLOW_SECONDS)
        return send()


class WatchesHaveNoSnapshot(TroubledLink):
    """A Watch shows no app that was there when it opened, until the app is written."""

    def stream(self, service: str, method: str, request: Message, response: type[Message]) -> QueueStream:
        """Return an open server stream, a Watch without its snapshot."""
        stream = self._link.stream(service, method, request, response)
        if not isinstance(request, rpc.WatchRequest) or response is not rpc.WatchResponse:
            return stream
        return WithoutSnapshot(stream, self._there(request))

    def _there(self, request: rpc.WatchRequest) -> list[model.App]:
        query = rpc.ListRequest(request=list_pb2.ListRequest(limit=1000))
        match request.WhichOneof("target"):
            case "app_id":
                app = self.app(request.app_id)
                return [app] if app is not None else []
            case "project":
                query.project.CopyFrom(request.project)
            case "cluster_id":
                query.cluster_id.CopyFrom(request.cluster_id)
            case _:
                query.org = request.org
        try:
            page = self._link.unary(SERVICE, "List", query, rpc.ListResponse, CALL_SECONDS)
        except Refused:
            return []
        assert isinstance(page, rpc.ListResponse)
        return list(page.apps)


class WithoutSnapshot(QueueStream):
    """A stream that leaves out the first event of each app that was there, where that is a creation."""

    def __init__(self, stream: QueueStream, there: list[model.App]) -> None:
        super().__init__(stream.close)
        self._stream = stream
        self._there = [app.metadata.id for app in there]
        self._lock = threading.Lock()

    def next(self, seconds: float) -> Message | None:
        """Return the next message but those left out, None where none came in time."""
        deadline = time.monotonic() + seconds
        while (message := self._stream.next(max(deadline - time.monotonic(), 0.0))) is not None:
            assert isinstance(message, rpc.WatchResponse)
            app_id = message.create_event.app.metadata.id
            with self._lock:
                if not message.HasField("create_event") or app_id not in self._there:
                    return message
                self._there.remove(app_id)
        return None

    def pause(self) -> None:
        """Pause the stream itself."""
        self._stream.pause()

    def resume(self) -> None:
        """Resume the stream itself."""
        self._stream.resume()


def planes(trouble: Callable[[Link], Link]) -> PlanesTarget:
    """Return planes in this process whose links have that bug."""
    target = standins.in_process()
    connect = target.connect

    def troubled(plane: InProcess, stack: ExitStack) -> Link:
        return trouble(connect(plane, stack))

    target.connect = troubled
    return target
