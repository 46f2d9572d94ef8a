"""Requests to an OAuth2 token endpoint (RFC 6749, 8628), and the reading of its answers.

Rules of this file: an error names the mode, the endpoint and the reason; an endpoint's own text is cut, and loses
what was sent as a secret.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote_plus, urlencode

from flyteapps.auth.base import Context
from flyteapps.auth.requests import HttpResponse, endpoint_of, shown
from flyteapps.auth.tokens import Token, bearer
from flyteapps.errors import ConfigError, Error, Overloaded, ProtocolError, Unauthenticated, Unavailable
from flyteapps.flows.operations import Flow, Now
from flyteapps.support.secret import Secret
from flyteapps.support.version import USER_AGENT
from flyteapps.transports.delays import seconds_of

MAX_TEXT = 200
"""Maximum length of an endpoint's own text in an error."""

MAX_LIFETIME_SECONDS = 10 * 365 * 86_400.0


class OAuthRefusal(Unauthenticated):
    """A refusal of a token endpoint. `reason`: its `error`, such as "invalid_grant"."""

    reason = ""


class Request:
    """A request to a token endpoint: a form, and a header."""

    def __init__(
        self, mode: str, url: str, fields: Mapping[str, str | None], basic: tuple[str, str] | None = None
    ) -> None:
        """Prepare it. `basic`: the client's id and secret, for the header; fields that are secret are a Secret."""
        self.mode = mode
        self.url = url
        self._fields = {name: value for name, value in fields.items() if value}
        self._authorization = Secret("")
        self._secrets: list[str] = []
        if basic is not None:
            client_id, secret = basic
            pair = Secret(base64.b64encode(f"{client_id}:{quote_plus(secret)}".encode()).decode())
            self._authorization = Secret(f"Basic {pair}")
            self._secrets = [Secret(secret), Secret(quote_plus(secret)), pair]

    def send(self, context: Context, timeout: float) -> Flow[dict[str, Any]]:
        """Send it, and return the answer's object. Raises Error."""
        self._check(context)
        headers = {
            "accept": "application/json",
            "content-type": "application/x-www-form-urlencoded",
            "cache-control": "no-cache",
            "user-agent": USER_AGENT,
        }
        if self._authorization:
            headers["authorization"] = self._authorization
        content = Secret(urlencode(self._fields)).encode()
        try:
            response = yield context.http.post(self.url, headers, content, timeout)
        except Error as error:
            error.message = f"{self.mode}: the token endpoint {error.message}"
            error.args, error.endpoint = (error.message,), context.endpoint
            raise
        finally:
            del content
        return self._answer(response, context)

    def _check(self, context: Context) -> None:
        """Check the URL. Raises ConfigError for one to which no secret may be sent."""
        try:
            endpoint = endpoint_of(self.url)
        except ConfigError as error:
            raise ConfigError(f"{self.mode}: the token endpoint {error.message}", endpoint=context.endpoint) from None
        if not endpoint.secure and not endpoint.is_loopback and context.endpoint.startswith("https:"):
            raise ConfigError(
                f"{self.mode}: the token endpoint {shown(self.url)} is without TLS, although the plane has it: no "
                f"secret is sent there",
                endpoint=context.endpoint,
            )

    def _answer(self, response: HttpResponse, context: Context) -> dict[str, Any]:
        """Return the object of a response. Raises Error for any other than a success."""
        status = response.status
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        answer = _object(response.content)
        where = f"{self.mode}: the token endpoint {shown(self.url)} answered {status}"
        reason = _text(answer.get("error")) if answer is not None else ""
        if reason and status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
            description = self._scrubbed(_text(answer.get("error_description"))) if answer is not None else ""
            error = OAuthRefusal(
                f"{where} {self._scrubbed(reason)}{f' ({description})' if description else ''}",
                endpoint=context.endpoint,
            )
            error.reason = reason
            raise error
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            target = shown(response.headers.get("location", "")) or "nowhere"
            raise ProtocolError(
                f"{where}, a redirection to {self._scrubbed(target)}, which is not followed, as secrets would be sent "
                f"there: configure the endpoint itself",
                endpoint=context.endpoint,
            )
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            made: type[Error] = Overloaded if status == HTTPStatus.TOO_MANY_REQUESTS else Unavailable
            failure = made(where, endpoint=context.endpoint)
            failure.retry_after = seconds_of(response.headers.get("retry-after"))
            raise failure
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise OAuthRefusal(where, endpoint=context.endpoint)
        if status != HTTPStatus.OK or answer is None:
            what = f"{kind or 'something'}, not the JSON of a token" if answer is None else "no token"
            raise ProtocolError(f"{where} with {what}: is it a token endpoint?", endpoint=context.endpoint)
        return answer

    def _scrubbed(self, text: str) -> str:
        for secret in (*self._secrets, *(value for value in self._fields.values() if isinstance(value, Secret))):
            if len(secret) > 3:
                text = text.replace(secret, "...")
        return "".join(c if c.isprintable() else " " for c in text)[:MAX_TEXT]

    def token(self, context: Context, timeout: float, header: str = "authorization") -> Flow[Token]:
        """Send it, and return the token of the answer. Raises Error."""
        requested_at: float = yield Now()
        answer = yield from self.send(context, timeout)
        return self.token_of(answer, context, requested_at, header)

    def token_of(self, answer: Mapping[str, Any], context: Context, requested_at: float, header: str) -> Token:
        """Return the token of an answer. Raises ProtocolError."""
        access_token, refresh_token = answer.get("access_token"), answer.get("refresh_token")
        if not is_token(access_token):
            raise self._malformed("access_token", "absent, or no token", context)
        if refresh_token is not None and not isinstance(refresh_token, str):
            raise self._malformed("refresh_token", "no text", context)
        kind = answer.get("token_type")
        if isinstance(kind, str) and kind.lower() != "bearer":
            raise self._malformed("token_type", f"{kind[:30]!r}, and not Bearer", context)
        lifetime = self._lifetime(answer.get("expires_in"), context)
        return Token(bearer(cast("str", access_token), header), requested_at, lifetime, refresh_token or "")

    def _lifetime(self, given: Any, context: Context) -> float | None:
        if given is None:
            return None
        try:
            seconds = math.nan if isinstance(given, bool) else float(given)
        except (TypeError, ValueError, OverflowError):
            seconds = math.nan
        if not seconds > 0:
            raise self._malformed("expires_in", f"{str(given)[:30]!r}, and not a positive number of seconds", context)
        return min(seconds, MAX_LIFETIME_SECONDS)

    def _malformed(self, what: str, why: str, context: Context) -> ProtocolError:
        return ProtocolError(
            f"{self.mode}: the token endpoint {shown(self.url)} sent a malformed answer: {what} is {why}",
            endpoint=context.endpoint,
        )


def is_token(value: object) -> bool:
    """Return whether it can be sent as a bearer token: visible ASCII, no space."""
    return isinstance(value, str) and bool(value) and all("!" <= c <= "~" for c in value)


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
