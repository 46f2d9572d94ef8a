"""The database of a state directory: its schema, its settings, and the errors of SQLite as those of a directory.

`entries` has a numbered row for each: with the section and key as the primary key of a table without row numbers,
values of 2 KB, the usual ones, take twice the space and three times the time, and a damaged page hides what follows it.
A row has the CRC-32 of its section, key and value, `about` the sum of all of them: SQLite has no checksums in its
database, and so returns a page that the disk has changed, or an earlier state of it, as if all was well.

Pages of 4 KB take half as much space again for such values.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import zlib
from pathlib import Path
from typing import Literal, NamedTuple

from flyteapps_fake.directory.errors import (
    Corrupt,
    DirectoryLost,
    DiskFull,
    ForeignDirectory,
    NoState,
    ReadOnly,
    StateError,
    WriteError,
)
from flyteapps_fake.directory.files import DATABASE, OTHERS, UNFINISHED, sync_directory, touch_private
from flyteapps_fake.directory.migrations import FORMAT

Sync = Literal["always", "group", "never"]

APPLICATION_ID = 0x666C7961
"""The number in SQLite's header that says whose database it is; `flya`."""
HEADER_BYTES = 100
MAGIC = b"SQLite format 3\0"
PAGE_BYTES = 8192
CHECKPOINT_PAGES = 1000
"""Length of the log at which a commit moves it into the database: 8 MB, read in 20 ms after a kill."""
MAX_IDLE_LOG_BYTES = 16 * 1024 * 1024
"""Size that the file of the log is cut to after a larger transaction."""
BUSY_SECONDS = 5.0
"""Longest wait for another program that writes to the database, such as SQLite's shell."""

SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    section TEXT NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (section, key)
);
CREATE TABLE about (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


class About(NamedTuple):
    """The facts about a directory, each a row of the table `about`."""

    format: int
    dialect: str
    version: str
    """The version of flyteapps that wrote to it last."""
    id: str
    """A random name of this state, for as long as the directory exists."""
    position: int
    """The number of the last transaction."""
    entries: int
    """The number of entries."""
    checksum: int
    """The sum of their checksums, modulo 2^63."""


TEXTS = {"dialect", "version", "id"}
"""The facts that are texts; the others are numbers."""


def checksum_of(section: str, key: bytes, value: bytes) -> int:
    """Return the checksum of an entry."""
    return zlib.crc32(value, zlib.crc32(key, zlib.crc32(section.encode())))


def about_of(path: Path, connection: sqlite3.Connection) -> About:
    """Return the facts about a directory. Raises Corrupt."""
    found = dict(connection.execute("SELECT name, value FROM about"))
    for name in About._fields:
        if not isinstance(found.get(name), str if name in TEXTS else int):
            raise Corrupt(path, f"table about: the row {name!r} is missing or has a value of another type")
    return About(**{name: found[name] for name in About._fields})


def _is_ours(database: Path) -> bool:
    """Return whether the file is a database of this package, by its first bytes: it isn't opened."""
    with database.open("rb") as file:
        header = file.read(HEADER_BYTES)
    return header[:16] == MAGIC and int.from_bytes(header[68:72], "big") == APPLICATION_ID


def length_by_header(path: Path) -> int:
    """Return the bytes that a database has by its own first page."""
    with (path / DATABASE).open("rb") as file:
        header = file.read(HEADER_BYTES)
    return int.from_bytes(header[16:18], "big") * int.from_bytes(header[28:32], "big")


def make(path: Path, about: About) -> None:
    """Make a database without entries in the directory `path`: all of it is there after a power loss, or nothing."""
    new = path / UNFINISHED
    for suffix in ("", "-wal", "-shm", "-journal"):
        new.with_name(new.name + suffix).unlink(missing_ok=True)
    touch_private(new)
    connection = sqlite3.connect(new, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(SCHEMA)
        connection.executemany("INSERT INTO about VALUES (?, ?)", about._asdict().items())
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
    finally:
        connection.close()
    os.rename(new, path / DATABASE)
    sync_directory(path)


def has_state(root: Path) -> bool:
    """Return whether there is a database of ours. Raises ForeignDirectory where there is another thing."""
    try:
        names = set(os.listdir(root))
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise ForeignDirectory(f"{root}: is a file, not a directory: give another path") from None
    if DATABASE in names:
        if _is_ours(root / DATABASE):
            return True
        raise ForeignDirectory(
            f"{root}: {DATABASE} isn't a database of flyteapps (or its first bytes are damaged): give another directory"
        )
    if f"{DATABASE}-wal" in names:
        raise Corrupt(root, f"{DATABASE} is missing, and its log {DATABASE}-wal is there")
    if any(name for name in names - OTHERS if not name.startswith(UNFINISHED)):
        other = min(names - OTHERS)
        raise ForeignDirectory(f"{root}: has other files, such as {other}: give an empty or new directory")
    return False


def check_state(root: Path) -> None:
    """Raise StateError where there is no state to be read."""
    try:
        if has_state(root):
            return
    except ForeignDirectory:
        if (root / DATABASE).exists() or not root.is_dir():
            raise
    raise NoState(root)


def connect(path: Path, sync: Sync) -> sqlite3.Connection:
    """Return a connection that writes, with transactions as its caller begins and ends them."""
    connection = sqlite3.connect(
        f"{(path / DATABASE).absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS,
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # as it is made, unless another program has changed that
        connection.execute(f"PRAGMA synchronous = {'OFF' if sync == 'never' else 'FULL'}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {MAX_IDLE_LOG_BYTES}")
        if sys.platform == "darwin":  # where fsync alone leaves data in the disk's cache
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """Return a connection that reads alone. Neither it nor its end moves the log into the database.

    `immutable`: of files that nothing can change, such as those of a disk that is read-only, and without a log.
    """
    return sqlite3.connect(
        f"{(path / DATABASE).absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS,
    )


def translated(path: Path, error: sqlite3.Error, *, opening: bool = False) -> StateError:
    """Return the directory's error for one of SQLite, which says what failed but seldom why: the disk is tried.

    `opening`: whether the directory was being opened, so that no server can go on.
    """
    detail = str(error)
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return DiskFull(path, detail, opening=opening)
        case sqlite3.SQLITE_READONLY:
            return ReadOnly(path, detail, opening=opening)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Corrupt(path, detail)
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            return _tried(path, detail, opening)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return WriteError(f"{path}: {detail}: another program writes to {DATABASE}: end it")
        case _:
            return Corrupt(path, detail)


def of_system(path: Path, error: OSError, *, opening: bool = False) -> StateError:
    """Return the directory's error for one of the system."""
    detail = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(path, detail, opening=opening)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return ReadOnly(path, detail, opening=opening)
    return DirectoryLost(path, detail, opening=opening)


def _tried(path: Path, detail: str, opening: bool) -> StateError:
    """Return the error by what the system says of another file there."""
    trial = path / f".trial-{os.getpid()}"
    try:
        descriptor = os.open(trial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, bytes(PAGE_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            trial.unlink()
    except OSError as error:
        return of_system(path, error, opening=opening)
    if _is_at_limit(path):
        return DiskFull(path, f"{detail}; the limit of this process for the size of files is reached", opening=opening)
    return DirectoryLost(path, detail, opening=opening)


def _is_at_limit(path: Path) -> bool:
    """Return whether a file has the size that this process may write at most (`ulimit -f`)."""
    if os.name == "nt":
        return False
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    sizes = [file.stat().st_size for file in path.glob(f"{DATABASE}*")]
    return limit != resource.RLIM_INFINITY and max(sizes, default=0) + PAGE_BYTES >= limit
