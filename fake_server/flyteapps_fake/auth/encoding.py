"""Base64 as tokens have it: one text for each sequence of bytes, no other is read."""

from __future__ import annotations

import base64
import binascii


def base64url(raw: bytes) -> str:
    """Return bytes as text, without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes | None:
    """Return the bytes of a text, None for one that `base64url` doesn't make."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return raw if base64url(raw) == text else None
