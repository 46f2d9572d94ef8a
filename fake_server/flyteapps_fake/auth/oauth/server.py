"""The authorization server of one plane: authlib's, over records in memory. Entered under the plane's lock."""

from __future__ import annotations

import json
import secrets
from typing import Any

from flyteapps_fake.auth.authentication import Authentication
from flyteapps_fake.auth.oauth.authlib_names import AuthorizationServer as AuthlibServer
from flyteapps_fake.auth.oauth.authlib_names import InvalidRequestError
from flyteapps_fake.auth.oauth.clients import CONSOLE, ConsoleClient, OAuthClient
from flyteapps_fake.auth.oauth.grants import (
    AuthorizationCode,
    ClientCredentials,
    DeviceAuthorization,
    DeviceGrant,
    IdToken,
    OnlyS256,
    Refresh,
    Revocation,
)
from flyteapps_fake.auth.oauth.records import Device, Grant, Issued
from flyteapps_fake.auth.oauth.web import Request, WebAnswer, WebRequest
from flyteapps_fake.auth.principal import known
from flyteapps_fake.auth.tokens import InvalidToken

FORM_BYTES = 64 * 1024
"""Bytes of a form that is read."""


class AuthorizationServer(AuthlibServer):
    """The server. `paces`: whether devices that poll too often are told to slow down."""

    def __init__(self, authentication: Authentication, *, paces: bool) -> None:
        settings = authentication.settings
        super().__init__()  # pyright: ignore[reportUnknownMemberType]  # authlib's
        self.authentication = authentication
        self.paces = paces
        self.origin = authentication.issuer
        """The http(s)://host:port of the request that is being answered."""
        records = authentication.records
        self.codes, self.refresh_tokens, self.devices = records.codes, records.refresh_tokens, records.devices
        self._clients: dict[str, OAuthClient] = {CONSOLE: ConsoleClient(settings, lambda: self.origin)}
        self._clients |= {each.client_id: OAuthClient(each, settings) for each in settings.clients}
        id_token = IdToken(self)
        self.register_grant(ClientCredentials)
        self.register_grant(AuthorizationCode, [OnlyS256(required=True), id_token])
        self.register_grant(Refresh, [id_token])
        self.register_grant(DeviceGrant, [id_token])
        devices = DeviceAuthorization(self)
        devices.EXPIRES_IN = _whole(settings.device_code_seconds)
        devices.INTERVAL = _whole(settings.device_interval_seconds)
        self.register_endpoint(devices)
        self.register_endpoint(Revocation)

    def now(self) -> float:
        """Return the plane's time in seconds since 1970."""
        return self.authentication.now()

    # ---- what authlib calls

    def query_client(self, client_id: str) -> OAuthClient | None:
        """Return the client of that id, or None."""
        return self._clients.get(client_id)

    def create_oauth2_request(self, request: WebRequest | Request) -> Request:
        """Return a request as authlib has it."""
        if isinstance(request, Request):
            return request
        self.origin = request.origin
        return Request(request, request.form if request.method == "POST" else request.query)

    def handle_response(self, status: int, body: Any, headers: Any) -> WebAnswer:
        """Return an answer."""
        text = body if isinstance(body, str) else json.dumps(dict(body))
        return WebAnswer(status, text, list(headers))

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Do nothing: no one listens."""

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        """Do nothing: access tokens carry all that is needed, and refresh tokens are kept as they are made."""

    def validate_requested_scope(self, scope: str | None) -> None:
        """Accept each scope; unknown ones are left out of what is granted, as many providers do."""

    def generate_token(
        self,
        grant_type: str,
        client: OAuthClient,
        user: Grant | None = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]:
        """Return new tokens for a user's grant, or for a client itself."""
        settings = self.authentication.settings
        grant = user
        if grant is None or scope:
            scope = client.get_allowed_scope(scope)
        if grant is None:
            grant = Grant(client.get_client_id(), client.get_client_id(), scope or "", secrets.token_hex(12))
        subject = known(settings, grant.subject)
        claims: dict[str, Any] = {"client_id": grant.client_id, "sid": grant.session}
        if subject is not None and not subject[0].application:
            claims |= {key: value for key, value in zip(("name", "email"), subject[0][1:3], strict=True) if value}
        lifetime = settings.access_token_seconds
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "access_token": self.authentication.token(grant.subject, lifetime, scope=scope or grant.scope, **claims),
            "expires_in": _whole(lifetime),
            "scope": scope or grant.scope,
        }
        if include_refresh_token:
            answer["refresh_token"] = secrets.token_urlsafe(32)
            expires = self.now() + settings.refresh_token_seconds
            self.refresh_tokens.put(answer["refresh_token"], Issued(grant, expires=expires))
        return answer

    # ---- what the grants call

    def revoke(self, name: str) -> None:
        """Revoke the tokens of an id or of a session."""
        self.authentication.revoke(name)

    def is_revoked(self, name: str) -> bool:
        """Return whether the tokens of an id or of a session are revoked."""
        return self.authentication.is_revoked((name,))

    def access_token(self, token: str) -> Issued | None:
        """Return an access token of this plane, None for one that doesn't count."""
        try:
            claims = self.authentication.claims(token)
        except InvalidToken:
            return None
        client_id, session = str(claims.get("client_id", "")), str(claims.get("sid", ""))
        return Issued(Grant(client_id, claims["sub"], "", session), claims.get("jti", ""))

    def device(self, user_code: str) -> Device | None:
        """Return the device code that a user's code belongs to, in any case, with or without its hyphen."""
        wanted = _bare(user_code)
        return next((each for each in self.devices.values() if _bare(each.user_code) == wanted), None)

    def id_token(self, grant: Grant) -> str:
        """Return the id token of a login."""
        identity = known(self.authentication.settings, grant.subject)
        now, lifetime = int(self.now()), self.authentication.settings.access_token_seconds
        claims = {"iss": self.authentication.issuer, "aud": grant.client_id, "sub": grant.subject, "sid": grant.session}
        if identity is not None:
            claims |= {key: value for key, value in zip(("name", "email"), identity[0][1:3], strict=True) if value}
        if grant.nonce:
            claims["nonce"] = grant.nonce
        return self.authentication.keys.sign({**claims, "iat": now, "exp": now + _whole(lifetime)})

    # ---- the endpoints

    def token(self, request: WebRequest) -> WebAnswer:
        """Answer a request for tokens."""
        wanted = request.first("audience")
        if wanted and wanted != self.authentication.audience:
            error = InvalidRequestError("unknown audience: leave it out, or take it from GetPublicClientConfig")
            answer: WebAnswer = self.handle_error_response(self.create_oauth2_request(request), error)
        else:
            answer = self.create_token_response(request)
        return answer


def _whole(seconds: float) -> int:
    """Return seconds as a whole number, at least 1."""
    return max(1, int(seconds))


def _bare(user_code: str) -> str:
    return user_code.replace("-", "").replace(" ", "").upper()
