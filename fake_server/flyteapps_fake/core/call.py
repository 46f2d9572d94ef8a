"""One RPC on its way through a plane: made by a transport, taken by a dialect, the same for all of them.

A concern that needs more of an RPC adds a field here, not a parameter to the functions between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Generic, Literal, NamedTuple, TypeVar

from flyteidl2.common.identifier_pb2 import ApplicationIdentifier, UserIdentifier
from flyteidl2.common.identity_pb2 import Application, AppSpec, EnrichedIdentity, User, UserSpec
from google.protobuf.message import Message

from flyteapps_fake.core.operations import Operation

Sees = Callable[[str, str], bool]
"""Whether a caller may see the apps of a project, by its name and domain."""

R = TypeVar("R", bound=Message)

Protocol = Literal["direct", "connect", "grpc", "grpc-web", "http"]

NO_METADATA: Mapping[str, str] = MappingProxyType({})


class Identity(NamedTuple):
    """The identity of a caller. `application`: a program, instead of a person.

    `role`, `projects`: its rights in words, "" without authentication, and globs of the projects where it may write.
    """

    subject: str
    name: str = ""
    email: str = ""
    application: bool = False
    role: str = ""
    projects: tuple[str, ...] = ()

    def enriched(self) -> EnrichedIdentity:
        """Return the identity as a message."""
        if self.application:
            spec = AppSpec(name=self.name) if self.name else None
            return EnrichedIdentity(application=Application(id=ApplicationIdentifier(subject=self.subject), spec=spec))
        first, _, last = self.name.partition(" ")
        spec = UserSpec(first_name=first, last_name=last, email=self.email) if self.name or self.email else None
        return EnrichedIdentity(user=User(id=UserIdentifier(subject=self.subject), spec=spec))


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
