"""The grants and endpoints of authlib, over the records of one authorization server."""

from __future__ import annotations

import secrets
from typing import Any, Protocol

from flyteapps_fake.auth.oauth.authlib_names import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    CodeChallenge,
    DeviceAuthorizationEndpoint,
    DeviceCodeGrant,
    InvalidGrantError,
    InvalidRequestError,
    OpenIDToken,
    RefreshTokenGrant,
    RevocationEndpoint,
)
from flyteapps_fake.auth.oauth.clients import OAuthClient
from flyteapps_fake.auth.oauth.records import Code, Device, Grant, Issued, Kept

SECRET_METHODS = ("client_secret_basic", "client_secret_post")
METHODS = ("none", "client_secret_basic", "client_secret_post")
CODE_SECONDS = 60.0
"""Seconds of the plane's time in which an authorization code has to be redeemed."""
SLOWER_SECONDS = 5.0
"""Seconds by which a device has to wait longer after `slow_down`: RFC 8628."""


class Server(Protocol):
    """The authorization server, as the grants need it.

    `origin`: the http(s)://host:port of the request that is being answered. `paces`: whether devices that poll too
    often are told to slow down.
    """

    codes: Kept[Code]
    refresh_tokens: Kept[Issued]
    devices: Kept[Device]
    origin: str
    paces: bool

    def now(self) -> float:
        """Return the plane's time in seconds since 1970."""
        ...

    def query_client(self, client_id: str) -> OAuthClient | None:
        """Return the client of that id, or None."""
        ...

    def revoke(self, name: str) -> None:
        """Revoke the tokens of an id or of a session."""
        ...

    def is_revoked(self, name: str) -> bool:
        """Return whether the tokens of an id or of a session are revoked."""
        ...

    def access_token(self, token: str) -> Issued | None:
        """Return an access token of this plane, None for one that doesn't count."""
        ...

    def device(self, user_code: str) -> Device | None:
        """Return the device code that a user's code belongs to."""
        ...

    def id_token(self, grant: Grant) -> str:
        """Return the id token of a login."""
        ...


class OnlyS256(CodeChallenge):
    """PKCE, required of each client, by SHA-256 alone."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)
    DEFAULT_CODE_CHALLENGE_METHOD = "S256"

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Refuse a request without a challenge, which authlib would refuse once its code is redeemed."""
        if not grant.request.payload.data.get("code_challenge"):
            raise InvalidRequestError("Missing 'code_challenge': PKCE with S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)  # pyright: ignore[reportUnknownMemberType]  # authlib's


class ClientCredentials(ClientCredentialsGrant):
    """Tokens for a client itself."""

    TOKEN_ENDPOINT_AUTH_METHODS = SECRET_METHODS
    server: Server


class AuthorizationCode(AuthorizationCodeGrant):
    """Tokens for a user who has logged in on the page."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    server: Server

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Keep the code."""
        data = request.payload.data
        client, scope = request.client, request.scope
        granted = client.get_allowed_scope(scope) if scope else scope
        grant = Grant(client.get_client_id(), request.user, granted, secrets.token_hex(12), data.get("nonce", ""))
        self.server.codes.put(
            code,
            Code(
                grant,
                data.get("redirect_uri"),
                data.get("code_challenge"),
                data.get("code_challenge_method"),
                self.server.now() + CODE_SECONDS,
            ),
        )

    def query_authorization_code(self, code: str, client: Any) -> Code | None:
        """Return the code, if it is that client's and counts; one that was used before revokes its tokens."""
        found = self.server.codes.get(code)
        if found is None or found.grant.client_id != client.get_client_id():
            return None
        if found.used:
            self.server.revoke(found.grant.session)
            raise InvalidGrantError("the code was used before: its tokens are revoked, log in again")
        return found if self.server.now() < found.expires else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Record that the code was used."""
        self.server.codes.change(authorization_code, used=True)

    def authenticate_user(self, authorization_code: Code) -> Grant:
        """Return the grant of the code, which is the user for authlib."""
        return authorization_code.grant


class Refresh(RefreshTokenGrant):
    """New tokens for a refresh token, which is replaced; the use of a replaced one ends the session."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True
    server: Server

    def authenticate_refresh_token(self, refresh_token: str) -> Issued | None:
        """Return the refresh token, if it counts."""
        found = self.server.refresh_tokens.get(refresh_token)
        if found is None or self.server.is_revoked(found.grant.session):
            return None
        if found.used:
            self.server.revoke(found.grant.session)
            raise InvalidGrantError("the refresh token was used before: its session is revoked, log in again")
        if self.server.now() >= found.expires:
            raise InvalidGrantError("the refresh token has expired: log in again")
        return found

    def authenticate_user(self, refresh_token: Issued) -> Grant:
        """Return the grant of the token, which is the user for authlib."""
        return refresh_token.grant

    def revoke_old_credential(self, refresh_token: Issued) -> None:
        """Record that the token was replaced."""
        self.server.refresh_tokens.change(refresh_token, used=True)


class DeviceGrant(DeviceCodeGrant):
    """Tokens for a user who approved a device on the page."""

    server: Server

    def query_device_credential(self, device_code: str) -> Device | None:
        """Return the device code, or None."""
        return self.server.devices.get(device_code)

    def query_user_grant(self, user_code: str) -> tuple[Grant | None, bool] | None:
        """Return the grant and whether it was approved; None where that is undecided."""
        device = self.server.device(user_code)
        if device is None or (device.subject is None and not device.denied):
            return None
        if device.subject is None:
            return None, False
        self.server.devices.change(device, used=True)
        return Grant(device.client_id, device.subject, device.scope, secrets.token_hex(12)), True

    def should_slow_down(self, credential: Device) -> bool:
        """Return whether the device polls more often than it was told to."""
        now, last = self.server.now(), credential.polled
        self.server.devices.change(credential, polled=now)
        if not self.server.paces or now - last >= credential.interval:
            return False
        self.server.devices.change(credential, interval=credential.interval + SLOWER_SECONDS)
        return True


class DeviceAuthorization(DeviceAuthorizationEndpoint):
    """The endpoint that makes device codes."""

    server: Server

    def get_verification_uri(self) -> str:
        """Return the URL of the page where a user approves."""
        return f"{self.server.origin}/oauth2/device"

    def save_device_credential(self, client_id: str, scope: str | None, data: dict[str, Any]) -> None:
        """Keep the code."""
        server = self.server
        allowed = server.query_client(client_id)
        granted = allowed.get_allowed_scope(scope) if allowed is not None else ""
        expires = server.now() + self.EXPIRES_IN
        device = Device(client_id, granted, data["user_code"], expires, self.INTERVAL, server.now)
        server.devices.put(data["device_code"], device)


class Revocation(RevocationEndpoint):
    """The endpoint that revokes tokens: an access token alone, or with a refresh token the whole session."""

    CLIENT_AUTH_METHODS = METHODS
    server: Server

    def query_token(self, token_string: str, token_type_hint: str | None) -> Issued | None:
        """Return the token, or None for one that doesn't count."""
        return self.server.refresh_tokens.get(token_string) or self.server.access_token(token_string)

    def revoke_token(self, token: Issued, request: Any) -> None:
        """Revoke the token."""
        self.server.revoke(token.token_id or token.grant.session)


class IdToken(OpenIDToken):
    """The id token of a login whose scope has `openid`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def encode_id_token(self, token: dict[str, Any], request: Any) -> str:
        """Return the id token."""
        return self._server.id_token(request.user)
