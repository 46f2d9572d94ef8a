"""Arguments of the Python objects, checked before a message is made of them: its own errors name no argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flyteapps_control.v1.control_pb2 import AppSelector

MAX_WHOLE = 2**31 - 1
"""The highest number that a message holds."""


def text(name: str, value: Any) -> str:
    """Return an argument that is a text. Raises TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, not {value!r:.80}")
    return value


def texts(name: str, value: Any) -> dict[str, str]:
    """Return an argument that is a mapping of texts by texts. Raises TypeError for anything else."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping of texts by name, not {value!r:.80}")
    return {text(f"a name in {name}", key): text(f"{name}[{key!r}]", value[key]) for key in value}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # what users hand in


def whole(name: str, value: Any, least: int = 0, most: int = MAX_WHOLE) -> int:
    """Return an argument that is a whole number. Raises TypeError for anything else, ValueError out of bounds."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r:.80}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value if value > -MAX_WHOLE else 'less'}")
    if value > most:
        raise ValueError(f"{name} must be at most {most:,}")
    return value


def number(name: str, value: Any) -> float:
    """Return an argument that is a number. Raises TypeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, not {value!r:.80}")
    return value


def truth(name: str, value: Any) -> bool:
    """Return an argument that is True or False. Raises TypeError for anything else."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r:.80}")
    return value


def selected(app: Any = "", project: Any = "", domain: Any = "") -> AppSelector:
    """Return the selector of apps by globs, "" or None for any. Raises TypeError for what is no text."""
    return AppSelector(
        project=text("project", project or ""), domain=text("domain", domain or ""), name=text("app", app or "")
    )


class DialectName(NamedTuple):
    """The name of a dialect, and its version, "" for one that has none; one of no version is the newest known."""

    name: str
    version: str


def parse_dialect(text: object, known: Mapping[str, Sequence[str]]) -> DialectName:
    """Return the dialect that a text names, of those that are known with their versions, the newest last.

    Raises ValueError, which says what there is.
    """
    name, at, version = text.partition("@") if isinstance(text, str) else ("", "", "")
    if name not in known:
        raise ValueError(f"dialect must be one of {', '.join(known)}, not {text!r}")
    versions = known[name]
    if not at:
        return DialectName(name, versions[-1] if versions else "")
    if not versions:
        raise ValueError(f"dialect {text!r}: {name} has no versions; give {name}")
    if version not in versions:
        wrong = f"{version} isn't known" if version else "the version is missing"
        known_are = f"known {'is' if len(versions) == 1 else 'are'} {', '.join(versions)}"
        raise ValueError(
            f"dialect {text!r}: {wrong}; {known_are}, as in {name}@{versions[-1]}; {name} alone is the newest"
        )
    return DialectName(name, version)
