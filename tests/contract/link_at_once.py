"""A link to a stand-in of this process over a port: a stream is open once the call returns, and its snapshot is here.

Else a busy machine would let time pass at the plane before it shows how an app was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, cast

import grpc
from flyteidl2.app.app_payload_pb2 import ListRequest, ListResponse, WatchRequest
from flyteidl2.app.app_service_connect import AppServiceClient
from flyteidl2.common.identifier_pb2 import ProjectIdentifier
from google.protobuf.message import Message

from flyteapps_contract.session import SERVICE
from flyteapps_contract.streams import PATIENCE
from flyteapps_contract.targets.connect import ConnectLink
from flyteapps_contract.targets.grpc_channel import GrpcLink
from flyteapps_contract.targets.target import Link, QueueStream
from flyteapps_contract.targets.wire import Wire
from flyteapps_fake import FakeControlPlane

LOOK = 0.002


def _await(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached() and time.monotonic() < deadline:
        time.sleep(LOOK)


class LinkAtOnce(Link):
    """Calls of the plane's own server, over Connect or gRPC; raw HTTP goes to the same server."""

    opens_at_once = True

    def __init__(self, plane: FakeControlPlane, protocol: Literal["Connect", "gRPC"]) -> None:
        server = plane.serve()
        self._plane = plane
        self._streams: list[QueueStream] = []
        self._link = (
            GrpcLink(grpc.insecure_channel(server.grpc_target))
            if protocol == "gRPC"
            else ConnectLink(AppServiceClient(server.url))
        )
        self.wire = Wire(server.url.removeprefix("http://"))

    def unary(self, service: str, method: str, request: Message, response: type[Message], seconds: float) -> Message:
        """Return one call. Raises Refused."""
        return self._link.unary(service, method, request, response, seconds)

    def stream(self, service: str, method: str, request: Message, response: type[Message]) -> QueueStream:
        """Return a server stream that the plane has opened, or has answered."""
        self._streams = [each for each in self._streams if not each.closed]
        _await(lambda: self._plane.open_streams() <= len(self._streams))  # those that were closed are gone
        shows = self._shows(request)
        before = self._plane.open_streams()
        queue_stream = self._link.stream(service, method, request, response)
        self._streams.append(queue_stream)
        _await(lambda: queue_stream.pending or (not shows and self._plane.open_streams() > before))
        return queue_stream

    def _shows(self, request: Message) -> bool:
        """Return whether the request is a Watch whose snapshot has an app."""
        if not isinstance(request, WatchRequest) or request.WhichOneof("target") != "app_id":
            return False
        app_id = request.app_id
        scope = ProjectIdentifier(name=app_id.project, domain=app_id.domain)
        found = self.unary(SERVICE, "List", ListRequest(project=scope), ListResponse, PATIENCE)
        return any(each.metadata.id.name == app_id.name for each in cast("ListResponse", found).apps)

    def close(self) -> None:
        """End open streams, then the client."""
        self._link.close()
