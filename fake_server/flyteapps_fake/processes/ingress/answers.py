"""The ingress' own answers, which come from no app: what they say, and their bytes."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

from flyteapps_control.selection import AppName
from flyteapps_fake.console.answers import negotiated
from flyteapps_fake.processes.ingress.heads import head
from flyteapps_fake.processes.routes import Unavailable

NO_HEADERS: tuple[tuple[bytes, bytes], ...] = ()


class Answer(NamedTuple):
    """An answer of the ingress: why, with which status, and about which app."""

    status: int
    message: str
    app: AppName | None = None
    headers: tuple[tuple[bytes, bytes], ...] = NO_HEADERS


class Refused(Exception):  # noqa: N818  # reads as what happened
    """The end of a request that gets the ingress' own answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


def unavailable(app: AppName, why: Unavailable) -> Answer:
    """Return the answer to a request for which no replica is there."""
    headers = ((b"retry-after", b"%d" % why.retry_after),) if why.retry_after is not None else NO_HEADERS
    return Answer(why.status, why.message, app, headers)


def encode(answer: Answer, accept: str, *, body: bool, close: bool) -> bytes:
    """Return the bytes of an answer; without its `body` for a HEAD."""
    details = {"app": str(answer.app)} if answer.app is not None else {}
    page = negotiated(answer.status, answer.message, accept, list(answer.headers), details)
    lines = [name + b": " + value for name, value in page.headers]
    lines += [b"content-type: " + page.content_type, b"content-length: %d" % len(page.body), b"cache-control: no-store"]
    if answer.app is not None:
        lines.append(b"x-flyteapps-app: " + quote(str(answer.app)).encode())
    if close:
        lines.append(b"connection: close")
    encoded = head(status_line(answer.status), lines)
    return encoded + page.body if body else encoded


def status_line(status: int, reason: str | None = None) -> bytes:
    """Return a status line; without a `reason` with the usual one."""
    if reason is None:
        try:
            reason = HTTPStatus(status).phrase
        except ValueError:
            reason = ""
    return b"HTTP/1.1 %d %b" % (status, reason.encode("utf-8", "surrogateescape"))
