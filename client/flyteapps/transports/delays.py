"""The header Retry-After: stored when a response is read, attached to the error that connectrpc makes of it.

connectrpc's errors don't carry headers, and both happen in one task or thread, so a context variable connects them.
"""

from __future__ import annotations

from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

from connectrpc.errors import ConnectError

REFUSED = frozenset({int(HTTPStatus.TOO_MANY_REQUESTS), int(HTTPStatus.SERVICE_UNAVAILABLE)})
"""Statuses with which the header is read."""

_noted: ContextVar[float | None] = ContextVar("flyteapps_retry_after", default=None)


def note(headers: Any) -> None:
    """Store the delay in the headers of a refused call."""
    _noted.set(seconds_of(headers.get("retry-after")))


def attach(error: ConnectError) -> None:
    """Set the error's `retry_after` if a delay is stored."""
    if (seconds := _noted.get()) is not None:
        _noted.set(None)
        vars(error)["retry_after"] = seconds


class NotingClient:
    """A pyqwest.SyncClient that stores the delays of refused calls."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """See pyqwest.SyncClient.post."""
        response = self._client.post(*args, **kwargs)
        if response.status in REFUSED:
            note(response.headers)
        return response


def seconds_of(text: str | None) -> float | None:
    """Return the seconds from now, from a number or a date; None for other texts."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    import time
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
