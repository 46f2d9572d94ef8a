"""The places of users' scenarios, as settings name them: files, and mappings as in a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flyteapps_fake.simulation.files.located import ScenarioError, Value, from_data, from_text
from flyteapps_fake.simulation.files.parsing import parse_scenarios
from flyteapps_fake.simulation.scenarios import Scenario

Source = str | os.PathLike[str] | Mapping[str, Any]
Sources = Source | Sequence[Source]


class Stamp(NamedTuple):
    """The version of a file: one with another stamp is read again."""

    modified_ns: int
    size: int


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
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_size)


def _value(source: Source) -> Value:
    if isinstance(source, Mapping):
        return from_data(source)
    path = Path(source)
    try:
        return from_text(path.read_text(encoding="utf-8"), os.fspath(source))
    except OSError as error:
        raise ScenarioError(os.fspath(source), f"can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScenarioError(os.fspath(source), "is not text in UTF-8") from None
