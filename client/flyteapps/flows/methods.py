"""The RPCs of the client, as connectrpc describes methods.

They are repeated here since flyteidl2's own client modules import connectrpc's servers, which cost a client 40 ms.
tests/client/test_methods.py compares them with flyteidl2's.
"""

from __future__ import annotations

from typing import Any

from connectrpc.method import IdempotencyLevel, MethodInfo
from flyteidl2.app import app_payload_pb2 as payload

_SERVICE = "flyteidl2.app.AppService"


def _method(name: str, request: type, response: type, *, safe: bool = False) -> MethodInfo[Any, Any]:
    level = IdempotencyLevel.NO_SIDE_EFFECTS if safe else IdempotencyLevel.UNKNOWN
    return MethodInfo(name=name, service_name=_SERVICE, input=request, output=response, idempotency_level=level)


CREATE = _method("Create", payload.CreateRequest, payload.CreateResponse)
GET = _method("Get", payload.GetRequest, payload.GetResponse, safe=True)
UPDATE = _method("Update", payload.UpdateRequest, payload.UpdateResponse)
DELETE = _method("Delete", payload.DeleteRequest, payload.DeleteResponse)
LIST = _method("List", payload.ListRequest, payload.ListResponse, safe=True)
WATCH = _method("Watch", payload.WatchRequest, payload.WatchResponse, safe=True)

WRITES = frozenset({"Create", "Update", "Delete"})
"""Names of the RPCs that write."""


def tail_logs() -> MethodInfo[Any, Any]:
    """Return AppLogsService.TailLogs; its messages are imported on the first call."""
    from flyteidl2.app import app_logs_payload_pb2 as logs

    return MethodInfo(
        name="TailLogs",
        service_name="flyteidl2.app.AppLogsService",
        input=logs.TailLogsRequest,
        output=logs.TailLogsResponse,
        idempotency_level=IdempotencyLevel.NO_SIDE_EFFECTS,
    )
