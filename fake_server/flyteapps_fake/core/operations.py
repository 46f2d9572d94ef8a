"""The RPCs as one table: path, messages, kind. Transports read it; nobody lists the RPCs a second time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flyteidl2.app import app_logs_payload_pb2, app_payload_pb2
from google.protobuf.message import Message

APP_SERVICE = "flyteidl2.app.AppService"
APP_LOGS_SERVICE = "flyteidl2.app.AppLogsService"


@dataclass(frozen=True, slots=True)
class Operation:
    """One RPC of the plane."""

    service: str
    method: str
    request: type[Message]
    response: type[Message]
    streaming: bool = False
    no_side_effects: bool = False
    path: str = field(init=False)
    """Where it is served, such as /flyteidl2.app.AppService/Get."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", f"/{self.service}/{self.method}")


CREATE = Operation(APP_SERVICE, "Create", app_payload_pb2.CreateRequest, app_payload_pb2.CreateResponse)
GET = Operation(APP_SERVICE, "Get", app_payload_pb2.GetRequest, app_payload_pb2.GetResponse, no_side_effects=True)
UPDATE = Operation(APP_SERVICE, "Update", app_payload_pb2.UpdateRequest, app_payload_pb2.UpdateResponse)
UPDATE_STATUS = Operation(
    APP_SERVICE, "UpdateStatus", app_payload_pb2.UpdateStatusRequest, app_payload_pb2.UpdateStatusResponse
)
DELETE = Operation(APP_SERVICE, "Delete", app_payload_pb2.DeleteRequest, app_payload_pb2.DeleteResponse)
LIST = Operation(APP_SERVICE, "List", app_payload_pb2.ListRequest, app_payload_pb2.ListResponse, no_side_effects=True)
WATCH = Operation(
    APP_SERVICE,
    "Watch",
    app_payload_pb2.WatchRequest,
    app_payload_pb2.WatchResponse,
    streaming=True,
    no_side_effects=True,
)
LEASE = Operation(APP_SERVICE, "Lease", app_payload_pb2.LeaseRequest, app_payload_pb2.LeaseResponse, streaming=True)
TAIL_LOGS = Operation(
    APP_LOGS_SERVICE,
    "TailLogs",
    app_logs_payload_pb2.TailLogsRequest,
    app_logs_payload_pb2.TailLogsResponse,
    streaming=True,
)

OPERATIONS: Mapping[str, Operation] = {
    operation.path: operation
    for operation in (CREATE, GET, UPDATE, UPDATE_STATUS, DELETE, LIST, WATCH, LEASE, TAIL_LOGS)
}

CREATE_EVENT, UPDATE_EVENT, DELETE_EVENT = 1, 2, 3
"""The kinds of Watch events: field numbers in WatchResponse's oneof `event`."""
