"""One unary call, tried again where that may help."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from flyteapps.errors import CallerError, Code, Error, ProtocolError
from flyteapps.operations import Flow, Method, Sleep, Unary
from flyteapps.settings import Settings

REPEATED = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.INTERNAL})
"""Codes after which a call is tried again."""


def call(settings: Settings, method: Method, request: Message) -> Flow[Any]:
    """Calls, and gives the response. All attempts carry one request id and share the client's `timeout`.

    Raises Error; its `maybe_applied` is True where an attempt before may have been applied, whatever the last one says.
    """
    timeout = settings.timeout
    headers = settings.call_headers()
    left, attempt, uncertain = timeout, 1, False
    while True:
        try:
            return (yield Unary(method, request, left, headers))
        except Error as error:
            uncertain = error.maybe_applied = error.maybe_applied or uncertain
            if error.code not in REPEATED or attempt == settings.retries.attempts or not _may_pass(error):
                raise
            pause = settings.retries.pause(attempt)
            if left is not None:
                left -= error.seconds + pause
                if left <= 0:
                    raise  # the error at hand says more than that the time is over
        yield Sleep(pause)
        attempt += 1


def _may_pass(error: Error) -> bool:
    """Whether trying again can help: not where the caller has to mend something first."""
    return not isinstance(error, CallerError | ProtocolError)
