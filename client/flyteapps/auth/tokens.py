"""Token: credentials as an authority issued them, and their times on the client's monotonic clock.

Rules of this file: lifetimes are counted from the moment before they were requested, and only as durations, so that a
wall clock which is wrong, here or there, changes nothing.
"""

from __future__ import annotations

import math
import random

from flyteapps.support.secret import Secret

EARLY_SHARE = 0.2
"""Maximum share of a lifetime by which a token is renewed before it expires."""

MAX_EARLY_SECONDS = 300.0
"""Maximum time by which it is."""

_random = random.SystemRandom()


class Token:
    """Credentials of one call after another.

    `headers`: sent with each call, empty for a plane that needs none. `lifetime`: in seconds from `requested_at`, None
    if unknown. `refresh_token`: renews it, "" for none. `accepted`: whether a plane has accepted it.
    """

    __slots__ = ("accepted", "expires_at", "headers", "refresh_token", "renew_at", "requested_at")

    def __init__(
        self,
        headers: dict[str, str],
        requested_at: float,
        lifetime: float | None = None,
        refresh_token: str = "",
    ) -> None:
        self.headers = headers
        self.requested_at = requested_at
        self.refresh_token = Secret(refresh_token)
        self.accepted = False
        self.expires_at = self.renew_at = math.inf
        if lifetime is not None:
            early = min(EARLY_SHARE * lifetime, MAX_EARLY_SECONDS) * _random.uniform(0.5, 1.0)
            self.expires_at = requested_at + lifetime
            self.renew_at = self.expires_at - early

    @property
    def access_token(self) -> str:
        """The bearer token, "" for none."""
        return Secret(next(iter(self.headers.values()), "").removeprefix("Bearer "))

    def __repr__(self) -> str:
        return f"Token({', '.join(self.headers) or 'none'})"


def bearer(access_token: str, header: str = "authorization") -> dict[str, str]:
    """Return the headers of a bearer token."""
    return {header: Secret(f"Bearer {access_token}")}
