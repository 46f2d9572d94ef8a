"""Access tokens of a plane: made, and checked from scratch. Time is the plane's."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from joserfc import jws

from flyteapps_fake.auth.encoding import from_base64url
from flyteapps_fake.auth.keys import ALGORITHM, SigningKeys, canonical

MAX_TOKEN_BYTES = 8 * 1024
"""Bytes of a token that is read."""


class InvalidToken(Exception):  # noqa: N818  # reads as what it is
    """A token that doesn't count; the message is the reason."""


class Parts(NamedTuple):
    """A token that was taken apart, unchecked."""

    header: dict[str, Any]
    claims: dict[str, Any]


def take_apart(token: str) -> Parts:
    """Return the parts of a token. Raises InvalidToken."""
    pieces = token.split(".") if len(token) <= MAX_TOKEN_BYTES else []
    raw = [from_base64url(piece) for piece in pieces]
    if len(raw) != 3 or None in raw:
        raise InvalidToken("it is no signed JWT")
    try:
        header, claims = (json.loads(part or b"") for part in raw[:2])
    except (ValueError, RecursionError):
        raise InvalidToken("it is no signed JWT") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise InvalidToken("it is no signed JWT")
    return Parts(header, claims)  # pyright: ignore[reportUnknownArgumentType]  # from JSON


def check_claims(
    claims: Mapping[str, Any], issuers: frozenset[str], audiences: frozenset[str], now: float, leeway: float
) -> None:
    """Check issuer, audience and times, in seconds since 1970. Raises InvalidToken."""
    if claims.get("iss") not in issuers:
        raise InvalidToken("it has another issuer")
    given = claims.get("aud")
    named = cast("list[Any]", given) if isinstance(given, list) else [given]
    if not any(isinstance(each, str) and each in audiences for each in named):
        raise InvalidToken("it is for another audience")
    expires, starts = claims.get("exp"), claims.get("nbf", now)
    for time in (expires, starts):
        if isinstance(time, bool) or not isinstance(time, int | float):
            raise InvalidToken("it has no expiry")
    if not now < expires + leeway:  # type: ignore[operator]  # a number
        raise InvalidToken("it has expired")
    if now + leeway < starts:
        raise InvalidToken("it isn't valid yet")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise InvalidToken("it has no subject")


class Tokens:
    """The tokens that a plane issues. `now`: seconds since 1970."""

    def __init__(self, keys: SigningKeys, now: Callable[[], float]) -> None:
        self._keys = keys
        self._now = now

    def issue(self, issuer: str, audience: str, subject: str, seconds: float, **claims: Any) -> str:
        """Return a token for a subject, that lives for so many seconds; `claims`: further ones, or other values."""
        now = self._now()
        standard = {
            "iss": issuer,
            "aud": audience,
            "sub": subject,
            "iat": int(now),
            "exp": _number(now + seconds),
            "jti": secrets.token_hex(12),
        }
        return self._keys.sign({**standard, **claims}, "at+jwt")

    def check(self, token: str, issuers: frozenset[str], audiences: frozenset[str]) -> dict[str, Any]:
        """Return the claims of a token of this plane. Raises InvalidToken."""
        parts = take_apart(token)
        if parts.header.get("alg") != ALGORITHM or parts.header.get("typ") != "at+jwt":
            raise InvalidToken("it is no access token of this plane")
        key = self._keys.find(parts.header.get("kid"))
        if key is None:
            raise InvalidToken("it is signed by an unknown key")
        try:
            jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
            genuine = canonical(token) == token
        except Exception:  # the library's own, and what a hostile header makes it raise besides
            genuine = False
        if not genuine:
            raise InvalidToken("its signature is wrong")
        check_claims(parts.claims, issuers, audiences, self._now(), 0.0)
        return parts.claims


def _number(seconds: float) -> float:
    """Return a time in milliseconds' precision, whole where it is."""
    rounded = round(seconds, 3)
    return int(rounded) if rounded == int(rounded) else rounded
