"""Base64 as Go's decoder reads it: which texts it refuses, and what it says of them."""

from __future__ import annotations

import string

from flyteapps_fake.core.errors import Code, RpcError

_DIGITS = frozenset((string.ascii_letters + string.digits + "-_").encode())
_PADDING = ord("=")
_QUANTUM = 4
"""Characters that make three bytes."""


def base64_error(text: str) -> RpcError | None:
    """Return the error of a Connect GET's message that is said to be base64, None for a valid one."""
    data = text.encode(errors="replace")
    padded = len(data) % _QUANTUM == 0  # as connect-go guesses
    data = data.replace(b"\r", b"").replace(b"\n", b"")
    whole = len(data) // _QUANTUM * _QUANTUM
    wrong = _first_illegal(data[:whole], padded=padded)
    rest = data[whole:]
    if wrong is None and rest:
        if padded:
            return _unreadable("unexpected EOF")
        wrong = _first_illegal(rest, padded=False)
        if wrong is None and len(rest) == 1:
            wrong = 0
    return None if wrong is None else _unreadable(f"illegal base64 data at input byte {wrong}")


def _first_illegal(data: bytes, *, padded: bool) -> int | None:
    """Return the index of the first byte that the decoder refuses, None for none."""
    for index, byte in enumerate(data):
        if byte in _DIGITS:
            continue
        place = index % _QUANTUM
        begun = place == 2 and data[index : index + 2] != b"=="
        if byte != _PADDING or not padded or place < 2 or begun:
            return index
        end = index + _QUANTUM - place
        return end if end < len(data) else None
    return None


def _unreadable(why: str) -> RpcError:
    return RpcError(Code.UNKNOWN, f"read message: {why}")
