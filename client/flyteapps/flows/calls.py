"""One unary call, with its retries."""

from __future__ import annotations

from typing import Any

from flyteidl2.app import app_definition_pb2 as definition
from google.protobuf.message import Message

from flyteapps.apps.conditions import is_of
from flyteapps.apps.planes import traits_of
from flyteapps.errors import CallerError, Code, Error, ProtocolError
from flyteapps.flows.methods import WRITES
from flyteapps.flows.operations import Flow, Method, Sleep, Unary
from flyteapps.settings import REQUEST_ID, Settings, label
from flyteapps.support.debug import debug, is_enabled
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests

RETRIED = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.INTERNAL})
"""Codes after which a call is retried."""

MAX_COLLISIONS = 30
"""Maximum number of attempts at a write that each meet another write."""

MAX_PAUSE_SECONDS = 300.0
"""Maximum delay that a plane can ask for before the retry of a call without a timeout."""


def call(settings: Settings, method: Method, request: Message, about: definition.Identifier | None = None) -> Flow[Any]:
    """Make a call, and return its response. All attempts carry one request id and share the client's `timeout`.

    `about`: the app that the response has to hold; another one is a ProtocolError. Raises Error; its `maybe_applied` is
    True if any attempt may have been applied.
    """
    timeout = settings.timeout
    headers, session = settings.call_headers(), settings.auth
    retries, left, uncertain = settings.retries, timeout, False
    failures = collisions = 0
    while True:
        try:
            if is_enabled():
                attempt = failures + collisions + 1
                debug("%s: %s, attempt %d, request %s", settings.endpoint, method.name, attempt, headers[REQUEST_ID])
            operation = Unary(method, request, left, headers)
            response = (yield operation) if session is None else (yield from session.unary(operation))
            if about is not None and not is_of(response.app, about):
                _check(settings, method, response.app, about, headers[REQUEST_ID])
            return response
        except Error as error:
            uncertain = error.maybe_applied = error.maybe_applied or uncertain
            if error.code not in RETRIED or not _may_pass(error) or retries.attempts == 1:
                raise
            if error.collided:
                collisions += 1
                pause = retries.pause_of_collision(collisions)
            else:
                failures += 1
                pause = retries.pause(failures)
            if failures == retries.attempts or collisions == MAX_COLLISIONS:
                raise
            if error.retry_after is not None:  # by the plane or a proxy in front of it
                delay = error.retry_after
                pause = max(pause, delay if left is not None else min(delay, MAX_PAUSE_SECONDS))
            if left is not None:
                left -= error.seconds + pause
                if left <= 0:
                    raise  # more informative than the end of the time
        debug("%s: %s again in %.2f s", settings.endpoint, method.name, pause)
        yield Sleep(pause)


def _may_pass(error: Error) -> bool:
    """Return whether a retry can succeed: not if the caller has to correct something first."""
    return not isinstance(error, CallerError | ProtocolError)


def _check(
    settings: Settings, method: Method, app: definition.App, about: definition.Identifier, request_id: str
) -> None:
    """Raise ProtocolError unless both ids name one app: a plane without revisions compares them joined."""
    if app.metadata.id.name and not traits_of(app).counts_revisions and _joined(app.metadata.id) == _joined(about):
        return
    shown = f"app {label(app.metadata.id)}" if app.metadata.id.name else "no app"
    raise ProtocolError(
        f"{settings.endpoint} answered {method.name} of app {label(about)} with {shown}: does a proxy "
        f"mix up responses?",
        request_id=request_id,
        endpoint=settings.endpoint,
        app=label(about),
        maybe_applied=method.name in WRITES,
    )


def _joined(identifier: definition.Identifier) -> str:
    return f"{identifier.name}-{identifier.project}-{identifier.domain}".lower()
