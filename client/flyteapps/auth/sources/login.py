"""Login: the base of ways in which a person logs in, with tokens that are stored and renewed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from flyteapps.auth.base import Auth, Context
from flyteapps.auth.sources.metadata import Metadata, discovered, no_credentials
from flyteapps.auth.sources.stored import Keyring, Stored
from flyteapps.auth.sources.token_endpoint import OAuthRefusal, Request
from flyteapps.auth.tokens import Token, bearer
from flyteapps.errors import Unauthenticated
from flyteapps.flows.operations import Flow, Now
from flyteapps.support.debug import debug
from flyteapps.support.secret import Secret


def to_stderr(text: str) -> None:
    """Print a text for the person that logs in."""
    print(text, file=sys.stderr, flush=True)


class Login(Auth):
    """Tokens of a person: those of the keyring, renewed by their refresh token, or else by a login.

    A plane is first called without any, so that one without authentication needs no login. `client_id`, `scopes`,
    `audience`, `header`: instead of those that the plane names. `keyring`: whether tokens are stored, in the SDK's own
    item. `interactive`: whether a person can log in during a call; if not, `flyteapps login` has to come first.
    `prompt`: shows a text to that person, by default on standard error.
    """

    on_refusal = True
    max_seconds = 300.0

    def __init__(
        self,
        *,
        client_id: str = "",
        scopes: Sequence[str] = (),
        audience: str = "",
        header: str = "",
        keyring: bool = True,
        interactive: bool = True,
        prompt: Callable[[str], None] = to_stderr,
        http_proxy: str | None = None,
    ) -> None:
        self._client_id = client_id
        self._scopes = tuple(scopes)
        self._audience = audience
        self._header = header
        self._keyring = keyring
        self._interactive = interactive
        self._prompt = prompt
        self._http_proxy = Secret(http_proxy) if http_proxy is not None else None

    def with_person(self, kind: type[Login]) -> Login:
        """Return the same as another kind of login, with a person that can log in."""
        return kind(
            client_id=self._client_id,
            scopes=self._scopes,
            audience=self._audience,
            header=self._header,
            keyring=self._keyring,
            prompt=self._prompt,
            http_proxy=self._http_proxy,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def fetch(self, context: Context, last: Token | None, timeout: float) -> Flow[Token]:
        """See Auth.fetch."""
        began: float = yield Now()

        def left(now: float) -> float:
            return max(0.001, timeout - (now - began))

        metadata = yield from discovered(context, timeout)
        if metadata is None:
            return no_credentials(self.mode, context, last, began)
        context = context.through(self._http_proxy)
        keyring = Keyring(context.endpoint, self._keyring)
        stored = yield from keyring.read(left((yield Now())))
        used = last.access_token if last is not None else ""
        if stored.access_token and stored.access_token != used:
            return Token(bearer(stored.access_token, self._header_of(metadata)), began, None, stored.refresh_token)
        own = last.refresh_token if last is not None else Secret("")
        for refresh_token in dict.fromkeys(each for each in (stored.refresh_token, own) if each):
            try:
                token = yield from self._refreshed(context, metadata, refresh_token, left((yield Now())))
            except OAuthRefusal as error:
                debug("%r: the refresh token was refused: %s", self, error.message)
                continue
            yield from self._store(keyring, token, left((yield Now())))
            return token
        if not self._interactive:
            why = f" (the keyring: {keyring.trouble})" if keyring.trouble else ""
            raise Unauthenticated(
                f"not logged in to {context.endpoint}{why}: run `flyteapps login`, or pass Client(auth=...)",
                endpoint=context.endpoint,
            )
        token = yield from self.log_in(context, metadata, left((yield Now())))
        yield from self._store(keyring, token, left((yield Now())))
        return token

    def log_in(self, context: Context, metadata: Metadata, timeout: float) -> Flow[Token]:
        """Make a person log in, and return the tokens. Raises Error."""
        raise NotImplementedError

    def _store(self, keyring: Keyring, token: Token, timeout: float) -> Flow[None]:
        stored = yield from keyring.write(Stored(Secret(token.access_token), Secret(token.refresh_token)), timeout)
        if not stored:
            debug("%r: the tokens are not stored: %s", self, keyring.trouble)

    def _refreshed(self, context: Context, metadata: Metadata, refresh_token: str, timeout: float) -> Flow[Token]:
        fields = {  # without a scope: it is that of the login, and authorities refuse one that wasn't granted
            "grant_type": "refresh_token",
            "refresh_token": Secret(refresh_token),
            "client_id": self._client_of(metadata),
            "audience": self._audience or metadata.audience,
        }
        request = Request(self.mode, metadata.token_endpoint, fields)
        token = yield from request.token(context, timeout, self._header_of(metadata))
        token.refresh_token = token.refresh_token or Secret(refresh_token)
        return token

    def _client_of(self, metadata: Metadata) -> str:
        return self._client_id or metadata.client_id

    def _scope_of(self, metadata: Metadata) -> str:
        return " ".join(self._scopes or metadata.scopes)

    def _header_of(self, metadata: Metadata) -> str:
        return self._header or metadata.header or "authorization"
