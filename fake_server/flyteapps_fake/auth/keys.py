"""The keys that sign a plane's tokens: ES256, made anew for each plane, rotated on demand."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from flyteapps_fake.auth.encoding import base64url, from_base64url

ALGORITHM = "ES256"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of the curve P-256."""
_HALF = 32
"""Bytes of each half of a signature."""


class SigningKeys:
    """The signing key of a plane, and those before it whose tokens still count."""

    def __init__(self) -> None:
        self._keys: list[ECKey] = []
        self.rotate(keep=True)

    def rotate(self, *, keep: bool) -> None:
        """Sign with a new key from now on; `keep`: tokens of the keys before still count."""
        key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM, "kid": secrets.token_hex(8)})
        self._keys = [key, *self._keys] if keep else [key]

    @property
    def current(self) -> ECKey:
        """The key that signs."""
        return self._keys[0]

    def all(self) -> tuple[ECKey, ...]:
        """Return the keys, the newest first; none of them ever changes."""
        return tuple(self._keys)

    def put(self, keys: Iterable[ECKey]) -> None:
        """Sign with the first of these keys from now on."""
        self._keys = list(keys)

    def find(self, kid: object) -> ECKey | None:
        """Return the key of that id, or None."""
        return next((key for key in self._keys if key.kid == kid), None)

    def public(self) -> dict[str, Any]:
        """Return the public keys as a JSON Web Key Set."""
        return dict(KeySet([*self._keys]).as_dict(private=False))

    def sign(self, claims: Mapping[str, Any], kind: str = "JWT") -> str:
        """Return a signed token with those claims; `kind`: the header's `typ`."""
        header = {"alg": ALGORITHM, "kid": self.current.kid, "typ": kind}
        return canonical(jwt.encode(header, dict(claims), self.current, algorithms=[ALGORITHM]))


def canonical(token: str) -> str:
    """Return an ES256 token with the lower of the two signatures that are valid for the same text."""
    text, _, signature = token.rpartition(".")
    raw = from_base64url(signature)
    assert raw is not None
    second = int.from_bytes(raw[_HALF:], "big")
    low = min(second, _ORDER - second)
    return f"{text}.{base64url(raw[:_HALF] + low.to_bytes(_HALF, 'big'))}"
