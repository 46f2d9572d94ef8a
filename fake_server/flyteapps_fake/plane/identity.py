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

    def fill(self, request: Message) -> str:
        """Replaces an empty org of the request by the plane's own; the org that the request names, "" for none."""
        place = _place(request)
        if place is None:
            return ""
        holder, attribute = place
        named: str = getattr(holder, attribute)
        if not named:
            setattr(holder, attribute, self.name)
        return named

    def adopt(self, named: str) -> None:
        """The first valid request that names an org decides it."""
        if named and not self._name:
            self._name = named

    def require(self, org: str) -> None:
        """Refuses what another org would have to store."""
        if org != self.name:
            raise RpcError(
                Code.NOT_FOUND,
                f"this plane serves org {self.name!r}, not {org!r}: start one with --org {org}, "
                "or reset or restart this one, which takes the first org that it hears of",
            )


def user(subject: str) -> EnrichedIdentity:
    """The caller's identity."""
    return EnrichedIdentity(user=User(id=UserIdentifier(subject=subject)))


def _place(request: Message) -> tuple[Message, str] | None:
    match request:
        case CreateRequest() | UpdateRequest() | UpdateStatusRequest():
            return (request.app.metadata.id, "org") if request.app.metadata.HasField("id") else None
        case DeleteRequest() | GetRequest():
            return (request.app_id, "org") if request.HasField("app_id") else None
        case LeaseRequest():
            return (request.id, "organization") if request.HasField("id") else None
        case TailLogsRequest():
            if request.HasField("app_id"):
                return request.app_id, "org"
            return (request.replica_id.app_id, "org") if request.replica_id.HasField("app_id") else None
        case ListRequest():
            return _scope(request, request.WhichOneof("filter_by"))
        case WatchRequest():
            return _scope(request, request.WhichOneof("target"))
        case _:
            return None


def _scope(request: ListRequest | WatchRequest, member: str | None) -> tuple[Message, str] | None:
    match member:
        case "cluster_id":
            return request.cluster_id, "organization"
        case "project":
            return request.project, "organization"
        case "app_id" if isinstance(request, WatchRequest):
            return request.app_id, "org"
        case "artifact":
            return None
        case _:
            return request, "org"
