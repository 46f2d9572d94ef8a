"""The parser of `responses`: what a simulated app answers, checked so that any server can send it as it is."""

from __future__ import annotations

import json
import re

from flyteapps_control.selection import Glob
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.simulation.files import format as fields
from flyteapps_fake.simulation.files.field_values import fields_of, text_of, whole_of
from flyteapps_fake.simulation.files.located import MAX_NESTING, ScenarioError, Value
from flyteapps_fake.simulation.responses import Response, Responses

EXAMPLE = "responses must be a list, such as [{path: /healthz, body: ok}, {body: {hello: world}}]"
TEXT, JSON = "text/plain; charset=utf-8", "application/json"
_METHOD, _PATH, _CONTENT_TYPE, _NAME, _HEADER = map(
    re.compile, (fields.METHOD, fields.PATH, fields.CONTENT_TYPE, fields.HEADER_NAME, fields.HEADER_VALUE)
)
_NO_BODY = (204, 205, 304)
"""The statuses whose responses have no body."""


class ResponseReader:
    """The responses of one text, which are counted: those of an alias wherever it stands."""

    def __init__(self) -> None:
        self._count = 0
        self._left = fields.MAX_RESPONSE_BYTES

    def responses(self, value: Value | None) -> Responses:
        """Return the responses of a scenario. Raises ScenarioError."""
        if value is None:
            return ()
        if value.items is None:
            raise value.fail(EXAMPLE)
        found: list[Response] = []
        for each in value.items:
            self._count += 1
            if self._count > fields.MAX_RESPONSES:
                raise each.fail(
                    f"there are more than {fields.MAX_RESPONSES:,} responses: split them into several files"
                )
            found.append(self._response(each))
        return tuple(found)

    def _response(self, value: Value) -> Response:
        found = fields_of(value, fields.RESPONSE, "a response")
        status = whole_of(found["status"], "status", 200, 599) if "status" in found else 200
        content_type, body = self._body(found.get("body"))
        if body and status in _NO_BODY:
            raise found["body"].fail(f"body: a response with status {status} has none")
        if "content_type" in found:
            content_type = _matching(found["content_type"], "content_type", _CONTENT_TYPE, "such as text/html")
            if content_type.startswith("text/") and "charset=" not in content_type.lower():
                content_type += "; charset=utf-8"
        response = Response(
            method=Glob(_glob(found.get("method"), "method", _METHOD, "a method, such as POST").upper()),
            path=Glob(_glob(found.get("path"), "path", _PATH, "a path within the app, such as /healthz or /v1/*")),
            status=status,
            content_type=content_type.encode("ascii"),
            body=body,
            headers=_headers(found.get("headers")),
        )
        self._left -= response.size
        if self._left < 0:
            raise self._too_large(value)
        return response

    def _body(self, value: Value | None) -> tuple[str, bytes]:
        """Return the usual content type of a body, and its bytes: a text as it is, anything else as JSON."""
        if value is None or (value.is_scalar and value.scalar is None):
            return "", b""
        try:
            if isinstance(value.scalar, str):
                return TEXT, value.scalar.encode()
            parts: list[str] = []
            self._write(value, parts, self._left, 0)
            return JSON, "".join(parts).encode()
        except ScenarioError:
            raise
        except ValueError as error:  # a number that isn't finite, half of a surrogate pair
            raise value.fail(f"body: neither a text nor JSON: {error}") from None

    def _write(self, value: Value, parts: list[str], left: int, depth: int) -> int:
        """Write a value as JSON, piece by piece, since aliases can multiply it; return the bytes that are left."""
        if depth > MAX_NESTING:
            raise value.fail("body: lists and mappings are nested too deeply")

        def write(text: str) -> None:
            nonlocal left
            left -= len(text)
            if left < 0:
                raise self._too_large(value)
            parts.append(text)

        if value.fields is not None:
            for index, (key, each) in enumerate(value.fields.items()):
                write(f"{', ' if index else '{'}{_scalar(key)}: ")
                left = self._write(each, parts, left, depth + 1)
            write("}" if value.fields else "{}")
        elif value.items is not None:
            for index, each in enumerate(value.items):
                write(", " if index else "[")
                left = self._write(each, parts, left, depth + 1)
            write("]" if value.items else "[]")
        else:
            write(_scalar(value.scalar))
        return left

    @staticmethod
    def _too_large(value: Value) -> ScenarioError:
        return value.fail(
            f"the responses of one text have more than {fields.MAX_RESPONSE_BYTES:,} bytes: make them smaller, or "
            "split them into several files"
        )


def _scalar(scalar: bool | float | str | None) -> str:
    return json.dumps(scalar, ensure_ascii=False, allow_nan=False)


def _headers(value: Value | None) -> tuple[tuple[bytes, bytes], ...]:
    if value is None:
        return ()
    if value.fields is None:
        raise value.fail("headers must be texts by name, such as {cache-control: no-store}")
    if len(value.fields) > fields.MAX_HEADERS:
        raise value.fail(f"headers: one response has at most {fields.MAX_HEADERS}")
    found: dict[str, str] = {}
    for given, each in value.fields.items():
        at, name = each.key_place or each.place, given.lower()
        if not _NAME.fullmatch(given):
            raise ScenarioError(at, f"headers: {quoted(given)} is no name of a header")
        if name == "content-type":
            raise ScenarioError(at, "headers: give the content type as `content_type`, beside `headers`")
        if name in fields.SERVER_HEADERS or name.startswith(fields.SERVER_HEADER_PREFIXES):
            raise ScenarioError(at, f"headers: {name} is the server's own to set; leave it out")
        if name in found:
            raise ScenarioError(at, f"headers: {name} is given twice")
        if isinstance(each.scalar, bool) or each.scalar is None:
            raise each.fail(f"headers: {name} must be a text; quotes make one of any value")
        found[name] = _matching(each, f"headers: {name}", _HEADER, "printable ASCII, in one line")
    return tuple((name.encode("ascii"), text.encode("ascii")) for name, text in found.items())


def _glob(value: Value | None, what: str, pattern: re.Pattern[str], meant: str) -> str:
    return _matching(value, what, pattern, f"{meant}; globs are allowed") if value is not None else ""


def _matching(value: Value, what: str, pattern: re.Pattern[str], meant: str) -> str:
    """Return a text of that pattern."""
    text = text_of(value, what)
    if not pattern.fullmatch(text):
        raise value.fail(f"{what} must be {meant}, not {quoted(text)}")
    return text
