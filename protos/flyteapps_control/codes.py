"""The codes of gRPC, by name."""

from __future__ import annotations

from flyteapps_control.arguments import text

OK = "OK"
CODES = (
    *("CANCELED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE"),
    *("UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
"""The codes of errors, in the order of their numbers, from 1."""


def code_name(code: str) -> str:
    """Return the name of a code of an error, of any case and spelling. Raises ValueError, TypeError."""
    name = text("a code", code).strip().upper().replace("-", "_").replace("CANCELLED", "CANCELED")
    if name not in CODES:
        raise ValueError(f"{code!r} is no code of an error: there are {', '.join(CODES)}")
    return name


_OF_STATUS = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    429: "UNAVAILABLE",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}


def code_of_status(status: int) -> str:
    """Return the code that clients make of an answer without one, by its status in HTTP: as gRPC and Connect define."""
    return _OF_STATUS.get(status, "UNKNOWN")
