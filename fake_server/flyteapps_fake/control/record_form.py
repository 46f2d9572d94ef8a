"""A recorded call as a message of the control API."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.control.call_log import Record

TYPE_URL = "type.googleapis.com/"


def recorded(record: Record) -> pb.RecordedCall:
    """Return the recorded call."""
    operation = record.operation
    found = pb.RecordedCall(
        number=record.number,
        rpc=operation.rpc,
        caller=record.caller,
        protocol=record.protocol,
        request=_packed(operation.request, record.request),
        responses=[_packed(operation.response, each) for each in record.responses],
        messages=record.messages,
        code=record.code,
        message=record.message,
        faults=record.faults,
        app=str(record.app),
    )
    found.time.FromNanoseconds(record.time_ns)
    found.real_time.FromNanoseconds(round(record.real_time * 1e9))
    return found


def _packed(kind: type[Message], encoded: bytes) -> AnyMessage:
    return AnyMessage(type_url=TYPE_URL + kind.DESCRIPTOR.full_name, value=encoded)
