"""One unary call, tried again where that may help."""

from __future__ import annotations

from typing import Any

from flyteidl2.app import app_definition_pb2 as definition
from google.protobuf.message import Message

from flyteapps import conditions
from flyteapps.errors import CallerError, Code, Error, ProtocolError
from flyteapps.flows.methods import WRITES
from flyteapps.flows.operations import Flow, Method, Sleep, Unary
from flyteapps.settings import REQUEST_ID, Settings, label

REPEATED = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.INTERNAL})
"""Codes after which a call is tried again."""

LONGEST_PAUSE_SECONDS = 300.0
"""How long a plane may put off a call that has no timeout."""


def call(settings: Settings, method: Method, request: Message, about: definition.Identifier | None = None) -> Flow[Any]:
    """Calls, and gives the response. All attempts carry one request id and share the client's `timeout`.

    `about`: the app that the response has to hold; another one is a ProtocolError. Raises Error; its `maybe_applied` is
    True where an attempt before may have been applied, whatever the last one says.
    """
    timeout = settings.timeout
    headers = settings.call_headers()
    left, attempt, uncertain = timeout, 1, False
    while True:
        try:
            response = yield Unary(method, request, left, headers)
            if about is not None and not conditions.is_of(response.app, about):
                _check(settings, method, response.app, about, headers[REQUEST_ID])
            return response
        except Error as error:
            uncertain = error.maybe_applied = error.maybe_applied or uncertain
            if error.code not in REPEATED or attempt == settings.retries.attempts or not _may_pass(error):
                raise
            pause = settings.retries.pause(attempt)
            if error.retry_after is not None:  # the plane, or what stands before it, said when
                asked = error.retry_after
                pause = max(pause, asked if left is not None else min(asked, LONGEST_PAUSE_SECONDS))
            if left is not None:
                left -= error.seconds + pause
                if left <= 0:
                    raise  # the error at hand says more than that the time is over
        yield Sleep(pause)
        attempt += 1


def _may_pass(error: Error) -> bool:
    """Whether trying again can help: not where the caller has to mend something first."""
    return not isinstance(error, CallerError | ProtocolError)


def _check(
    settings: Settings, method: Method, app: definition.App, about: definition.Identifier, request_id: str
) -> None:
    """Raise ProtocolError unless the app is known by both ids: a plane without revisions goes by the joined ones."""
    if app.metadata.id.name and not conditions.has_revisions(app) and _joined(app.metadata.id) == _joined(about):
        return
    shown = f"app {label(app.metadata.id)}" if app.metadata.id.name else "no app"
    raise ProtocolError(
        f"{settings.endpoint} answered {method.name} of app {label(about)} with {shown}: is something between the "
        f"client and the plane mixing up answers?",
        request_id=request_id,
        endpoint=settings.endpoint,
        app=label(about),
        maybe_applied=method.name in WRITES,
    )


def _joined(identifier: definition.Identifier) -> str:
    return f"{identifier.name}-{identifier.project}-{identifier.domain}".lower()
