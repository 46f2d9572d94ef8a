"""The secrets of a spec, which the backend writes into annotations: each as text, in base32."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flyteidl2.core.security_pb2 import Secret

MAX_ENCODED_BYTES = 256 * 1024
"""Bytes that one encoded secret may have."""
_NAMED = re.compile(r'[\n\r\t"\\]')
"""Characters that Go's text format escapes by a letter: two bytes."""
_OTHER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]")
"""Bytes that it escapes by three octal digits: four bytes."""


def secrets_error(secrets: Iterable[Secret]) -> str:
    """Return the error that the backend has with the first bad secret, "" if there is none."""
    for secret in secrets:
        if secret.mount_requirement not in Secret.MountType.values():
            return f"invalid mount requirement [{secret.mount_requirement}]"
        if -(-_text_bytes(secret) * 8 // 5) > MAX_ENCODED_BYTES:
            return f"secret descriptor cannot exceed [{MAX_ENCODED_BYTES}]"
    return ""


def _text_bytes(secret: Secret) -> int:
    """Return the size of a secret in Go's text format: a line "NAME: VALUE" for each field."""
    size = 0
    for field, value in secret.ListFields():
        if isinstance(value, str):
            encoded = value.encode()
            written = len(encoded) + len(_NAMED.findall(value)) + 3 * len(_OTHER.findall(encoded)) + len('""')
        else:
            written = len(Secret.MountType.Name(value))
        size += len(field.name) + len(": ") + written + len("\n")
    return size
