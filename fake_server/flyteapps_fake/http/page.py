"""Requests for pages, which are no RPCs, and their answers. No IO, no routing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class PageRequest(NamedTuple):
    """The parts of a request that select a page; the path is decoded, the host may have a port."""

    method: str
    host: str
    path: str
    query: str
    accept: str


class PageAnswer(NamedTuple):
    """A whole answer; `headers` are those beside the content's own."""

    status: int
    content_type: bytes
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()


class Page(Protocol):
    """The pages of one server."""

    async def __call__(self, request: PageRequest) -> PageAnswer:
        """Return the page."""
        ...

    def is_of_app(self, host: str, path: str) -> bool:
        """Return whether the host and path belong to an app, so that the request is no RPC, whatever it looks like."""
        ...
