"""The check of what the types of protobuf let through and its JSON refuses: impossible durations, times and numbers.

One that was stored would make every later answer in JSON fail. No rule of `buf.validate` is about them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.core.validation import MAX_QUOTE_CHARACTERS

_TRANSPARENT = (Struct, ListValue, Value)
"""Messages whose fields JSON doesn't name."""


def check_well_formed(request: Message) -> None:
    """Refuse a request that holds what JSON can't. Raises RpcError, INVALID_ARGUMENT, with the place of the first."""
    for place, problem in _problems(request, ""):
        raise RpcError(Code.INVALID_ARGUMENT, f"invalid {request.DESCRIPTOR.name}: {place}: {problem}")


def _problems(message: Message, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(message, Duration):
        if abs(message.nanos) >= SECOND or message.seconds * message.nanos < 0:
            yield place, "nanos of a duration must be less than a second, and have the sign of its seconds"
    elif isinstance(message, Timestamp):
        try:
            message.ToJsonString()
        except ValueError as error:
            yield place, str(error)
    elif isinstance(message, Value) and message.HasField("number_value"):
        if not math.isfinite(message.number_value):
            yield place, f"the number {message.number_value} is not finite"
    elif not isinstance(message, AnyMessage):  # whose content a plane only passes on
        for field, value in message.ListFields():
            inside = place if isinstance(message, _TRANSPARENT) else f"{place}.{field.name}" if place else field.name
            for at, each in _messages_of(field, value, inside):
                yield from _problems(each, at)


def _messages_of(field: Any, value: Any, place: str) -> Iterator[tuple[str, Message]]:
    """Yield the messages that a field holds, each with its place."""
    if field.message_type is None:
        return
    if not field.is_repeated:
        yield place, value
    elif field.message_type.GetOptions().map_entry:
        if field.message_type.fields_by_name["value"].message_type is not None:
            for key in value:
                yield f"{place}[{str(key)[:MAX_QUOTE_CHARACTERS]}]", value[key]
    else:
        for index, each in enumerate(value):
            yield f"{place}[{index}]", each
