"""The authentication of one plane: from the header of a call to its caller, its rights, and what was revoked.

Entered under the plane's lock. A token that was checked is remembered until it expires, so that a Get with one costs
little more than without.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from flyteidl2.app.app_payload_pb2 import GetRequest
from joserfc.jwk import ECKey

from flyteapps_control.selection import NO_APP
from flyteapps_fake.auth.keys import SigningKeys
from flyteapps_fake.auth.oauth.records import Records
from flyteapps_fake.auth.principal import Principal, Rights, known
from flyteapps_fake.auth.projects import project_named_by
from flyteapps_fake.auth.provider import Pending, Provider
from flyteapps_fake.auth.refusals import denied, invalid_token, no_credentials
from flyteapps_fake.auth.settings import Auth
from flyteapps_fake.auth.tokens import InvalidToken, Tokens
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.control.subject import app_named_by
from flyteapps_fake.core.call import Call, Identity
from flyteapps_fake.core.dialect import Dialect
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import LIST, WATCH
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.clock import SECOND, Clock

T = TypeVar("T")

IN_PROCESS = "http://localhost"
"""The issuer of a plane that no server serves."""
MAX_VERIFIED = 10_000
"""Tokens that are remembered as checked; one more forgets all of them."""
MAX_REVOKED = 100_000
"""Revoked tokens that are remembered; the oldest are forgotten, which have expired by then."""
FILTERED = (LIST, WATCH)
"""The RPCs whose answers leave out what a caller may not see."""


class Credentials(NamedTuple):
    """The keys that sign tokens, the newest first, the issuers whose tokens count, and the skew of their clock."""

    keys: tuple[ECKey, ...]
    issuers: tuple[str, ...]
    skew: float


class Authentication:
    """The authentication of one plane."""

    def __init__(self, auth: Auth, clock: Clock, dialect: Dialect) -> None:
        self.on_touch: Callable[[], None] | None = None
        """The function that is called when keys, skew or issuer are about to change."""
        self.on_touch_revoked: Callable[[str], None] | None = None
        """The function that is called with each id or session that is about to be revoked, or forgotten."""
        self.settings = auth
        self._clock = clock
        self._dialect = dialect
        self.keys = SigningKeys()
        self.provider = (
            Provider(auth.provider, auth.audience) if auth.provider is not None and auth.audience is not None else None
        )
        """The existing provider whose tokens count; None where the plane issues its own."""
        self.tokens = Tokens(self.keys, self.now)
        self._skew_seconds = 0.0
        self.issuer = auth.issuer or IN_PROCESS
        self._issuers = frozenset((self.issuer,))
        self.records = Records()
        """The codes and refresh tokens of the plane's authorization server."""
        self._verified: dict[str, Principal] = {}
        self._readers: dict[str, tuple[int, int, str]] = {}
        """Of those that see all: the plane's time from which and until which the token counts, and the subject."""
        self._verified_bytes: dict[bytes, Principal] = {}
        """The same by the bytes of the header."""
        self._header = auth.header
        self._header_bytes = auth.header.encode()
        self._revoked: dict[str, int] = {}
        """The revoked ids and sessions, the oldest first, each with a number."""

    def skew(self, seconds: float) -> None:
        """Let the clock of the tokens be ahead of the plane's by so many seconds, which may be negative: a fault."""
        self._touch()
        self._skew_seconds = seconds
        self._readers.clear()

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self._clock.now() / SECOND + self._skew_seconds

    @property
    def audience(self) -> str:
        """The audience of the plane's tokens."""
        return self.settings.audience or self.issuer

    def serve_at(self, url: str) -> None:
        """Take the base URL of a server as the issuer, unless one is configured or a server named its own before."""
        if self.issuer == IN_PROCESS and self.settings.issuer is None:
            self._touch()
            self.issuer = url
            self._issuers |= {url}

    # ---- tokens

    def token(self, subject: str, seconds: float | None = None, **claims: Any) -> str:
        """Return an access token for a user or a client. Raises ValueError for an unknown subject."""
        if known(self.settings, subject) is None and self.settings.others is None:
            names = [
                *(each.subject for each in self.settings.users),
                *(each.client_id for each in self.settings.clients),
            ]
            raise ValueError(f"{subject!r} is neither a user nor a client; there are {', '.join(names) or 'none'}")
        if self.provider is not None:
            raise ValueError(f"this plane issues no tokens: {self.settings.provider} does")
        lifetime = self.settings.access_token_seconds if seconds is None else seconds
        scope = " ".join(self.settings.scopes)
        return self.tokens.issue(self.issuer, self.audience, subject, lifetime, **{"scope": scope, **claims})

    def api_key(self, org: str, client_id: str | None = None, endpoint: str | None = None) -> str:
        """Return an API key of a client with a secret, the first one by default. Raises ValueError."""
        client = self.settings.confidential_client(client_id)
        where = endpoint or self.issuer.removeprefix("https://")
        return base64.b64encode(f"{where}:{client.client_id}:{client.secret}:{org}".encode()).decode()

    def rotate_keys(self, *, keep: bool = True) -> None:
        """Sign with a new key; `keep`: tokens of the keys before still count."""
        self._touch()
        self.keys.rotate(keep=keep)
        self._forget()

    def revoke(self, *names: str) -> None:
        """Revoke the tokens of these ids or sessions: new calls are refused, and their open streams end."""
        for name in names:
            if name not in self._revoked:
                self._touch_revoked(name)
                self._revoked[name] = next(reversed(self._revoked.values()), 0) + 1
            if len(self._revoked) > MAX_REVOKED:
                oldest = next(iter(self._revoked))
                self._touch_revoked(oldest)
                del self._revoked[oldest]
        self._forget()
        for stream in self._dialect.streams.all():
            if self.is_revoked(stream.credential):
                stream.end(invalid_token("it was revoked"))

    def revoke_token(self, token: str) -> None:
        """Revoke one access token. Raises ValueError for one that isn't valid."""
        try:
            claims = self.claims(token)
        except InvalidToken as invalid:
            raise ValueError(f"the token can't be revoked: {invalid}") from None
        self.revoke(str(claims.get("jti", "")))

    def is_revoked(self, names: tuple[str, ...]) -> bool:
        """Return whether one of these ids or sessions is revoked."""
        return any(name in self._revoked for name in names if name)

    # ---- the pieces of the state

    def image(self) -> Credentials:
        """Return the keys, the issuers and the skew of the clock, as they are now."""
        return Credentials(self.keys.all(), tuple(sorted(self._issuers)), self._skew_seconds)

    def put(self, image: Credentials | None) -> None:
        """Replace these, None for new keys; tokens of all the issuers count, of its own and of those."""
        if image is None:
            self.keys.rotate(keep=False)
            self._skew_seconds = 0.0
            return
        self.keys.put(image.keys)
        self._issuers |= frozenset(image.issuers)
        self._skew_seconds = image.skew

    def revocations(self) -> Mapping[str, int]:
        """Return the revoked ids and sessions, each with a number: that of the oldest is the lowest."""
        return self._revoked

    def put_revocation(self, name: str, number: int | None) -> None:
        """Replace the revocation of an id or session, None for none; `settle` has to follow."""
        self._revoked.pop(name, None)
        if number is not None:
            self._revoked[name] = number

    def settle(self) -> None:
        """Go on from what was put."""
        self._revoked = dict(sorted(self._revoked.items(), key=lambda each: each[1]))
        self._forget()

    def _touch(self) -> None:
        if self.on_touch is not None:
            self.on_touch()

    def _touch_revoked(self, name: str) -> None:
        if self.on_touch_revoked is not None:
            self.on_touch_revoked(name)

    # ---- calls

    def identify(self, call: Call[Any]) -> Principal:
        """Return the caller of a call. Raises RpcError, UNAUTHENTICATED."""
        name = self.settings.header
        header = call.metadata.get(name)
        if header is None and call.protocol == "direct":
            header = next((value for key, value in call.metadata.items() if key.lower() == name), None)
        if header is None:
            raise no_credentials(name)
        found = self._verified.get(header)
        if found is not None and self._counts(found):
            return found
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise no_credentials(name)
        try:
            found = self._check(token)
        except InvalidToken as invalid:
            raise invalid_token(str(invalid)) from None
        if len(self._verified) >= MAX_VERIFIED:
            self._forget()
        self._verified[header] = found
        self._verified_bytes[header.encode("latin-1", "replace")] = found
        if found.sees is None and self.provider is None:
            starts, expires = (round((each - self._skew_seconds) * SECOND) for each in (found.starts, found.expires))
            self._readers[header] = starts, expires, found.subject
        return found

    def _forget(self) -> None:
        """Forget which tokens were checked."""
        self._verified.clear()
        self._verified_bytes.clear()
        self._readers.clear()

    def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that counts. Raises InvalidToken, and Pending where that isn't known yet."""
        if self.provider is not None:
            return self.provider.check(token)
        audience = self.settings.audience
        audiences = frozenset((audience,)) if audience is not None else self._issuers
        return self.tokens.check(token, self._issuers, audiences)

    def accepts(self, token: str) -> bool:
        """Return whether a token is one of a caller of the plane."""
        try:
            self._check(token)
        except InvalidToken:
            return False
        return True

    def _check(self, token: str) -> Principal:
        """Return the caller that a token names. Raises InvalidToken."""
        return self._principal(self.claims(token))

    def _principal(self, claims: dict[str, Any]) -> Principal:
        token_id, session = (str(claims.get(key, "")) for key in ("jti", "sid"))
        if self.is_revoked((token_id, session)):
            raise InvalidToken("it was revoked")
        subject: str = claims["sub"]
        found = known(self.settings, subject)
        if found is None:
            if self.settings.others is None:
                raise InvalidToken("its subject is unknown here")
            texts = [claims.get(key) for key in ("name", "email")]
            name, email = (text if isinstance(text, str) else "" for text in texts)
            rights = Rights(self.settings.others)
            found = Identity(subject, name, email, False, rights.role, rights.projects), rights
        identity, rights = found
        return Principal(identity, rights, rights.sees, token_id, session, claims["exp"], claims.get("nbf", 0.0))

    def _counts(self, principal: Principal) -> bool:
        """Return whether a token that was checked before has begun, and hasn't expired."""
        if self.provider is None:
            return principal.starts <= self.now() < principal.expires
        return time.time() < principal.expires

    def is_known_reader(self, call: Call[Any]) -> bool:
        """Return whether a read's token was checked before, and its caller sees all; else `admit` says.

        Sets the caller. Three look-ups and two comparisons: a Get in process takes few microseconds.
        """
        found = self._readers.get(call.metadata.get(self._header, ""))
        if found is None:
            return False
        starts, expires, subject = found
        if not starts <= self._clock.now() < expires:
            return False
        call.caller = subject
        return True

    def admit(self, call: Call[Any]) -> Principal:
        """Return the caller of a call that it has the right to. Raises RpcError; Postponed where it isn't known yet."""
        try:
            principal = self.identify(call)
        except Pending as pending:
            done = pending.done
            raise Postponed(0.0, lambda: 0.0 if done() else None, lambda: None, lambda: None) from None
        call.caller = principal.subject
        if principal.rights.role != "admin" and (principal.sees is not None or call.operation.access != "read"):
            self._check_rights(call, principal)
        return principal

    def as_caller(self, caller: Principal, run: Callable[[Call[Any]], T]) -> Callable[[Call[Any]], T]:
        """Return what carries a call out as that caller's."""

        def run_as_caller(call: Call[Any]) -> T:
            self._dialect.act_for(caller.identity, caller.sees)
            result = run(call)
            if isinstance(result, OpenStream):
                result.credential = (caller.token_id, caller.session)
            return result

        return run_as_caller

    def recognized(self, headers: Mapping[bytes, bytes], request: GetRequest) -> str | None:
        """Return the subject of a Get whose token was checked before, if it may see the app; else None.

        For responses of before: it takes a microsecond, and needs no lock.
        """
        found = self._verified_bytes.get(headers.get(self._header_bytes, b""))
        if found is None or not self._counts(found):
            return None
        if found.sees is not None and not found.sees(request.app_id.project, request.app_id.domain):
            return None
        return found.identity.subject

    def _check_rights(self, call: Call[Any], principal: Principal) -> None:
        operation, rights = call.operation, principal.rights
        if operation.access == "admin":
            raise denied(principal.subject, rights.role, f"{operation.method} needs the role admin")
        app = app_named_by(call)
        project, domain = (app.project, app.domain) if app != NO_APP else project_named_by(call.request)
        hidden = project and principal.sees is not None and not rights.may_see(project, domain)
        if hidden and operation not in FILTERED and (operation.access == "read" or app.name):
            raise self._dialect.absent(app) if app.name else _absent_project(project)
        if operation.access == "write" and not rights.may_write(project, domain):
            where = f" in project {project}" if project else ""
            raise denied(principal.subject, rights.role, f"{operation.method}{where} needs the role contributor there")


def _absent_project(project: str) -> RpcError:
    return RpcError(Code.NOT_FOUND, f"project {project!r} not found")
