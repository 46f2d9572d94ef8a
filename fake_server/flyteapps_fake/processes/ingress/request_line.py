"""One line about a request that has ended, for the log."""

from __future__ import annotations

from typing import NamedTuple

from flyteapps_control.selection import AppName


class RequestLine(NamedTuple):
    """A request that has ended.

    `number`: of the replica that had it, None where none had. `path`: as sent. `status`: of HTTP, 0 if the client left
    before there was one, or for a connection that is passed as it is (`method`: TCP). `bytes`: of the answer's body.
    """

    app: AppName
    number: int | None
    method: str
    path: str
    status: int
    seconds: float
    bytes: int
