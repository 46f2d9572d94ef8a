"""The tokens of pages, as Kubernetes makes and reads them: the version that all pages show, and the place of the next.

Nothing here knows a service. A token is not secret: a client may make one.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, NamedTuple, cast

from flyteapps_fake.flyte_oss.kubernetes.go_text import quoted

API_VERSION = "meta.k8s.io/v1"
_ALPHABET = re.compile(r"[A-Za-z0-9_-]")
_INT64 = 1 << 63
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
"""Texts of numbers that may be an int64."""
_KINDS: dict[type, str] = {str: "string", bool: "bool", list: "array", dict: "object"}
"""Kinds of JSON values, as Go calls them."""


class _Number(NamedTuple):
    """A number as it is written, of any length."""

    text: str

    def as_int64(self) -> int | None:
        """Return it as Go reads an int64, None where it isn't one."""
        value = int(self.text) if _INTEGER.fullmatch(self.text) else _INT64
        return value if -_INT64 <= value < _INT64 else None


class Token(NamedTuple):
    """A token. `version`: the one that the pages show, below 0 for the present; `start`: where the page begins."""

    version: int
    start: str


def encode_token(version: int, last: str) -> bytes:
    """Return the token of the page after the service of that name."""
    text = json.dumps({"v": API_VERSION, "rv": version, "start": f"/{last}\0"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=")


def decode_token(text: str) -> Token:
    """Return a token from its text. Raises ValueError, in the words of Kubernetes."""
    try:
        return _checked(_fields(_decoded(text)))
    except ValueError as error:
        raise ValueError(f"invalid continue token: continue key is not valid: {error}") from None


def _checked(found: dict[str, Any]) -> Token:
    version, start = found["rv"], found["start"]
    if found["v"] != API_VERSION:
        raise ValueError(f"server does not recognize this encoded version {found['v']}")
    if version == 0:
        raise ValueError(f"incorrect encoded start resourceVersion (version {API_VERSION})")
    if not start:
        raise ValueError(f"encoded start key empty (version {API_VERSION})")
    key = start if start.startswith("/") else f"/{start}"
    if key != "/" and any(part in ("", ".", "..") for part in key.split("/")[1:]):
        raise ValueError(start)
    return Token(version, key[1:])


def _decoded(text: str) -> bytes:
    """Return what is in base64 for URLs, without padding, as Go reads it: bits at the end don't count."""
    for at, character in enumerate(text):
        if not _ALPHABET.fullmatch(character) and character not in "\r\n":
            raise ValueError(f"illegal base64 data at input byte {len(text[:at].encode())}")
    whole = re.sub(r"[\r\n]", "", text)
    if len(whole) % 4 == 1:
        raise ValueError(f"illegal base64 data at input byte {len(text) - 1}")
    return base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4))


def _invalid(data: bytes) -> str:
    """Return what Go says of bytes that aren't JSON: it reads, and names, one byte at a time."""
    text = data.decode("latin-1")
    try:
        json.loads(text, parse_int=str, parse_float=str)
        return "unexpected end of JSON input"
    except json.JSONDecodeError as error:
        return _wording(text, error)


def _wording(text: str, error: json.JSONDecodeError) -> str:
    """Return what Go says of an error in a text of one character a byte."""
    at, where = error.pos, "looking for beginning of value"
    literal = next((each for each in ("true", "false", "null") if text[at : at + 1] == each[0]), "")
    if error.msg == "Extra data":
        where = "after top-level value"
    elif literal:
        wrong = next(number for number in range(len(literal)) if text[at + number : at + number + 1] != literal[number])
        at, where = at + wrong, f"in literal {literal} (expecting '{literal[wrong]}')"
    if at >= len(text):
        return "unexpected end of JSON input"
    return f"invalid character {_character(text[at])} {where}"


def _character(character: str) -> str:
    """Return a character between single quotes, as Go's encoding/json shows it."""
    return {"'": r"'\''", '"': "'\"'"}.get(character) or f"'{quoted(character)[1:-1]}'"


def _fields(data: bytes) -> dict[str, Any]:
    """Return the fields of a token, those that are missing empty; unknown ones are ignored."""
    text = data.decode(errors="replace")
    try:
        whole = json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_no_number)
    except json.JSONDecodeError:
        raise ValueError(_invalid(data)) from None
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    found: dict[str, Any] = {"v": "", "rv": 0, "start": ""}
    if whole is None:
        return found
    if not isinstance(whole, dict):
        raise ValueError(f"json: cannot unmarshal {_kind(whole)} into Go value of type storage.continueToken")
    for name, value in cast("dict[str, Any]", whole).items():
        field = name.lower()
        if field not in found or value is None:
            continue
        is_version = field == "rv"
        read = value.as_int64() if isinstance(value, _Number) and is_version else value
        if not isinstance(read, int if is_version else str) or isinstance(read, bool):
            number = f" {value.text}" if is_version and isinstance(value, _Number) else ""
            raise ValueError(
                f"json: cannot unmarshal {_kind(value)}{number} into Go struct field continueToken.{field} of type "
                f"{'int64' if is_version else 'string'}"
            )
        found[field] = read
    return found


def _no_number(name: str) -> object:
    """Reject what Python reads as a number, and JSON doesn't have."""
    if name.startswith("-"):
        raise ValueError(f"invalid character '{name[1]}' in numeric literal")
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


def _kind(value: object) -> str:
    """Return the kind of a JSON value, as Go calls it."""
    return next((name for kind, name in _KINDS.items() if isinstance(value, kind)), "number")
