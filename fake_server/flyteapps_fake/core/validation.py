"""The checks of a message before anything is decided: the rules written in the protos, and the sizes.

The rules themselves are never repeated here.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from buf.validate import validate_pb2
from flyteidl2.app.app_definition_pb2 import App
from google.protobuf.message import Message

from flyteapps_fake.core.errors import MAX_DETAILS_BYTES, Code, RpcError
from flyteapps_fake.core.protobuf import count_values, encode
from flyteapps_fake.core.rules.quick_check import keeps_rules

if TYPE_CHECKING:
    from protovalidate import Validator

MAX_REQUEST = 4 * 1024 * 1024
"""Bytes that a request may have, decompressed."""
MAX_STREAM_REQUEST = 16 * 1024
"""Bytes that a request for a stream may have: it names apps, and is kept as long as the stream is open."""
MAX_APP = 3 * 1024 * 1024 // 2
"""An UpdateEvent holds two apps and clients receive 4 MiB: this much from the client leaves room for the status."""

MAX_VALUES = 10_000
"""Fields, list elements and map entries of a request, at all depths: an empty element has 2 bytes on the wire, takes 60
in memory and, where it breaks a rule, 4 KB and 50 microseconds for each rule."""
MIN_VALUE_BYTES = 2
"""Bytes that a value has at least."""
MAX_LISTED_VALUES = 1_000
"""Values of a request whose violations are all listed; of a larger one the first is."""
LISTED_VALUES = 250
LISTED_VALUES_PER_KIB = 50
"""Values of which all violations are listed, of any request and for each KiB of it: one that has many values in few
bytes was built to break many rules."""

MAX_QUOTE_CHARACTERS = 80
VIOLATION_HEAD = 4
"""Bytes that one violation has more among others."""
MAX_VIOLATION_BYTES = MAX_DETAILS_BYTES - 64
"""Bytes of violations, 64 less for the message around them; further ones come with the next request."""


def check(request: Message) -> None:
    """Refuse a request that is too large, or breaks a `buf.validate` rule, naming every offending field.

    Every violation costs time and memory: of a request of more values than an ordinary one of that size has, only the
    first is collected.
    """
    check_bytes(request)
    if keeps_rules(request):
        return
    found = _validator().collect_violations(request, fail_fast=True)
    if not found:
        return
    data = encode(request)
    listed = min(MAX_LISTED_VALUES, LISTED_VALUES + LISTED_VALUES_PER_KIB * len(data) // 1024)
    whole = count_values(type(request), data, listed) <= listed
    if whole:
        found = _validator().collect_violations(request)
    from protovalidate import ValidationError

    encoded = ValidationError("", found).to_proto().to_binary()
    violations = validate_pb2.Violations.FromString(encoded)
    named, size = "", 0
    for number, each in enumerate(violations.violations):
        size += each.ByteSize() + VIOLATION_HEAD
        if size > MAX_VIOLATION_BYTES:
            more = len(violations.violations) - number
            if not named:  # one whose path has a long key: in words it is cut
                named, more = f"{_path(each.field)}: {each.message}", more - 1
            named += f"; and {more} more" if more else ""
            del violations.violations[number:]
            break
        named += f"{'; ' if named else ''}{_path(each.field)}: {each.message}"
    if not whole:
        named += f"; the request has more than {listed:,} values, so that there may be further violations"
    details = (violations,) if violations.violations else ()
    raise RpcError(Code.INVALID_ARGUMENT, f"invalid {request.DESCRIPTOR.name}: {named}", details)


@cache
def _validator() -> Validator:
    """Return protovalidate's validator, imported for the first request that `keeps_rules` doesn't decide."""
    from protovalidate import Validator

    return Validator()


def check_bytes(request: Message, most: int = MAX_REQUEST) -> None:
    """Refuse a request that has more than `most` bytes, or too many values; over a wire both were counted before."""
    size = request.ByteSize()
    if size > most:
        raise too_large(most)
    if size > MIN_VALUE_BYTES * MAX_VALUES:
        check_values(type(request), encode(request), MAX_VALUES)


def check_stream_request(size: int) -> None:
    """Refuse a request for a stream that has more bytes than such a request needs."""
    if size > MAX_STREAM_REQUEST:
        raise RpcError(
            Code.RESOURCE_EXHAUSTED,
            f"a request for a stream has at most {MAX_STREAM_REQUEST:,} bytes, as it is kept as long as the stream is "
            f"open; this one has {size:,}",
        )


def too_large(cap: int) -> RpcError:
    """Return the error of a request over the cap, wherever that is noticed."""
    return RpcError(Code.RESOURCE_EXHAUSTED, f"the request is larger than {cap} bytes after decompression")


def check_values(request: type[Message], data: bytes, most: int) -> None:
    """Refuse the encoded request that has more than `most` values, before memory is spent on them."""
    if len(data) > MIN_VALUE_BYTES * most and count_values(request, data, most) > most:
        raise too_many(most)


def too_many(most: int) -> RpcError:
    """Return the refusal of a request of more than `most` values, wherever that is noticed."""
    return RpcError(
        Code.RESOURCE_EXHAUSTED,
        f"the request has more than {most:,} values (fields, list elements, map entries); no app has as many",
    )


def check_size(app: App, name: str) -> None:
    """Refuse an app that an UpdateEvent could not carry twice; the plane's own part, the status, doesn't count."""
    size = app.metadata.ByteSize() + app.spec.ByteSize()
    if size > MAX_APP:
        raise RpcError(
            Code.RESOURCE_EXHAUSTED,
            f"app {name} has {size:,} bytes; a plane stores at most {MAX_APP:,} (1.5 MiB) an app",
        )


def quoted(text: str) -> str:
    """Return a client's text as messages quote it: never longer than a line."""
    return repr(text if len(text) <= MAX_QUOTE_CHARACTERS else text[:MAX_QUOTE_CHARACTERS] + "...")


def printable(text: str) -> str:
    """Return a sentence with line breaks, control characters and escape sequences as escapes."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def plain(text: str) -> str:
    """Return a client's text as one field of a line: printable, and without spaces."""
    return printable(text).replace(" ", "\\x20")


def _path(path: validate_pb2.FieldPath) -> str:
    parts: list[str] = []
    for element in path.elements:
        part = element.field_name
        match element.WhichOneof("subscript"):
            case "index":
                part += f"[{element.index}]"
            case "string_key":
                part += f"[{quoted(element.string_key)}]"
            case _:
                pass
        parts.append(part)
    return ".".join(parts)
