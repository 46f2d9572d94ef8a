"""The repair of a damaged directory: a new database of all entries that are whole, and a copy of the old one."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import NamedTuple

from flyteapps_fake.directory.checking import disagreements, examined
from flyteapps_fake.directory.database import About, check_state, length_by_header, of_system
from flyteapps_fake.directory.errors import Corrupt, StateError
from flyteapps_fake.directory.files import DATABASE, sync_directory, sync_file, unused_name
from flyteapps_fake.directory.lock import DirectoryLock
from flyteapps_fake.directory.reading import Reading
from flyteapps_fake.directory.salvage import Key
from flyteapps_fake.directory.state_directory import ADVICE, StateDirectory

WORKSHOP = f"{DATABASE}.repairing"
"""The folder in the directory in which the new database is made."""


class Repair(NamedTuple):
    """The result of a repair."""

    problems: list[str]
    """The problems that it had; nothing was done where there are none."""
    backup: Path | None
    """The copy of the database as it was."""
    saved: int
    """The number of entries that are in the new one."""
    lost: list[Key]
    """The entries that aren't, as far as their keys are known."""
    unnamed: int
    """The number of further ones."""


def repair(path: Path, dialect: str | None = None) -> Repair:
    """Repair a directory that no server uses. `dialect`: for one whose facts are damaged. Raises StateError."""
    try:
        check_state(path)
        lock = DirectoryLock(path, user="a server", advice=ADVICE)
        try:
            return _repair(path, dialect)
        finally:
            lock.close()
    except OSError as error:
        raise of_system(path, error, opening=True) from None


def _repair(path: Path, dialect: str | None) -> Repair:
    workshop = path / WORKSHOP
    shutil.rmtree(workshop, ignore_errors=True)  # of an interrupted repair
    cut = _completed(path)
    with Reading(path) as reading:
        about, problems = examined(reading, in_use=False)
        salvage = reading.salvage()
        entries = list(salvage.entries())
        problems += disagreements(about, len(entries), salvage.checksum, salvage.errors)
        lost = salvage.lost()
    problems += [cut.problem] if cut else []
    if not problems and not lost:
        return Repair([], None, len(entries), [], 0)
    known = about.dialect if about is not None else dialect
    if known is None:
        if cut:
            os.truncate(path / DATABASE, cut.size)
            shutil.rmtree(cut.backup)
        raise StateError(f"{path}: which dialect it is of can't be read: name it by --dialect")
    backup = cut.backup if cut else _copied(path)
    with StateDirectory.open(workshop, dialect=known, sync="group") as new:
        new.write(entries, about.position if about is not None else 0)
    sync_file(workshop / DATABASE)
    # Until the last step, what an interruption leaves is no state, rather than a part of one.
    for name in (f"{DATABASE}-shm", DATABASE, f"{DATABASE}-wal"):
        (path / name).unlink(missing_ok=True)
    os.rename(workshop / DATABASE, path / DATABASE)
    shutil.rmtree(workshop)
    sync_directory(path)
    return Repair(problems, backup, len(entries), lost, _unnamed(about, len(entries), lost))


class _Cut(NamedTuple):
    problem: str
    size: int
    backup: Path


def _completed(path: Path) -> _Cut | None:
    """Give a database that was cut its length again, with zeros, after a copy: SQLite reads nothing of it otherwise."""
    try:
        Reading(path).close()
        return None
    except Corrupt:
        wanted, size = length_by_header(path), (path / DATABASE).stat().st_size
        if size >= wanted:
            raise
    backup = _copied(path)
    os.truncate(path / DATABASE, wanted)
    return _Cut(f"{DATABASE} has {size} bytes of {wanted}", size, backup)


def _unnamed(about: About | None, saved: int, lost: list[Key]) -> int:
    return max(0, about.entries - saved - len(lost)) if about is not None else 0


def _copied(path: Path) -> Path:
    """Return a new directory beside it with a copy of the database and its log, which survives a power loss."""
    moment = time.strftime("%Y%m%dT%H%M%S")
    absolute = path.absolute()
    backup = unused_name(absolute.with_name(f"{absolute.name}.before-repair-{moment}"))
    backup.mkdir(mode=0o700)
    for name in (DATABASE, f"{DATABASE}-wal"):
        if (path / name).exists():
            copy = backup / name
            os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            shutil.copyfile(path / name, copy)
            sync_file(copy)
    sync_directory(backup)
    sync_directory(backup.parent)
    return backup
