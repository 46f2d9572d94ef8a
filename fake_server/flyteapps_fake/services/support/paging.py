"""Pages of a list that a service makes for each request: limit, token, and a bound in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import Message

from flyteapps_fake.core.errors import Code, RpcError

Item = TypeVar("Item", bound=Message)
DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
MAX_PAGE_BYTES = 1024 * 1024
"""Bytes of a page, its first item apart; a client accepts 4 MiB."""
MAX_TOKEN_LENGTH = 9


def page(items: Sequence[Item], limit: int, token: str) -> tuple[list[Item], str]:
    """Return the items of one page, and the token of the next, "" after the last. Raises RpcError."""
    start = 0
    if token:
        if not (token.isascii() and token.isdecimal() and len(token) <= MAX_TOKEN_LENGTH):
            raise RpcError(Code.INVALID_ARGUMENT, "token: not one of this service's; leave it out to start over")
        start = int(token)
    if limit < 0:
        raise RpcError(Code.INVALID_ARGUMENT, f"limit must not be negative, as {limit} is")
    shown: list[Item] = []
    size = 0
    for item in items[start : start + min(limit or DEFAULT_LIMIT, MAX_LIMIT)]:
        size += item.ByteSize()
        if shown and size > MAX_PAGE_BYTES:
            break
        shown.append(item)
    end = start + len(shown)
    return shown, str(end) if end < len(items) else ""
