"""The responses of simulated apps to requests at their URLs, as scenarios declare them. No IO, no parser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flyteapps_control.selection import Glob


class Response(NamedTuple):
    """One response, to the requests whose method and path within the app match. `content_type`: b"" for none."""

    method: Glob
    path: Glob
    status: int
    content_type: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    @property
    def size(self) -> int:
        """The bytes of the body and the headers."""
        return len(self.body) + len(self.content_type) + sum(len(name) + len(value) for name, value in self.headers)


Responses = tuple[Response, ...]


def find_response(responses: Sequence[Response], method: str, path: str) -> Response | None:
    """Return the first response to such a request, or None. A HEAD has those of a GET, too."""
    methods = (method, "GET") if method == "HEAD" else (method,)
    for each in responses:
        if each.path.matches(path) and any(map(each.method.matches, methods)):
            return each
    return None
