"""ServerStream: one server stream with credentials, opened again where they were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from flyteapps.errors import Code, Error
from flyteapps.flows.operations import Close, Flow, Method, Next, Now, Open, Quiet
from flyteapps.settings import REQUEST_ID, Settings
from flyteapps.support.debug import debug
from flyteapps.support.tracebacks import hidden_in_tests

if TYPE_CHECKING:
    from flyteapps.auth.session import Grant

__tracebackhide__ = hidden_in_tests


class ServerStream:
    """A stream that is to be opened. A refusal at its start opens it again, with other credentials.

    A refusal later on, of credentials that were revoked, is the end of the stream once there are others.
    """

    def __init__(self, settings: Settings, method: Method, request: Message, until: float | None = None) -> None:
        """Prepare it. `until`: the time after which its credentials are of no use, None for no limit."""
        self._settings = settings
        self._method = method
        self._request = request
        self._until = until
        self._stream: Any = None
        self._grant: Grant | None = None
        self._refusals: Any = None
        self._begun = False

    def open(self) -> Flow[None]:
        """Open it. Raises Error."""
        session, headers = self._settings.auth, self._settings.call_headers()
        if session is not None:
            now: float = yield Now()
            self._grant = yield from session.grant(now, self._limit(now))
            headers |= self._grant.headers
        debug("%s: opening %s, request %s", self._settings.endpoint, self._method.name, headers[REQUEST_ID])
        self._stream = yield Open(self._method, self._request, headers)

    def _limit(self, now: float) -> float | None:
        """Return the seconds that getting credentials may take."""
        limits = [each for each in (self._settings.timeout, self._until and self._until - now) if each is not None]
        return max(0.001, min(limits)) if limits else None

    def next(self, timeout: float | None) -> Flow[Any]:
        """Return the next message, or a Quiet; `timeout` counts anew once it was opened again. Raises Error."""
        while True:
            try:
                message = yield Next(self._stream, timeout)
            except Error as error:
                if self._settings.auth is None or not (yield from self._renewed(error)):
                    raise
                if self._begun:
                    return Quiet.END
                yield from self.close()
                yield from self.open()
                continue
            if not self._begun and not isinstance(message, Quiet):
                self._begun = True
                if self._grant is not None:
                    self._grant.accepted()
            return message

    def _renewed(self, error: Error) -> Flow[bool]:
        session = self._settings.auth
        if session is None or (self._begun and error.code is not Code.UNAUTHENTICATED):
            return False
        if self._refusals is None:
            from flyteapps.auth.session import Refusals

            self._refusals = Refusals()
        now: float = yield Now()
        return (yield from session.renewed(error, self._grant, self._limit(now), self._refusals))

    def close(self) -> Flow[None]:
        """Close it; closing again does nothing."""
        stream, self._stream = self._stream, None
        if stream is not None:
            yield Close(stream)
