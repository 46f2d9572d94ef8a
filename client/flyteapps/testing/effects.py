"""The errors that a client's transport raises for the effects of a fault."""

from __future__ import annotations

import errno
import json
from http import HTTPStatus
from typing import Any, NamedTuple, cast

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.transports.delays import REFUSED, attach, note
from flyteapps_control.codes import code_of_status
from flyteapps_control.fault_table import Rule


class Ending(NamedTuple):
    """The end of a call by a fault. `applied`: whether the call is made before, and its answer lost."""

    error: ConnectError
    applied: bool


def ending_of(rule: Rule) -> Ending | None:
    """Return the error with which a rule ends a call, None if it ends none."""
    fault = rule.fault
    match rule.effect:
        case "fail":
            message = fault.fail.message or f"fault {fault.id}: {fault.rpc} fails"
            return Ending(ConnectError(Code[fault.fail.code], message, list(fault.fail.details)), fault.fail.applied)
        case "reset":
            reset = ConnectError(Code.UNAVAILABLE, "Connection reset by peer")
            reset.__cause__ = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
            return Ending(reset, fault.reset.applied)
        case "http":
            http = fault.http
            return Ending(_http_error(http.status, dict(http.headers), http.body), http.applied)
        case _:
            return None


def too_late(timeout: float) -> ConnectError:
    """Return the error of a call that a fault delays beyond its timeout."""
    return ConnectError(Code.DEADLINE_EXCEEDED, f"no answer within {timeout:g} s: a fault delays the call")


_PHRASES = {int(status): status.phrase for status in HTTPStatus}


def _http_error(status: int, headers: dict[str, str], body: bytes) -> ConnectError:
    """Return what connectrpc makes of an answer of HTTP that is no RPC's."""
    content_type = headers.get("content-type", "")
    if status == HTTPStatus.OK:
        text = f"invalid content-type: '{content_type}'; expecting 'application/proto'"
        return ConnectError(Code.UNKNOWN, text)
    error = _connect_error(status, body) if content_type.startswith("application/json") else None
    if error is None:
        error = ConnectError(Code[code_of_status(status)], _PHRASES.get(status, ""))
    if status in REFUSED:
        note(headers)
        attach(error)
    return error


def _connect_error(status: int, body: bytes) -> ConnectError | None:
    """Return the error that a body holds in the Connect protocol's form, None for another body."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    fields = cast("dict[str, Any]", found)
    try:
        code = Code(fields["code"])
    except (KeyError, ValueError):
        code = Code[code_of_status(status)]
    return ConnectError(code, str(fields.get("message", "")))
