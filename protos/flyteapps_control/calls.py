"""The recorded calls as a Python object: `control.calls.verify("Update", app="hello", times=1)`."""

from __future__ import annotations

import datetime
import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.struct_pb2 import Value

from flyteapps_control.api import Api
from flyteapps_control.arguments import selected, text, whole
from flyteapps_control.v1 import control_pb2 as pb

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


class CallsDiffer(AssertionError):  # noqa: N818  # a test's failure
    """The recorded calls are not as expected; the message has the nearest ones."""


class Selection(TypedDict, total=False):
    """Keywords that select calls: those that are given have to match, all of them.

    `app`, `project`, `domain`: globs. `where`: values of fields of the request by path, such as
    {"spec.desired_state": "STOPPED"}. `code`: such as "NOT_FOUND", or "OK". `since`, `until`: the first and the last
    time at which a call may have begun, by the plane's clock, with a time zone.
    """

    app: str
    project: str
    domain: str
    where: Mapping[str, Any] | None
    code: str
    since: datetime.datetime | None
    until: datetime.datetime | None


class Calls:
    """The recorded calls. They are selected by the name of an RPC, "" for any, and by the keywords of `Selection`.

    Raises ControlError for an RPC or a field that doesn't exist.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self, rpc: str = "", *, limit: int = 0, **selection: Unpack[Selection]) -> list[pb.RecordedCall]:
        """Return the recorded calls that match, the oldest first; with `limit` the newest of them."""
        request = pb.ListCallsRequest(select=selector(rpc, selection), limit=whole("limit", limit))
        return list(self._api.call("ListCalls", request, pb.ListCallsResponse).calls)

    def verify(self, rpc: str = "", *, times: int | None = None, **selection: Unpack[Selection]) -> None:
        """Raise CallsDiffer unless so many recorded calls match, at least one where `times` is None."""
        wanted = whole("times", times) if times is not None else None
        request = pb.VerifyCallsRequest(select=selector(rpc, selection), times=wanted)
        found = self._api.call("VerifyCalls", request, pb.VerifyCallsResponse)
        if not found.holds:
            raise CallsDiffer(found.explanation)

    def as_test(self, rpc: str = "", **selection: Unpack[Selection]) -> str:
        """Return the source of a test for pytest that repeats the recorded calls that match, and compares their codes.

        Each is made at its time, on a manual clock, by the stub of a plane in process. Calls of other services than
        those of apps are left out, and so are delays and stale reads.
        """
        request = pb.WriteTestRequest(select=selector(rpc, selection))
        return self._api.call("WriteTest", request, pb.WriteTestResponse).source

    def clear(self) -> int:
        """Forget the recorded calls; return how many there were."""
        return self._api.call("ClearCalls", pb.ClearCallsRequest(), pb.ClearCallsResponse).cleared


def selector(rpc: str, selection: Selection) -> pb.CallSelector:
    """Return the selector of a selection. Raises TypeError and ValueError for one that can't be."""
    unknown = selection.keys() - Selection.__annotations__.keys()
    if unknown:
        known = ", ".join(Selection.__annotations__)
        raise TypeError(f"calls have no keyword {sorted(unknown)[0]!r}; they are selected by {known}")
    app = selected(selection.get("app"), selection.get("project"), selection.get("domain"))
    values = _values(selection.get("where") or {})
    code = text("code", selection.get("code", "")).upper()
    select = pb.CallSelector(rpc=text("the RPC", rpc), app=app, where=values, code=code)
    since, until = selection.get("since"), selection.get("until")
    if since is not None:
        select.since.FromNanoseconds(_nanoseconds("since", since))
    if until is not None:
        select.until.FromNanoseconds(_nanoseconds("until", until) + 999)  # the whole microsecond
    if since is not None and until is not None and until < since:
        raise ValueError(f"until, {until}, is before since, {since}: no call can match")
    return select


def _values(where: Mapping[str, Any]) -> dict[str, Value]:
    """Return the values of fields by path as messages. Raises TypeError and ValueError."""
    if not isinstance(where, Mapping) or not all(isinstance(path, str) for path in where):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
        raise TypeError(f'where must be a mapping of paths, such as {{"spec.desired_state": "STOPPED"}}, not {where!r}')
    values: dict[str, Value] = {}
    for path, value in where.items():
        try:
            values[path] = ParseDict(json.loads(json.dumps(value, allow_nan=False)), Value())
        except (TypeError, ValueError, ArithmeticError, RecursionError, ParseError) as error:
            raise ValueError(f"where: {path} can't have the value {value!r:.80}: {error}") from None
    return values


def _nanoseconds(name: str, moment: datetime.datetime) -> int:
    if not isinstance(moment, datetime.datetime):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
        raise TypeError(f"{name} must be a datetime, such as plane.clock.now, not {type(moment).__name__}")
    if moment.tzinfo is None:
        raise ValueError(f"{name}, {moment}, has no time zone: use one such as plane.clock.now")
    return (moment - _EPOCH) // _MICROSECOND * 1_000


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
