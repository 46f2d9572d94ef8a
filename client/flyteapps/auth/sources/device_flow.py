"""DeviceFlow: a person logs in with a browser on any machine (RFC 8628)."""

from __future__ import annotations

from typing import Any, ClassVar

from flyteapps.auth.base import Context
from flyteapps.auth.sources.login import Login
from flyteapps.auth.sources.metadata import Metadata
from flyteapps.auth.sources.token_endpoint import OAuthRefusal, Request
from flyteapps.auth.tokens import Token
from flyteapps.errors import ConfigError, DeadlineExceeded, Overloaded, ProtocolError, Unauthenticated, Unavailable
from flyteapps.flows.operations import Flow, Now, Sleep
from flyteapps.support.secret import Secret

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"

DEFAULT_INTERVAL_SECONDS = 5.0
"""Pause between two requests, unless the endpoint names one."""

MIN_INTERVAL_SECONDS = 0.05

SLOW_DOWN_SECONDS = 5.0
"""Time by which a `slow_down` lengthens that pause."""


class DeviceFlow(Login):
    """A login on another device: `prompt` shows an address and a code to enter there."""

    mode: ClassVar[str] = "DeviceFlow"

    def log_in(self, context: Context, metadata: Metadata, timeout: float) -> Flow[Token]:
        """See Login.log_in."""
        began: float = yield Now()
        if not metadata.device_endpoint:
            raise ConfigError(f"DeviceFlow: {context.endpoint} offers no login on another device: use Pkce")
        client_id, scope = self._client_of(metadata), self._scope_of(metadata)
        audience = self._audience or metadata.audience
        asked = Request(
            self.mode, metadata.device_endpoint, {"client_id": client_id, "scope": scope, "audience": audience}
        )
        answer = yield from asked.send(context, timeout)
        device_code, interval, lifetime = _device(answer, context)
        address = answer.get("verification_uri_complete") or answer.get("verification_uri")
        self._prompt(f"Log in at {_line(address)} with the code {_line(answer.get('user_code'))}")
        until = began + min(timeout, lifetime)
        request = Request(
            self.mode,
            metadata.token_endpoint,
            {"grant_type": GRANT_TYPE, "device_code": device_code, "client_id": client_id, "audience": audience},
        )
        while True:
            now: float = yield Now()
            if now + interval >= until:
                yield Sleep(max(0.0, until - now))
                expired = lifetime <= timeout
                raise DeadlineExceeded(
                    f"DeviceFlow: the code {'expired' if expired else 'was not approved within the timeout'}, after "
                    f"{min(timeout, lifetime):.3g} s: log in again, by `flyteapps login --device`",
                    endpoint=context.endpoint,
                )
            yield Sleep(interval)
            try:
                return (yield from request.token(context, max(0.001, until - (yield Now())), self._header_of(metadata)))
            except OAuthRefusal as error:
                if error.reason == "slow_down":
                    interval += SLOW_DOWN_SECONDS
                elif error.reason != "authorization_pending":
                    raise _refused(error, context) from None
            except (DeadlineExceeded, Unavailable, Overloaded) as error:
                interval = max(interval, error.retry_after or 0.0)


def _device(answer: dict[str, Any], context: Context) -> tuple[Secret, float, float]:
    """Return the device code, the interval and the lifetime of an answer. Raises ProtocolError."""
    code, lifetime, interval = answer.get("device_code"), answer.get("expires_in"), answer.get("interval")
    if interval is None:
        interval = DEFAULT_INTERVAL_SECONDS
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (lifetime, interval))
    texts = all(isinstance(answer.get(each), str) for each in ("device_code", "user_code", "verification_uri"))
    if not numbers or not texts or not float(lifetime) > 0:  # pyright: ignore[reportArgumentType]
        raise ProtocolError("DeviceFlow: the device endpoint sent a malformed answer", endpoint=context.endpoint)
    return Secret(code), max(MIN_INTERVAL_SECONDS, float(interval)), float(lifetime)  # pyright: ignore[reportArgumentType]


def _line(text: object) -> str:
    return "".join(c for c in str(text) if c.isprintable())[:300]


def _refused(error: OAuthRefusal, context: Context) -> Unauthenticated:
    reasons = {
        "access_denied": "the login was denied on the other device",
        "expired_token": "the code expired before it was approved: log in again, by `flyteapps login --device`",
    }
    reason = reasons.get(error.reason)
    return Unauthenticated(f"DeviceFlow: {reason}", endpoint=context.endpoint) if reason else error
