"""A link to a stand-in of this process over a port, of which a stream is open at the plane once the call returns."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import grpc
from flyteidl2.app.app_service_connect import AppServiceClient
from google.protobuf.message import Message

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
        before = self._plane.open_streams()
        queue_stream = self._link.stream(service, method, request, response)
        self._streams.append(queue_stream)
        _await(lambda: self._plane.open_streams() > before or queue_stream.pending)
        return queue_stream

    def close(self) -> None:
        """End open streams, then the client."""
        self._link.close()
