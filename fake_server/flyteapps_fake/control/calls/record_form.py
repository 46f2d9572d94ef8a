"""A recorded call as a message of the control API."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.control.call_log import Effect, Record
from flyteapps_fake.core.time.causes import Cause

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
        causes=map(_cause, record.causes),
        effects=map(_effect, record.effects),
    )
    found.time.FromNanoseconds(record.time_ns)
    found.real_time.FromNanoseconds(round(record.real_time * 1e9))
    return found


def _cause(cause: Cause) -> pb.Cause:
    return pb.Cause(call=cause.call, timer=cause.timer, fault=cause.fault, other=cause.other)


def _effect(effect: Effect) -> pb.Effect:
    found = pb.Effect(
        app=str(effect.app),
        change=effect.change,
        stream=effect.stream,
        message=effect.message,
        cause=_cause(effect.cause),
    )
    found.time.FromNanoseconds(effect.time_ns)
    return found


def _packed(kind: type[Message], encoded: bytes) -> AnyMessage:
    return AnyMessage(type_url=TYPE_URL + kind.DESCRIPTOR.full_name, value=encoded)
