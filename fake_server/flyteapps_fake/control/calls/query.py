"""Queries of the log of calls: by RPC, app, code, time and fields of the request; and why a query finds too few."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value

from flyteapps_control.codes import OK, code_name
from flyteapps_control.selection import ALL, AppGlobs, rpcs_of
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.control.call_log import Record
from flyteapps_fake.control.calls.field_paths import MISSING, field_at, value_at
from flyteapps_fake.core.operations import OPERATIONS

NEAREST = 5
"""Calls that an explanation shows."""


class Query:
    """A selection of recorded calls. Raises ValueError for an RPC, a code or a field that doesn't exist."""

    def __init__(self, select: pb.CallSelector, known: Collection[str]) -> None:
        self._rpc = select.rpc
        self._rpcs = rpcs_of(select.rpc, known) if select.rpc not in ("", ALL) else None
        self._app = AppGlobs(select.app)
        self._names = select.app
        self._code = select.code if select.code in ("", OK) else code_name(select.code)
        self._since = select.since.ToNanoseconds() if select.HasField("since") else None
        self._until = select.until.ToNanoseconds() if select.HasField("until") else None
        self._where = {path: _plain(value) for path, value in sorted(select.where.items())}
        requests = [row.request for row in OPERATIONS.values() if self._rpcs is None or row.rpc in self._rpcs]
        for path in self._where:
            found = [field for request in requests if (field := field_at(_shape_of(request), path)) is not None]
            if requests and not found:
                kinds = ", ".join(sorted({request.DESCRIPTOR.name for request in requests}))
                raise ValueError(f"{kinds} {'have' if len(requests) > 1 else 'has'} no field {path!r}")
            if found:
                _check_value(path, self._where[path], found)

    def matches(self, record: Record) -> bool:
        """Return whether the call is selected."""
        return not any(self._misses(record))

    def explain(self, records: Sequence[Record], wanted: int | None, found: int, forgotten: int) -> str:
        """Return a text on what was expected and found, with the calls that come nearest."""
        expected = "at least one call" if wanted is None else "no call" if wanted == 0 else f"{wanted} call(s)"
        lines = [f"expected {expected} {self}, found {found} of {len(records)} recorded:"]
        if forgotten:
            lines[0] = f"{lines[0][:-1]} ({forgotten} older ones are forgotten):"
        if found:
            lines += [f"  {shown(record)}" for record in records if self.matches(record)][:NEAREST]
        else:
            misses = [(list(self._misses(record)), record) for record in records]
            misses.sort(key=lambda each: (len(each[0]), each[1].number))
            lines += [f"  {shown(record)}: {'; '.join(why)}" for why, record in misses[:NEAREST]]
        if len(lines) == 1:
            lines.append("  no call was made" if not forgotten else "  no call is recorded")
        return "\n".join(lines)

    def __str__(self) -> str:
        """Return the query in words."""
        parts = [f"of {self._rpc}" if self._rpc else "of any RPC"]
        parts += [f"{name}={value}" for field, value in self._names.ListFields() for name in (field.name,)]
        parts += [f"{path}={value!r}" for path, value in self._where.items()]
        parts += [f"code={self._code}"] if self._code else []
        for name, time_ns in (("since", self._since), ("until", self._until)):
            parts += [f"{name}={_time_text(time_ns)}"] if time_ns is not None else []
        return " ".join(parts)

    def _misses(self, record: Record) -> Iterator[str]:
        """Yield what keeps the call from being selected."""
        if self._rpcs is not None and record.operation.rpc not in self._rpcs:
            yield f"it is a {record.operation.method}"
        if not self._app.matches(record.app):
            yield f"the app is {record.app or 'none'}"
        if self._code and record.code != self._code:
            yield f"the code is {record.code or 'still open'}"
        if self._since is not None and record.time_ns < self._since:
            yield "it began earlier"
        if self._until is not None and record.time_ns > self._until:
            yield "it began later"
        if self._where:
            request = record.operation.request.FromString(record.request)
            for path, value in self._where.items():
                there = value_at(request, path)
                if not _equal(there, value, field_at(_shape_of(type(request)), path)):
                    yield f"{path} is {'not there' if there is MISSING else repr(there)}"


def shown(record: Record) -> str:
    """Return a call in one line."""
    app = f" {record.app}" if any(record.app) else ""
    message = f" ({record.message})" if record.message else ""
    return f"#{record.number} {record.operation.method}{app} {record.code or 'open'}{message}"


def _time_text(nanoseconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(nanoseconds // 10**9, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9 // 1_000:06d}Z"


def _plain(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind in (None, "null_value"):
        return None
    if kind == "number_value":
        number = value.number_value
        return int(number) if number == int(number) else number
    if kind in ("struct_value", "list_value"):
        return MessageToDict(value)
    return getattr(value, kind)


def _equal(there: Any, value: Any, field: FieldDescriptor | None) -> bool:
    """Compare a field of JSON's form with a value: 64-bit numbers are texts in it, enum values may be short."""
    if there is MISSING:
        return False
    if there == value or (isinstance(value, int) and not isinstance(value, bool) and there == str(value)):
        return True
    if field is None or field.enum_type is None or not isinstance(there, str):
        return False
    if isinstance(value, int):
        known = field.enum_type.values_by_name.get(there)
        return known is not None and known.number == value
    return isinstance(value, str) and _is_short(value, there)


def _is_short(value: str, name: str) -> bool:
    """Return whether a text is the name of an enum's value, or the end of it, in any case."""
    return value != "" and f"_{name}".upper().endswith(f"_{value}".upper())


def _check_value(path: str, value: Any, found: Sequence[FieldDescriptor]) -> None:
    """Raise ValueError for a text that is no value of an enum."""
    enums = [field.enum_type for field in found if field.enum_type is not None]
    if len(enums) < len(found) or not isinstance(value, str):
        return
    names = [name for enum in enums for name in enum.values_by_name]
    if not any(_is_short(value, name) for name in names):
        raise ValueError(f"{path} is never {value!r}: there are {', '.join(dict.fromkeys(names))}")


def _shape_of(request: type[Message]) -> Descriptor:
    return cast("Descriptor", request.DESCRIPTOR)
