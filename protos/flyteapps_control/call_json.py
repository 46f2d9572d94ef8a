"""A recorded call as plain data for JSON: its messages readable where their types are loaded, encoded otherwise."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import MessageToDict

from flyteapps_control.v1 import control_pb2 as pb


def plain_call(call: pb.RecordedCall) -> dict[str, Any]:
    """Return a recorded call as in its JSON form over the wire."""
    bare = pb.RecordedCall()
    bare.CopyFrom(call)
    bare.ClearField("request")
    bare.ClearField("responses")
    found = MessageToDict(bare)
    if call.HasField("request"):
        found["request"] = _content(call.request)
    if call.responses:
        found["responses"] = [_content(each) for each in call.responses]
    return found


def _content(packed: AnyMessage) -> dict[str, Any]:
    try:
        return MessageToDict(packed)
    except TypeError:  # a type that isn't loaded
        return {"@type": packed.type_url, "value": b64encode(packed.value).decode()}
