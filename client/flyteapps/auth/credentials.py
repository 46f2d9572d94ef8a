"""Credentials: one client's credentials of one kind, renewed by one caller at a time.

The first caller that needs new ones leads: it runs the steps in its own thread or task, on its own driver. The others
wait for it, each as its kind waits, and take its result or its error; where it was interrupted, the next one leads.
While old credentials are still good the others don't wait. Rules of this file: the lock is held for decisions alone,
never over an operation.
"""

from __future__ import annotations

import copy
import random
import sys
import threading
from typing import Any

from flyteapps.auth.base import Auth, Context
from flyteapps.auth.tokens import Token
from flyteapps.errors import DeadlineExceeded, Error
from flyteapps.flows.operations import Flow, Now, Perform
from flyteapps.support.debug import debug
from flyteapps.support.latch import Latch
from flyteapps.support.secret import forget_locals
from flyteapps.transports import forks

MAX_EARLY_RENEWAL_SECONDS = 5.0
"""Maximum duration of a renewal before the expiry, since the call of the leading caller waits for it."""

SHARED_SECONDS = 30.0
"""Duration after which a renewal that took too long has failed for all callers, not just for a hurried one."""

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 60.0
"""Pauses after a renewal that failed: the first, doubled with each further failure, and the longest."""

_random = random.SystemRandom()


class _Renewal:
    """One renewal under way."""

    __slots__ = ("error", "latch")

    def __init__(self) -> None:
        self.latch = Latch()
        self.error: Error | None = None


class Credentials:
    """The credentials that one Auth gets for a client; for threads, tasks, and forked processes."""

    def __init__(self, auth: Auth, context: Context) -> None:
        self.auth = auth
        self._context = context
        self.token: Token | None = None
        self._lock = threading.Lock()
        self._renewal: _Renewal | None = None
        self._failures = 0
        self._error: Error | None = None  # of the last renewal, until one succeeds
        self._next_at = 0.0  # before it no renewal begins
        forks.register(self)

    def forked(self) -> None:
        """See Inherited."""
        self._lock = threading.Lock()
        self._renewal = None

    def __getstate__(self) -> dict[str, Any]:
        return {"auth": self.auth, "context": self._context}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["auth"], state["context"])

    def get(self, now: float, timeout: float | None) -> Flow[Token]:
        """Return credentials that haven't expired, renewed if it is time. Raises Error."""
        token = self.token
        if token is not None and now < token.renew_at:
            return token
        if token is None and self.auth.on_refusal:
            return Token({}, now)
        if token is not None and now < token.expires_at:
            if self._renewal is None and now >= self._next_at:
                limit = MAX_EARLY_RENEWAL_SECONDS if timeout is None else min(timeout / 2, MAX_EARLY_RENEWAL_SECONDS)
                try:
                    return (yield from self._renew(token, limit))
                except Error as error:
                    debug("%s, which still works for %.1f s", error.message, token.expires_at - now)
            return self.token or token
        return (yield from self._renew(token, timeout))

    def replaced(self, refused: Token, now: float, timeout: float | None) -> Flow[Token | None]:
        """Return other credentials than the refused ones, None where none can be had now. Raises Error.

        Credentials that were refused from the first count as a failure, so that a plane which accepts none doesn't
        make every call get new ones.
        """
        current = self.token
        if current is not None and current is not refused and now < current.expires_at:
            return current
        if not self.auth.renewable:
            return None
        return (yield from self._renew(refused, timeout, never_accepted=bool(refused.headers) and not refused.accepted))

    def _renew(self, old: Token | None, timeout: float | None, *, never_accepted: bool = False) -> Flow[Any]:
        """Return credentials other than `old`: this caller's renewal, or that of another one.

        None for `never_accepted` ones, if others were tried a moment ago.
        """
        now: float = yield Now()
        until = now + (self.auth.max_seconds if timeout is None else min(timeout, self.auth.max_seconds))
        while True:
            with self._lock:
                if self.token is not None and self.token is not old and now < self.token.expires_at:
                    return self.token
                renewal = self._renewal
                leads = renewal is None
                if renewal is None:
                    if now < self._next_at and never_accepted:
                        return None
                    if now < self._next_at and self._error is not None:
                        raise _again(self._error, self._next_at - now)
                    if never_accepted:
                        self._failed(now, None)
                    renewal = self._renewal = _Renewal()
            if leads:
                return (yield from self._lead(renewal, old, until - now, reset=not never_accepted))
            latch, left = renewal.latch, until - now
            done = yield Perform(lambda: latch.wait(left), lambda: latch.async_wait(left))  # noqa: B023  # run at once
            now = yield Now()
            if renewal.error is not None:
                raise copy.copy(renewal.error)
            if now >= until:
                raise self._late(timeout)
            if not done:
                with self._lock:
                    if self._renewal is renewal:
                        self._renewal = None  # its caller can't go on while this one waits: this one leads

    def _lead(self, renewal: _Renewal, old: Token | None, limit: float, *, reset: bool) -> Flow[Token]:
        """Get credentials within so many seconds, for all that wait for this renewal."""
        outer = sys.exception()
        began: float = yield Now()
        debug("%r: %s credentials", self.auth, "renewing" if old is not None and old.headers else "getting")
        try:
            token = yield from self.auth.fetch(self._context, old, limit)
        except Error as error:
            forget_locals(error, outer)  # all that got them: secrets stand in its frames
            now: float = yield Now()
            debug("%r: no credentials: %s", self.auth, error.message)
            impatient = isinstance(error, DeadlineExceeded) and limit < 0.9 * min(SHARED_SECONDS, self.auth.max_seconds)
            with self._lock:
                renewal.error = None if impatient else error
                self._failed(now, renewal.error)
            raise
        else:
            now = yield Now()
            debug("%r: credentials after %.3f s", self.auth, now - began)
            with self._lock:
                self.token, self._error = token, None
                if reset:
                    self._failures = 0
            return token
        finally:
            with self._lock:
                if self._renewal is renewal:
                    self._renewal = None
            renewal.latch.set()

    def _failed(self, now: float, error: Error | None) -> None:
        """Record a failure at that time; the lock is held."""
        self._failures += 1
        pause = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 30))
        self._next_at = now + max(pause * _random.uniform(0.5, 1.0), (error and error.retry_after) or 0.0)
        self._error = error

    def accepted(self, token: Token) -> None:
        """Record that a plane accepted the credentials."""
        token.accepted = True
        self._failures = 0

    def _late(self, timeout: float | None) -> Error:
        seconds = timeout or self.auth.max_seconds
        return DeadlineExceeded(
            f"{self.auth!r}: no credentials within {seconds:g} s, which another call is getting",
            endpoint=self._context.endpoint,
        )


def _again(error: Error, seconds: float) -> Error:
    """Return a copy of the error of the last renewal, for a call that comes before the next one may begin."""
    repeated = copy.copy(error)
    repeated.message = f"{error.message.partition(' (tried again')[0]} (tried again in {seconds:.1f} s at the earliest)"
    repeated.args = (repeated.message,)
    repeated.retry_after = seconds
    return repeated
