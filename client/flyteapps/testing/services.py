"""The RPCs that clients of apps call, by the descriptors of their services."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from connectrpc.method import IdempotencyLevel, MethodInfo
from flyteidl2.app import app_logs_service_pb2, app_service_pb2
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message_factory import GetMessageClass

_MODULES = (app_service_pb2, app_logs_service_pb2)


class Rpc(NamedTuple):
    """An RPC. `streaming`: whether it answers by a stream."""

    method: MethodInfo[Any, Any]
    streaming: bool


@functools.cache
def rpcs() -> Mapping[str, Rpc]:
    """Return the RPCs, by SERVICE/METHOD."""
    services = [service for module in _MODULES for service in module.DESCRIPTOR.services_by_name.values()]
    return {f"{each.full_name}/{rpc.name}": _rpc(rpc) for each in services for rpc in each.methods}


def _rpc(descriptor: Any) -> Rpc:
    level = MethodOptions.IdempotencyLevel.Name(descriptor.GetOptions().idempotency_level)
    method = MethodInfo(
        name=descriptor.name,
        service_name=descriptor.containing_service.full_name,
        input=GetMessageClass(descriptor.input_type),
        output=GetMessageClass(descriptor.output_type),
        idempotency_level=IdempotencyLevel[level.removeprefix("IDEMPOTENCY_")],
    )
    return Rpc(method, descriptor.server_streaming)
