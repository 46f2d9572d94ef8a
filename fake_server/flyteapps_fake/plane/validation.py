"""The checks of a message before anything is decided: the rules written in the protos, and the sizes.

The rules themselves are never repeated here.
"""

from __future__ import annotations

import protovalidate
from buf.validate import validate_pb2
from flyteidl2.app.app_definition_pb2 import App
from google.protobuf.message import Message

from flyteapps_fake.plane.errors import Code, RpcError

MAX_REQUEST = 4 * 1024 * 1024
"""Bytes that a request may have, decompressed."""
MAX_APP = 3 * 1024 * 1024 // 2
"""An UpdateEvent holds two apps and clients receive 4 MiB: this much from the client leaves room for the status."""

LONGEST_QUOTE = 80
MOST_DETAILS = 4_096
"""Bytes of violations: a refusal travels in trailers, of which clients take 8 to 16 KB; who has more asks again."""

_validator = protovalidate.Validator()


def check(request: Message) -> None:
    """Refuses a request that is too large, or breaks a `buf.validate` rule, naming every offending field."""
    check_bytes(request)
    found = _validator.collect_violations(request)
    if not found:
        return
    encoded = protovalidate.ValidationError("", found).to_proto().to_binary()
    violations = validate_pb2.Violations.FromString(encoded)
    named, size = "", 0
    for number, each in enumerate(violations.violations):
        size += each.ByteSize()
        if size > MOST_DETAILS:
            named += f"; and {len(violations.violations) - number} more"
            del violations.violations[number:]
            break
        named += f"{'; ' if named else ''}{_path(each.field)}: {each.message}"
    raise RpcError(Code.INVALID_ARGUMENT, f"invalid {request.DESCRIPTOR.name}: {named}", (violations,))


def check_bytes(request: Message) -> None:
    """Refuses a request that is too large."""
    if request.ByteSize() > MAX_REQUEST:
        raise too_large(MAX_REQUEST)


def too_large(cap: int) -> RpcError:
    """What a request over the cap is answered with, wherever that is noticed."""
    return RpcError(Code.RESOURCE_EXHAUSTED, f"the request is larger than {cap} bytes after decompression")


def check_size(app: App, name: str) -> None:
    """Refuses an app that an UpdateEvent could not carry twice; the plane's own part, the status, doesn't count."""
    size = app.metadata.ByteSize() + app.spec.ByteSize()
    if size > MAX_APP:
        raise RpcError(
            Code.RESOURCE_EXHAUSTED,
            f"app {name} has {size:,} bytes; a plane stores at most {MAX_APP:,} (1.5 MiB) an app",
        )


def quoted(text: str) -> str:
    """A client's word as a message of the plane's shows it: never longer than a line."""
    return repr(text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "...")


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
