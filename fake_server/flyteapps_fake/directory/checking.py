"""The check of a state directory, also of one that a server uses."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from flyteapps_fake.directory.database import About, check_state
from flyteapps_fake.directory.errors import Corrupt, DirectoryInUse, StateError
from flyteapps_fake.directory.files import DATABASE
from flyteapps_fake.directory.lock import DirectoryLock
from flyteapps_fake.directory.migrations import check_format
from flyteapps_fake.directory.reading import Reading
from flyteapps_fake.directory.salvage import Key, entry_name

MAX_NAMED = 20
"""Entries that a report names."""


class Report(NamedTuple):
    """The findings of a check."""

    about: About | None
    """The facts about the directory, None where they are damaged."""
    sections: dict[str, int]
    """By section, the entries that are whole."""
    bytes: int
    """The size of the database with its log."""
    user: str
    """The process that uses the directory; empty without one."""
    problems: list[str]
    """All that is wrong, a sentence each."""
    lost: list[Key]
    """The entries that are lost or damaged, as far as their keys are known."""


def check(path: Path) -> Report:
    """Read all of a directory, and report what is there and what is wrong.

    Raises NoState, ForeignDirectory, UnknownFormat, and OSError for a directory that can't be read.
    """
    with unchanged(path) as user:
        try:
            reading = Reading(path)
        except Corrupt as corrupt:
            return Report(None, {}, _size(path), user, [corrupt.problem], [])
        with reading:
            return _report(reading, user)


def _report(reading: Reading, user: str) -> Report:
    about, problems = examined(reading, in_use=bool(user))
    salvage = reading.salvage()
    for _ in salvage.entries():
        pass
    problems += disagreements(about, salvage.counts.total(), salvage.checksum, salvage.errors)
    lost = salvage.lost()
    problems += [f"{entry_name(*each)}: is lost or damaged" for each in lost[:MAX_NAMED]]
    if len(lost) > MAX_NAMED:
        problems.append(f"{len(lost) - MAX_NAMED} more entries are lost or damaged")
    return Report(about, dict(sorted(salvage.counts.items())), _size(reading.path), user, problems, lost)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path / DATABASE, path / f"{DATABASE}-wal") if file.exists())


@contextmanager
def unchanged(path: Path) -> Generator[str]:
    """Keep servers from a directory while it is read; where one uses it, yield its name, and read beside it."""
    check_state(path)
    with contextlib.ExitStack() as stack:
        user = ""
        try:
            stack.callback(DirectoryLock(path, user="a server", advice="stop it").close)
        except DirectoryInUse as in_use:
            user = f"process {in_use.pid}" if in_use.pid else "another process"
        except OSError:  # a directory that can only be read: nothing changes it
            pass
        yield user


def examined(reading: Reading, *, in_use: bool) -> tuple[About | None, list[str]]:
    """Return the facts about a directory, and the problems of its files. Raises UnknownFormat."""
    try:
        about = reading.about()
    except StateError as error:
        return None, [getattr(error, "problem", str(error)), *reading.problems(in_use=in_use)]
    check_format(reading.path, about.format, about.version)
    return about, reading.problems(in_use=in_use)


def disagreements(about: About | None, count: int, checksum: int, errors: list[str]) -> list[str]:
    """Return what the facts and the entries that were found differ in."""
    problems = [f"reading the entries: {each}" for each in errors]
    if about is None:
        return problems
    if count != about.entries:
        problems.append(f"{count} whole entries are there, {about.entries} were written")
    elif checksum % (1 << 63) != about.checksum:
        problems.append("the sum of the entries' checksums is wrong: some are those of an earlier time")
    return problems
