"""Requests and answers of an authorization server in HTTP, as values; and authlib's view of a request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flyteapps_fake.auth.oauth.authlib_names import OAuth2Payload, OAuth2Request

JSON = "application/json"
HTML = "text/html; charset=utf-8"
ANY_URL = "https://plane.invalid/"
"""The URL of each request as authlib sees it, which refuses http; the host policy decides what is served."""

Fields = Mapping[str, list[str]]


class WebRequest(NamedTuple):
    """A request. `query`, `form`: the values of each name; `origin`: the http(s)://host:port that it was sent to."""

    method: str
    path: str
    query: Fields
    form: Fields
    authorization: str
    origin: str

    def first(self, name: str) -> str:
        """Return the first value of a field of the form, "" where it has none."""
        return (self.form.get(name) or [""])[0]


class WebAnswer(NamedTuple):
    """A whole answer."""

    status: int
    body: str
    headers: Sequence[tuple[str, str]] = ()


def json_answer(value: Mapping[str, Any], status: int = 200) -> WebAnswer:
    """Return an answer in JSON that no cache keeps."""
    return WebAnswer(status, json.dumps(value), [("Content-Type", JSON), ("Cache-Control", "no-store")])


def error_answer(status: int, error: str, description: str) -> WebAnswer:
    """Return a refusal as OAuth 2.0 has it."""
    return json_answer({"error": error, "error_description": description}, status)


def page_answer(html: str, status: int = 200) -> WebAnswer:
    """Return a page that no other page may show within itself.

    Its address goes to no other site. With "no-referrer" a browser would send its form with the origin "null", which
    the host policy refuses.
    """
    headers = [
        ("Content-Type", HTML),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "same-origin"),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ]
    return WebAnswer(status, html, headers)


class Payload(OAuth2Payload):
    """The fields of a request for authlib, the first value of each."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._first = {name: values[0] for name, values in fields.items() if values}

    @property
    def data(self) -> dict[str, str]:
        """The first value of each field."""
        return self._first

    @property
    def datalist(self) -> Any:
        """All values of each field."""
        return self._fields


class Request(OAuth2Request):
    """A request for authlib."""

    def __init__(self, request: WebRequest, fields: Fields) -> None:
        headers = {"Authorization": request.authorization} if request.authorization else {}
        super().__init__(request.method, ANY_URL, headers=headers)  # pyright: ignore[reportUnknownMemberType]
        self.payload: Payload = Payload(fields)

    @property
    def args(self) -> dict[str, str]:
        """The fields of the query."""
        return self.payload.data

    @property
    def form(self) -> dict[str, str]:
        """The fields of the body."""
        return self.payload.data
