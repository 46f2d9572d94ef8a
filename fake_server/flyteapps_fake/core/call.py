"""One RPC on its way through a plane: made by a transport, taken by a dialect, the same for all of them.

A concern that needs more of an RPC adds a field here, not a parameter to the functions between.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Generic, Literal, TypeVar

from flyteidl2.common.identifier_pb2 import UserIdentifier
from flyteidl2.common.identity_pb2 import EnrichedIdentity, User
from google.protobuf.message import Message

from flyteapps_fake.core.operations import Operation

R = TypeVar("R", bound=Message)

Protocol = Literal["direct", "connect", "grpc", "grpc-web", "http"]

NO_METADATA: Mapping[str, str] = MappingProxyType({})


class Call(Generic[R]):
    """One RPC.

    `request` belongs to the plane, which may keep and change it. `metadata`: the headers, by names in lower case.
    `deadline`: when the call has to be over, in seconds of `time.monotonic()`; None for no deadline. `caller`: the
    subject of an authenticated caller; None for any other. `protocol`: "direct" without a wire, "http" for a request
    that is no RPC.
    """

    __slots__ = ("caller", "deadline", "metadata", "operation", "protocol", "request")

    def __init__(
        self,
        operation: Operation,
        request: R,
        metadata: Mapping[str, str] = NO_METADATA,
        deadline: float | None = None,
        caller: str | None = None,
        protocol: Protocol = "direct",
    ) -> None:
        self.operation = operation
        self.request = request
        self.metadata = metadata
        self.deadline = deadline
        self.caller = caller
        self.protocol: Protocol = protocol


def user(subject: str) -> EnrichedIdentity:
    """Return the identity of a caller with that subject."""
    return EnrichedIdentity(user=User(id=UserIdentifier(subject=subject)))
