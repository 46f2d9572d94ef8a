"""Whose plane this is: the org of a plane, and the filling of an org that a request leaves empty.

Runs before validation; it knows where each request carries an org, and nothing of apps.
"""

from __future__ import annotations

from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest
from flyteidl2.app.app_payload_pb2 import (
    CreateRequest,
    DeleteRequest,
    GetRequest,
    LeaseRequest,
    ListRequest,
    UpdateRequest,
    UpdateStatusRequest,
    WatchRequest,
)
from flyteidl2.common.identifier_pb2 import UserIdentifier
from flyteidl2.common.identity_pb2 import EnrichedIdentity, User
from google.protobuf.message import Message

from flyteapps_fake.plane.errors import Code, RpcError

DEFAULT_ORG = "flyte"


class Organization:
    """The plane's own org: the configured one, or the first that a request names."""

    def __init__(self, configured: str | None) -> None:
        self._name = configured

    @property
    def name(self) -> str:
        return self._name or DEFAULT_ORG

    def settle(self) -> None:
        """Fixes the org, as the first stored app does."""
        self._name = self.name

    def fill(self, request: Message) -> None:
        """Replaces every empty org of the request by the plane's own; the first request that names one decides it."""
        for holder, attribute in _places(request):
            named: str = getattr(holder, attribute)
            if named:
                self._name = self._name or named
            else:
                setattr(holder, attribute, self.name)

    def require(self, org: str) -> None:
        """Refuses what another org would have to store."""
        if org != self.name:
            raise RpcError(
                Code.NOT_FOUND,
                f"this plane serves org {self.name!r}, not {org!r}: start one with --org {org}, or reset this one",
            )


def user(subject: str) -> EnrichedIdentity:
    """The caller's identity."""
    return EnrichedIdentity(user=User(id=UserIdentifier(subject=subject)))


def _places(request: Message) -> list[tuple[Message, str]]:
    match request:
        case CreateRequest() | UpdateRequest() | UpdateStatusRequest():
            return [(request.app.metadata.id, "org")] if request.app.metadata.HasField("id") else []
        case DeleteRequest():
            return [(request.app_id, "org")] if request.HasField("app_id") else []
        case GetRequest():
            return [(request.app_id, "org")] if request.HasField("app_id") else []
        case LeaseRequest():
            return [(request.id, "organization")] if request.HasField("id") else []
        case TailLogsRequest():
            if request.HasField("app_id"):
                return [(request.app_id, "org")]
            return [(request.replica_id.app_id, "org")] if request.replica_id.HasField("app_id") else []
        case ListRequest():
            return _scope(request, request.WhichOneof("filter_by"))
        case WatchRequest():
            return _scope(request, request.WhichOneof("target"))
        case _:
            return []


def _scope(request: ListRequest | WatchRequest, member: str | None) -> list[tuple[Message, str]]:
    match member:
        case "cluster_id":
            return [(request.cluster_id, "organization")]
        case "project":
            return [(request.project, "organization")]
        case "app_id" if isinstance(request, WatchRequest):
            return [(request.app_id, "org")]
        case "artifact":
            return []
        case _:
            return [(request, "org")]
