"""How long a client is willing to wait, as its headers say. Nothing here waits."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flyteapps_fake.plane.errors import Code, RpcError

GRPC, CONNECT = b"grpc-timeout", b"connect-timeout-ms"
_GRPC_FORM = re.compile(rb"([0-9]{1,8})([HMSmun])\Z")
_CONNECT_FORM = re.compile(rb"[0-9]{1,10}\Z")
_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def timeout_of(headers: Mapping[bytes, bytes]) -> float | None:
    """Seconds from the arrival of the request, None for no limit. INVALID_ARGUMENT where the header is no number."""
    value = headers.get(GRPC)
    if value is not None:
        found = _GRPC_FORM.match(value)
        if found is None:
            raise _malformed(GRPC, value, "up to 8 digits and one of H M S m u n")
        return int(found[1]) * _SECONDS[found[2]]
    value = headers.get(CONNECT)
    if value is not None:
        if _CONNECT_FORM.match(value) is None:
            raise _malformed(CONNECT, value, "up to 10 digits, milliseconds")
        return int(value) / 1000
    return None


def exceeded() -> RpcError:
    """What a call whose time is over is answered with."""
    return RpcError(Code.DEADLINE_EXCEEDED, "the call's deadline has passed; nothing was changed")


def _malformed(name: bytes, value: bytes, form: str) -> RpcError:
    shown = value[:40].decode("latin-1")
    return RpcError(Code.INVALID_ARGUMENT, f"{name.decode()} {shown!r}: give {form}")
