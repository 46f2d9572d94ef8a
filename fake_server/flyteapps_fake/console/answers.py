"""Answers in the form that a client accepts: HTML for browsers, JSON for all others. Also the ingress' own answers."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flyteapps_fake.http.page import PageAnswer

HTML = b"text/html; charset=utf-8"
JSON = b"application/json"
CODES = {
    400: "invalid_argument",
    401: "unauthenticated",
    404: "not_found",
    405: "unimplemented",
    421: "permission_denied",
    431: "resource_exhausted",
    501: "unimplemented",
    502: "unavailable",
    503: "unavailable",
    504: "deadline_exceeded",
}
"""The codes that name the statuses in JSON, as Connect has them."""


def negotiated(
    status: int, message: str, accept: str, headers: list[tuple[bytes, bytes]], details: Mapping[str, str]
) -> PageAnswer:
    """Return the answer in HTML for a browser, which accepts it, and else in JSON."""
    headers = [*headers, (b"vary", b"accept")]
    if "text/html" in accept.lower():
        import html  # with its table of entities 2 ms of a start

        page = f"<!doctype html><meta charset=utf-8><title>{status}</title><p>{html.escape(message)}</p>\n"
        return PageAnswer(status, HTML, page.encode("utf-8", "replace"), headers)
    body = {"code": CODES.get(status, "unknown"), "message": message, **details}
    return PageAnswer(status, JSON, json.dumps(body).encode() + b"\n", headers)
