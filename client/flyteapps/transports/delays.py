"""The header Retry-After: noted where a response is read, attached to the error that connectrpc makes of it.

connectrpc's errors don't carry headers, and both happen in one task or thread, so a context variable lies between.
"""

from __future__ import annotations

from contextvars import ContextVar
from http import HTTPStatus
from typing import Any

from connectrpc.errors import ConnectError

REFUSED = frozenset({int(HTTPStatus.TOO_MANY_REQUESTS), int(HTTPStatus.SERVICE_UNAVAILABLE)})
"""Statuses that the header goes along with."""

_noted: ContextVar[float | None] = ContextVar("flyteapps_retry_after", default=None)


def note(headers: Any) -> None:
    """Note what the headers of a refused call say."""
    _noted.set(_seconds(headers.get("retry-after")))


def attach(error: ConnectError) -> None:
    """Give the error a `retry_after` where a header said so."""
    if (seconds := _noted.get()) is not None:
        _noted.set(None)
        vars(error)["retry_after"] = seconds


class NotingClient:
    """A pyqwest.SyncClient whose refusals are noted."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def post(self, *args: Any, **kwargs: Any) -> Any:
        """See pyqwest.SyncClient.post."""
        response = self._client.post(*args, **kwargs)
        if response.status in REFUSED:
            note(response.headers)
        return response


def _seconds(text: str | None) -> float | None:
    """Seconds from now, from a number or a date; None where it is neither."""
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
