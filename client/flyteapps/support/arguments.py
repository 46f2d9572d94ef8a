"""Checks of a caller's arguments, made before protobuf can reject them with an error of its own.

Each check returns the argument, or raises InvalidArgument with its name and what it should be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, TypeVar, cast

from google.protobuf.message import Message

from flyteapps.errors import InvalidArgument, Violation

M = TypeVar("M", bound=Message)


def refuse(what: str, value: object, should: str) -> NoReturn:
    """Raise InvalidArgument: `should` continues the sentence "WHAT=VALUE"."""
    raise InvalidArgument(f"{what}={value!r} {should}", violations=[Violation(what, should)])


def text(value: object, what: str) -> str:
    """Return a string, "" for None."""
    if value is None:
        return ""
    if not isinstance(value, str):
        refuse(what, value, f"should be a string, and is of type {type(value).__name__}")
    return value


def texts(value: object, what: str) -> dict[str, str]:
    """Return a mapping of strings to strings, empty for None. Errors show no values: they may be secret."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        refuse(what, value, "should be a mapping of strings to strings")
    pairs = cast("Mapping[object, object]", value)
    for key, each in pairs.items():
        if not isinstance(key, str) or not isinstance(each, str):
            kind = type(each if isinstance(key, str) else key).__name__
            should = f"should be strings, and one is of type {kind}"
            raise InvalidArgument(f"{what}: {key!r} and its value {should}", violations=[Violation(what, should)])
    return cast("dict[str, str]", dict(pairs))


def message(value: object, kind: type[M], what: str) -> M:
    """Return a message of that kind."""
    if isinstance(value, kind):
        return value
    handle = isinstance(getattr(value, "pb2", None), Message)
    hint = "pass its pb2" if handle else "flyteapps.new_app() makes an app's"
    should = f"should be the message {kind.DESCRIPTOR.full_name}, and is a {type(value).__name__}: {hint}"
    raise InvalidArgument(f"{what} {should}", violations=[Violation(what, should)])
