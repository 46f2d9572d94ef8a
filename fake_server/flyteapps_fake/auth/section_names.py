"""The names of the sections of the state of authentication; planes without any have them, too, and import no more."""

from __future__ import annotations

CREDENTIALS, REVOCATIONS = "credentials", "revocations"
REFRESH_TOKENS, AUTHORIZATION_CODES, DEVICE_CODES = "refresh_tokens", "authorization_codes", "device_codes"
KEY_FIELDS = {
    CREDENTIALS: "",
    REVOCATIONS: "name",
    REFRESH_TOKENS: "key",
    AUTHORIZATION_CODES: "key",
    DEVICE_CODES: "key",
}
"""The fields that have the key of a piece, "" where there is just one."""
