"""Deadlines in the headers of requests. Nothing here waits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.rules.wire import WireRules

GRPC, CONNECT = b"grpc-timeout", b"connect-timeout-ms"
_GRPC_FORM = re.compile(rb"([0-9]{1,8})([HMSmun])\Z")
_CONNECT_FORM = re.compile(rb"[0-9]{1,10}\Z")
_SIGNED_FORM = re.compile(rb"(?!.{11})[+-]?[0-9]+\Z")
"""The form of Connect's header where a negative timeout is a deadline that has passed."""
_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def deadline_of(headers: Mapping[bytes, bytes], rules: WireRules) -> float | None:
    """Return the deadline of a request that has just arrived, by the running loop's time; None for no deadline.

    Raises INVALID_ARGUMENT where its header is malformed.
    """
    timeout = _timeout_of(headers, rules)
    return None if timeout is None else asyncio.get_running_loop().time() + timeout


def check_deadline(until: float | None) -> None:
    """Raise DEADLINE_EXCEEDED where the deadline has passed."""
    if until is not None and asyncio.get_running_loop().time() >= until:
        raise RpcError(Code.DEADLINE_EXCEEDED, "the call's deadline has passed; nothing was changed")


def check_opening(until: float | None, rules: WireRules) -> None:
    """Raise DEADLINE_EXCEEDED for a stream whose deadline has passed before it is opened, unless it ends as others."""
    if not rules.past_deadlines:
        check_deadline(until)


def _timeout_of(headers: Mapping[bytes, bytes], rules: WireRules) -> float | None:
    strict = rules.past_deadlines
    grpc = headers.get(b"content-type", b"").startswith(b"application/grpc")
    value = headers.get(GRPC) if grpc or not strict else None
    if value is not None and (value or not rules.empty_is_absent):
        found = _GRPC_FORM.match(value)
        if found is None:
            raise _malformed(GRPC, value, "up to 8 digits and one of H M S m u n")
        return int(found[1]) * _SECONDS[found[2]]
    value = headers.get(CONNECT) if not (grpc and strict) else None
    if value is not None and (value or not rules.empty_is_absent):
        if (_SIGNED_FORM if strict else _CONNECT_FORM).match(value) is None:
            raise _malformed(CONNECT, value, "up to 10 digits, milliseconds")
        return int(value) / 1000
    return None


def _malformed(name: bytes, value: bytes, form: str) -> RpcError:
    shown = value[:40].decode("latin-1")
    return RpcError(Code.INVALID_ARGUMENT, f"{name.decode()} {shown!r}: give {form}")
