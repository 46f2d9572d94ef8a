"""Session: the credentials of one client's calls, and the repetition of a call that was refused for want of them."""

from __future__ import annotations

from math import inf
from typing import Any

from flyteapps.auth.base import Auth, Context
from flyteapps.auth.credentials import Credentials
from flyteapps.auth.tokens import Token
from flyteapps.errors import Code, Error
from flyteapps.flows.operations import CredentialsExpired, Flow, Now, Unary
from flyteapps.support.debug import debug

MAX_REPETITIONS = 3
"""Maximum number of repetitions of a call; only one is with credentials that it made the client get."""


class Session:
    """The credentials of a client: those for the plane, and those for a proxy in front of it."""

    def __init__(self, context: Context, auth: Auth | None, proxy: Auth | None = None) -> None:
        self.context = context
        self.auth = auth
        self._parts = [Credentials(each, context) for each in (auth, proxy) if each is not None]
        self._only = self._parts[0] if len(self._parts) == 1 and self._parts[0].auth.of_call() is None else None

    def __repr__(self) -> str:
        return f"Session({', '.join(repr(part.auth) for part in self._parts)})"

    @property
    def has_credentials(self) -> bool:
        """Whether there are any at the moment."""
        return any(part.token is not None and part.token.headers for part in self._parts)

    def log_in(self, timeout: float) -> Flow[None]:
        """Get the credentials that are got only once a plane refuses a call. Raises Error."""
        for part in self._parts:
            now: float = yield Now()
            yield from part.replaced(Token({}, now), now, timeout)

    def grant(self, now: float, timeout: float | None) -> Flow[Grant]:
        """Return the credentials of an attempt that has so many seconds. Raises Error."""
        grant = Grant()
        for part in self._parts:
            of_call = part.auth.of_call()
            if of_call is not None:
                grant.headers |= of_call
                continue
            token = yield from part.get(now, timeout)
            grant.tokens.append((part, token))
            grant.headers |= token.headers
        return grant

    def unary(self, call: Unary) -> Flow[Any]:
        """Make a call with credentials, repeated if they were refused. Raises Error."""
        only = self._only
        token = only.token if only is not None else None
        plain, timeout = call.headers, call.timeout
        if only is not None and token is not None:  # the common case: neither a look at the clock nor a Grant
            call.headers = {**plain, **token.headers}
            call.valid_until = token.renew_at
            try:
                response = yield call
            except CredentialsExpired:
                pass
            except Error as error:
                now: float = yield Now()
                refusals, began = Refusals(), now - error.seconds
                yield from self._refused(error, call, Grant([(only, token)], token.headers), timeout, began, refusals)
                return (yield from self._attempts(call, plain, timeout, began, refusals))
            else:
                if not token.accepted:
                    only.accepted(token)
                return response
        return (yield from self._attempts(call, plain, timeout, (yield Now()), Refusals()))

    def _attempts(
        self, call: Unary, plain: dict[str, str], timeout: float | None, began: float, refusals: Refusals
    ) -> Flow[Any]:
        """Make a call that began at a time, with credentials that may have to be got first."""
        call.valid_until = inf
        while True:
            now: float = yield Now()
            try:
                grant = yield from self.grant(now, _left(timeout, now - began))
            except Error as error:
                now = yield Now()
                error.seconds = now - began
                raise
            now = yield Now()
            call.headers = {**plain, **grant.headers}
            call.timeout = _left(timeout, now - began)
            try:
                response = yield call
            except Error as error:
                yield from self._refused(error, call, grant, timeout, began, refusals)
            else:
                grant.accepted()
                return response

    def _refused(
        self, error: Error, call: Unary, grant: Grant, timeout: float | None, began: float, refusals: Refusals
    ) -> Flow[None]:
        """Return if the call can be repeated. Raises its error otherwise, with the time of all attempts."""
        now: float = yield Now()
        error.seconds = now - began
        if not (yield from self.renewed(error, grant, _left(timeout, error.seconds), refusals)):
            raise error
        debug("%s: repeating %s after %s", self.context.endpoint, call.method.name, error.code and error.code.name)

    def renewed(self, error: Error, grant: Grant | None, left: float | None, refusals: Refusals) -> Flow[bool]:
        """Return whether the refused call can be repeated, with other credentials. Raises Error.

        Only a refusal for want of credentials is repeated: after any other error a write may have been applied.
        `grant`: None if the call wasn't made.
        """
        if grant is None or error.maybe_applied or refusals.renewed or refusals.count == MAX_REPETITIONS:
            return False
        missing = error.code is Code.PERMISSION_DENIED and not grant.headers
        if error.code is not Code.UNAUTHENTICATED and not missing:
            return False
        refusals.count += 1
        now: float = yield Now()
        others = False
        for part, token in grant.tokens:
            is_latest = part.token is token or part.token is None
            others = (yield from part.replaced(token, now, left)) is not None or others
            refusals.renewed = refusals.renewed or is_latest
        return others


class Refusals:
    """The refusals of one call. `renewed`: whether credentials were got because of one."""

    __slots__ = ("count", "renewed")

    def __init__(self) -> None:
        self.count = 0
        self.renewed = False


class Grant:
    """The credentials of one attempt."""

    __slots__ = ("headers", "tokens")

    def __init__(self, tokens: list[tuple[Any, Token]] | None = None, headers: dict[str, str] | None = None) -> None:
        self.tokens: list[tuple[Any, Token]] = tokens or []
        self.headers: dict[str, str] = dict(headers or {})

    def accepted(self) -> None:
        """Record that the plane accepted them."""
        for part, token in self.tokens:
            if not token.accepted:
                part.accepted(token)


def _left(timeout: float | None, seconds: float) -> float | None:
    """Return what is left of a timeout."""
    return None if timeout is None else max(0.001, timeout - seconds)
