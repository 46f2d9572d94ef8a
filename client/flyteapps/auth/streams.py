"""ServerStream: one server stream with credentials, opened again where they were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from flyteapps.errors import Code, Error
from flyteapps.flows.operations import Close, Flow, Method, Next, Now, Open, Quiet
from flyteapps.settings import Settings
from flyteapps.support.tracebacks import hidden_in_tests

if TYPE_CHECKING:
    from flyteapps.auth.session import Grant

__tracebackhide__ = hidden_in_tests


class ServerStream:
    """A stream that is to be opened. A refusal at its start opens it again, with other credentials.

    A refusal later on, of credentials that were revoked, is the end of the stream once there are others.
    """

    def __init__(self, settings: Settings, method: Method, request: Message) -> None:
        self._settings = settings
        self._method = method
        self._request = request
        self._stream: Any = None
        self._grant: Grant | None = None
        self._refusals: Any = None
        self._begun = False

    def open(self, timeout: float | None) -> Flow[None]:
        """Open it; `timeout` is for its credentials. Raises Error."""
        session, headers = self._settings.auth, self._settings.call_headers()
        if session is not None:
            now: float = yield Now()
            self._grant = yield from session.grant(now, timeout)
            headers |= self._grant.headers
        self._stream = yield Open(self._method, self._request, headers)

    def next(self, timeout: float | None) -> Flow[Any]:
        """Return the next message, or a Quiet. Raises Error."""
        if self._settings.auth is None:
            return (yield Next(self._stream, timeout))
        until: float | None = None if timeout is None else timeout + (yield Now())
        while True:
            try:
                message = yield Next(self._stream, timeout)
            except Error as error:
                left = None if until is None else max(0.0, until - (yield Now()))
                if not (yield from self._renewed(error, left)):
                    raise
                if self._begun:
                    return Quiet.END
                yield from self.close()
                yield from self.open(left)
                timeout = None if until is None else max(0.0, until - (yield Now()))
                continue
            if not self._begun and not isinstance(message, Quiet) and self._grant is not None:
                self._begun = True
                self._grant.accepted()
            return message

    def _renewed(self, error: Error, left: float | None) -> Flow[bool]:
        session = self._settings.auth
        if session is None or (self._begun and error.code is not Code.UNAUTHENTICATED):
            return False
        if self._refusals is None:
            from flyteapps.auth.session import Refusals

            self._refusals = Refusals()
        return (yield from session.renewed(error, self._grant, left, self._refusals))

    def close(self) -> Flow[None]:
        """Close it; closing again does nothing."""
        stream, self._stream = self._stream, None
        if stream is not None:
            yield Close(stream)
