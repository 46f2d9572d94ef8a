"""The places of users' scenarios, as settings name them: files, and mappings as in a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flyteapps_control.scenarios import MAX_BYTES
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.simulation.files.located import ScenarioError, Value, from_data, from_text
from flyteapps_fake.simulation.files.parsing import parse_scenarios
from flyteapps_fake.simulation.scenarios import Scenario

Source = str | os.PathLike[str] | Mapping[str, Any]
Sources = Source | Sequence[Source]


class Stamp(NamedTuple):
    """The version of a file: one with another stamp is read again.

    `regular`: whether it is a file; a pipe is read once, and not again.
    """

    modified_ns: int
    size: int
    inode: int = 0
    regular: bool = True


def as_list(sources: Sources | None) -> list[Source]:
    """Return one source, or several, as a list. Raises ValueError for what is none."""
    if sources is None:
        return []
    if isinstance(sources, str | os.PathLike | Mapping):
        return [sources]
    if isinstance(sources, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]  # what users hand in
        for each in sources:
            if not isinstance(each, str | os.PathLike | Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError(f"scenarios: {each!r} is neither a path nor a mapping with `scenarios`")
        return list(sources)
    raise ValueError(f"scenarios must be a path, a mapping as in a file, or a list of them, not {sources!r}")


def read(source: Source) -> list[Scenario]:
    """Return the scenarios of one source. Raises ScenarioError."""
    return parse_scenarios(_value(source))


def stamp_of(path: str) -> Stamp | None:
    """Return the version of a file, None for one that isn't there."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # a path with a zero byte is none
        return None
    if not stat.S_ISREG(found.st_mode):
        return Stamp(0, 0, found.st_ino, regular=False)
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino)


def _value(source: Source) -> Value:
    if isinstance(source, Mapping):
        return from_data(source)
    path = os.fspath(source)
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)  # from_text refuses what is longer
    except OSError as error:
        raise ScenarioError(path or quoted(path), f"can't be read: {error.strerror}") from None
    except ValueError as error:
        raise ScenarioError(quoted(path), f"can't be read: {error}") from None
    try:
        return from_text(content.decode("utf-8", "strict" if len(content) <= MAX_BYTES else "replace"), path)
    except UnicodeDecodeError:
        raise ScenarioError(path, "is not text in UTF-8") from None
