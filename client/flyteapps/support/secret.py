"""Secrets: strings with a repr that hides them, and tracebacks that keep nothing of them.

Values that may be secret (the headers of a client, the keys of a configuration file) are held as `Secret` from the
first function on. The frames of libraries, which hold them as strings of their own, are emptied by `forget_locals` when
an error leaves a transport.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from flyteapps.errors import ConfigError

SHOWN = "Secret(...)"

PUBLIC_HEADERS = frozenset({"x-request-id", "user-agent"})
"""Headers with public values: errors show the first."""


class Secret(str):
    """A string for use as any other, with a repr that hides it, and so for any part of it.

    So it doesn't appear in the repr of its container, in tracebacks with locals, or in a debugger's list of variables.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return SHOWN

    def __getitem__(self, key: Any) -> Secret:
        """Return a part, which is hidden too: long strings are shortened before their repr."""
        return Secret(super().__getitem__(key))


def hidden(headers: Mapping[str, str] | None) -> Any:
    """Return the headers with hidden values; a value of another type is replaced by that type.

    It never fails, so that a function can call it first: from then on its frame holds no plain value.
    """
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # what a caller gives
        return type(headers)
    return {name: Secret(value) if isinstance(value, str) else type(value) for name, value in headers.items()}  # pyright: ignore[reportUnnecessaryIsInstance]


def hidden_text(value: object) -> Any:
    """Return a text as a Secret, None as it is, and the type of anything else."""
    if isinstance(value, str):
        return Secret(value)
    return None if value is None else type(value)


def checked_headers(headers: Any) -> dict[str, str]:
    """Return the headers that `hidden` returned, with names in lower case. Raises ConfigError for invalid ones."""
    if not isinstance(headers, dict):
        raise ConfigError(f"headers: should be a mapping of names to values, not {headers.__name__}")
    checked: dict[str, str] = {}
    for name, value in cast("dict[Any, Any]", headers).items():
        if not isinstance(name, str) or not name.isascii() or not _is_token(name):
            raise ConfigError(f"headers: {name!r} is not a valid header name")
        if not isinstance(value, str):
            raise ConfigError(f"headers: the value of {name!r} should be a string, not {value.__name__}")
        if not value.isascii() or "\r" in value or "\n" in value or "\0" in value:
            raise ConfigError(f"headers: the value of {name!r} may hold ASCII only, and no line ends")
        checked[name.lower()] = value if name.lower() not in PUBLIC_HEADERS else str(value)
    return checked


def _is_token(name: str) -> bool:
    return bool(name) and not any(c <= " " or c in '()<>@,;:\\"/[]?={}\x7f' for c in name)


def forget_locals(error: BaseException, outer: BaseException | None = None) -> None:
    """Empty the local variables of the frames that an error and its causes came through so far.

    For `except` blocks; frames that still run keep theirs. `outer`: the exception that the caller was handling already,
    which is left as it is.
    """
    import traceback

    todo: list[BaseException | None] = [error]
    seen = {id(None), id(outer)}
    while todo:
        each = todo.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            traceback.clear_frames(each.__traceback__)
            todo += (each.__cause__, each.__context__)


def forget_headers(error: BaseException, headers: Mapping[str, str], outer: BaseException | None) -> None:
    """Call `forget_locals` if the headers of the failed call hold secrets."""
    if any(isinstance(value, Secret) for value in headers.values()):
        forget_locals(error, outer)
