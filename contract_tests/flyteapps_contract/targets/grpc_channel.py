"""A link over a grpcio channel (extra `grpc`)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from flyteapps_contract.outcomes import Refused
from flyteapps_contract.targets.readers import Readers
from flyteapps_contract.targets.target import Link, QueueStream


class GrpcLink(Link):
    """Calls through a channel; the link closes it."""

    def __init__(self, channel: grpc.Channel, headers: Mapping[str, str] | None = None) -> None:
        self._channel = channel
        self._metadata = tuple((headers or {}).items())
        self._readers = Readers()

    def unary(self, service: str, method: str, request: Message, response: type[Message], seconds: float) -> Message:
        """Return one call. Raises Refused."""
        call: Any = self._channel.unary_unary(  # pyright: ignore[reportUnknownMemberType]  # grpcio is untyped
            f"/{service}/{method}", type(request).SerializeToString, response.FromString
        )
        try:
            return cast("Message", call(request, timeout=seconds, metadata=self._metadata))
        except grpc.RpcError as error:
            raise refused(error) from error

    def stream(self, service: str, method: str, request: Message, response: type[Message]) -> QueueStream:
        """Return an open server stream."""
        open_: Any = self._channel.unary_stream(  # pyright: ignore[reportUnknownMemberType]  # grpcio is untyped
            f"/{service}/{method}", type(request).SerializeToString, response.FromString
        )
        call: Any = open_(request, metadata=self._metadata)

        def read(queue_stream: QueueStream) -> None:
            try:
                for message in call:
                    queue_stream.put(message)
                    queue_stream.wait_while_paused()
            except grpc.RpcError as error:
                queue_stream.end(refused(error))
            else:
                queue_stream.end(None)

        return self._readers.start(read, call.cancel)

    def as_caller(self, headers: Mapping[str, str]) -> Link:
        """Return the same link, over the same channel, with those headers instead of its own."""
        twin = copy.copy(self)
        twin._metadata = tuple(headers.items())
        return twin

    def interrupt(self) -> None:
        """Close the channel: calls and streams under way end as cancelled."""
        self._channel.close()

    def close(self) -> None:
        """End open streams, then the channel."""
        self._readers.close()
        self._channel.close()


def refused(error: Any) -> Refused:
    """Translate grpcio's error as the suite's; details come from grpc-status-details-bin."""
    return Refused(error.code().name, error.details() or "", details_of(error.trailing_metadata()))


def details_of(trailers: Any) -> list[AnyMessage]:
    """Return the error details among a call's trailers."""
    return [
        detail
        for key, value in trailers or ()
        if key == "grpc-status-details-bin"
        for detail in Status.FromString(value).details
    ]
