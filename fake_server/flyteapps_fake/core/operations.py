"""The table of RPCs: path, messages, kind, and where a request holds its org. No list of RPCs stands elsewhere.

A new RPC is a row here and a handler in the table of each dialect that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

from flyteidl2.app.app_definition_pb2 import Identifier
from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest, TailLogsResponse
from flyteidl2.app.app_payload_pb2 import (
    CreateRequest,
    CreateResponse,
    DeleteRequest,
    DeleteResponse,
    GetRequest,
    GetResponse,
    LeaseRequest,
    LeaseResponse,
    ListRequest,
    ListResponse,
    UpdateRequest,
    UpdateResponse,
    UpdateStatusRequest,
    UpdateStatusResponse,
    WatchRequest,
    WatchResponse,
)
from google.protobuf.message import Message

APP_SERVICE = "flyteidl2.app.AppService"
APP_LOGS_SERVICE = "flyteidl2.app.AppLogsService"

AppIdPlace = Callable[[Any], Identifier]
"""Finds the id of the app that a request names; an empty one if it names none."""
Access = Literal["read", "write", "admin", "public"]
"""The right that a call needs, where callers are authenticated: "public" none, "admin" the role of that name."""

OrgPlace = Callable[[Any], tuple[Message, str] | None]
"""Finds the org of a request: the message that has it and the name of its field, None if the request has none."""


def org_in(*paths: str) -> OrgPlace:
    """Return what finds the org in the first of these fields whose message is set in a request.

    A path is of names with dots between them; one without a dot is a field of the request itself. A path that ends in
    a dot is a message without an org: a request where it is set has none.
    """
    if len(paths) == 1 and paths[0].count(".") == 1:
        holder, _, name = paths[0].partition(".")
        return lambda request: (getattr(request, holder), name) if request.HasField(holder) else None
    split = [path.split(".") for path in paths]

    def place(request: Any) -> tuple[Message, str] | None:
        for *holders, name in split:
            found = request
            for holder in holders:
                if not found.HasField(holder):
                    break
                found = getattr(found, holder)
            else:
                return (found, name) if name else None
        return None

    return place


_NO_ORG = org_in()
_EMPTY = Identifier()


def _no_app_id(request: object) -> Identifier:
    return _EMPTY


def _app_id_of_logs(request: Any) -> Identifier:
    return request.replica_id.app_id if request.HasField("replica_id") else request.app_id


_ID_OF_APP: AppIdPlace = attrgetter("app.metadata.id")
_APP_ID: AppIdPlace = attrgetter("app_id")


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One RPC.

    `org` finds the org of its requests, and `app_id` the id of the app that they name. `access`: the right that a call
    needs. `strict`: whether a field in JSON that its request doesn't have is an error, and not dropped.
    """

    service: str
    method: str
    request: type[Message]
    response: type[Message]
    streaming: bool = False
    no_side_effects: bool = False
    org: OrgPlace = _NO_ORG
    app_id: AppIdPlace = _no_app_id
    access: Access = "read"
    strict: bool = False
    rpc: str = field(init=False)
    """Its full name, such as flyteidl2.app.AppService/Get."""
    path: str = field(init=False)
    """Where it is served, such as /flyteidl2.app.AppService/Get."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rpc", f"{self.service}/{self.method}")
        object.__setattr__(self, "path", f"/{self.rpc}")


_OF_APP = org_in("app.metadata.id.org")
_OF_ID = org_in("app_id.org")
_OF_CLUSTER = org_in("id.organization")
_OF_LOGS = org_in("app_id.org", "replica_id.app_id.org")
_OF_LIST = org_in("cluster_id.organization", "project.organization", "artifact.", "org")
_OF_WATCH = org_in("cluster_id.organization", "project.organization", "app_id.org", "org")

CREATE = Operation(APP_SERVICE, "Create", CreateRequest, CreateResponse, org=_OF_APP, app_id=_ID_OF_APP, access="write")
GET = Operation(APP_SERVICE, "Get", GetRequest, GetResponse, no_side_effects=True, org=_OF_ID, app_id=_APP_ID)
UPDATE = Operation(APP_SERVICE, "Update", UpdateRequest, UpdateResponse, org=_OF_APP, app_id=_ID_OF_APP, access="write")
UPDATE_STATUS = Operation(
    APP_SERVICE,
    "UpdateStatus",
    UpdateStatusRequest,
    UpdateStatusResponse,
    org=_OF_APP,
    app_id=_ID_OF_APP,
    access="admin",
)
DELETE = Operation(APP_SERVICE, "Delete", DeleteRequest, DeleteResponse, org=_OF_ID, app_id=_APP_ID, access="write")
LIST = Operation(APP_SERVICE, "List", ListRequest, ListResponse, no_side_effects=True, org=_OF_LIST)
WATCH = Operation(
    APP_SERVICE, "Watch", WatchRequest, WatchResponse, True, no_side_effects=True, org=_OF_WATCH, app_id=_APP_ID
)
LEASE = Operation(APP_SERVICE, "Lease", LeaseRequest, LeaseResponse, True, org=_OF_CLUSTER, access="admin")
TAIL_LOGS = Operation(
    APP_LOGS_SERVICE, "TailLogs", TailLogsRequest, TailLogsResponse, True, org=_OF_LOGS, app_id=_app_id_of_logs
)

OPERATIONS: Mapping[str, Operation] = {
    row.path: row for row in (CREATE, GET, UPDATE, UPDATE_STATUS, DELETE, LIST, WATCH, LEASE, TAIL_LOGS)
}
BY_METHOD: Mapping[str, Operation] = {row.method: row for row in OPERATIONS.values()}
"""The same by method alone: no two services have one of the same name."""

CREATE_EVENT, UPDATE_EVENT, DELETE_EVENT = 1, 2, 3
"""The kinds of Watch events: field numbers in WatchResponse's oneof `event`."""
