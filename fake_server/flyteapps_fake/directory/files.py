"""The files of a state directory: their names and permissions, and their names' survival of a power loss.

DIRECTORY/                    0700, as all of it may hold tokens
  lock                        held by the one process that uses the directory, with its id and host
  state.db                    the database, 0600
  state.db-wal, state.db-shm  its log and the index of that, there while it is in use and after a kill
  state.db.before-format-N    the database as it was before a migration to format N
  uploads/, apps/             uploaded files, and those of apps that really run: not of this package
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

DATABASE = "state.db"
UNFINISHED = "state.db.new"
"""A database that is being made, until it is renamed; the rest of an interrupted start is removed by the next one."""
LOCK = "lock"
OTHERS = {LOCK, "apps", "uploads", "lost+found"}
"""Files that may be in a directory without a database, beside those of an unfinished one."""


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable: without this, a power loss may take a new or renamed file away."""
    if os.name == "nt":  # where directories can't be opened
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make the content of a file durable."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_directory(path: Path) -> None:
    """Make a directory for its owner alone, durably, with those above it; leave one that exists as it is."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        sync_directory(each.parent)


def touch_private(path: Path) -> None:
    """Make an empty file for its owner alone."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def unused_name(path: Path) -> Path:
    """Return the path, with a number behind it where there is such a file already: nothing is overwritten."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate
