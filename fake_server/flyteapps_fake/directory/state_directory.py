"""The directory of a plane's state: entries of bytes, written in transactions that survive a kill and a power loss.

SQLite does most of it. What it does, in WAL mode with `synchronous=FULL` (https://www.sqlite.org/wal.html,
https://www.sqlite.org/pragma.html#pragma_synchronous, `os_unix.c`):

- A commit appends the changed pages to the log, `state.db-wal`, each with a checksum that continues the one before, and
  synchronizes that file before it returns. It synchronizes the directory, too, once after the log was made.
- The first reading after a crash takes the log up to its last whole transaction; the rest is overwritten.
- A checkpoint synchronizes the log, copies its pages into `state.db`, synchronizes that, and only then begins the log
  anew. An error in it is no error of the commit: the log grows until a later one works.
- A commit that fails leaves the state as it was, and the connection usable. Where only its synchronization failed, the
  transaction is in the log until the next one overwrites it: after a kill before that one it would be there.

Not by SQLite: the directory is synchronized after `state.db` was made, the entries have checksums (`database.py`), a
log that is damaged before its end is no cut one (`write_ahead_log.py`), one process has the directory (`lock.py`),
files that were deleted or moved away are noticed (SQLite goes on writing to the deleted ones), and so are forks.

With `never`, nothing is synchronized: a kill of the process loses nothing, a power loss may take the last seconds, or
leave a damaged database, which is refused at the next start.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from flyteapps_fake.core.state.version import written_by
from flyteapps_fake.core.time.forks import register_inherited
from flyteapps_fake.directory.database import (
    About,
    Sync,
    about_of,
    checksum_of,
    connect,
    has_state,
    make,
    of_system,
    translated,
)
from flyteapps_fake.directory.errors import (
    Corrupt,
    DirectoryLost,
    NoState,
    OtherDialect,
    StateError,
)
from flyteapps_fake.directory.files import DATABASE, LOCK, make_directory
from flyteapps_fake.directory.lock import DirectoryLock
from flyteapps_fake.directory.migrations import FORMAT, check_format, migrate
from flyteapps_fake.directory.reading import Reading
from flyteapps_fake.directory.salvage import Entry

Change = tuple[str, bytes, bytes | None]
"""A section, a key, and the new value; None to delete the entry."""

ADVICE = "stop it, or give another directory"

_abandoned: set[tuple[int, int]] = set()
"""The databases that were open in a parent process when this one was forked."""


class StateDirectory:
    """An open directory, which no other process uses. Its methods may be called from any thread."""

    def __init__(self, path: Path, lock: DirectoryLock, connection: sqlite3.Connection) -> None:
        """Use `open` instead."""
        self.path = path
        self.about = about_of(path, connection)
        """The facts about the directory when it was opened."""
        self._directory_lock = lock
        self._connection: sqlite3.Connection | None = connection
        self._turn = threading.Lock()
        self._pid = os.getpid()
        self._identities = {path / name: _identity(path / name) for name in (DATABASE, f"{DATABASE}-wal", LOCK)}
        register_inherited(self)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, dialect: str, sync: Sync, create: bool = True) -> Self:
        """Open a directory, or make one unless `create` is False.

        Raises StateError, and changes no state, for a directory that is in use, that has other files, the state of
        another dialect or of a newer format, or a damaged one.
        """
        root = Path(path)
        try:
            if not has_state(root) and not create:
                raise NoState(root)
            make_directory(root)
            lock = DirectoryLock(root, user="another server", advice=ADVICE)
        except OSError as error:
            raise of_system(root, error, opening=True) from None
        try:
            return cls(root, lock, _connected(root, dialect, sync))
        except BaseException as error:
            lock.close()
            if isinstance(error, OSError):
                raise of_system(root, error, opening=True) from None
            if isinstance(error, sqlite3.Error):
                raise translated(root, error, opening=True) from None
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def position(self) -> int:
        """The number of the last transaction."""
        return self._about().position

    def count(self) -> int:
        """Return the number of entries."""
        return self._about().entries

    def entries(self) -> Iterator[Entry]:
        """Yield all entries as of now, in no promised order; writes in the meantime change nothing about that.

        Raises Corrupt at one with a wrong checksum, and at the end where entries are missing, surplus or outdated.
        """
        self._open_connection()
        with Reading(self.path) as reading:
            yield from reading.entries()

    def write(self, changes: Iterable[Change], position: int) -> None:
        """Write all of the changes in one transaction: durable, by the policy, on return.

        Raises WriteError, such as DiskFull, ReadOnly or DirectoryLost, with nothing written, and Corrupt. The next
        write is tried as usual.
        """
        with self._turn:
            connection = self._open_connection()
            try:
                self._check_files()
                _roll_back(connection)
                connection.execute("BEGIN IMMEDIATE")
                _apply(connection, about_of(self.path, connection), changes, position)
                connection.execute("COMMIT")
            except BaseException as error:
                _roll_back(connection)
                if isinstance(error, sqlite3.Error):
                    raise translated(self.path, error) from None
                raise

    def close(self) -> None:
        """Move the log into the database, and leave the directory to others."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        self._directory_lock.close()

    def forked(self) -> None:
        """Give up the connection in a forked child: SQLite must neither use nor close it there."""
        self._turn = threading.Lock()
        if self._connection is not None:
            _abandoned.update(each for file, each in self._identities.items() if file.name == DATABASE and each)
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
            self._connection = None

    def _about(self) -> About:
        with self._turn:
            try:
                return about_of(self.path, self._open_connection())
            except sqlite3.Error as error:
                raise translated(self.path, error) from None

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            if self._pid != os.getpid():
                raise StateError(f"{self.path}: opened by process {self._pid}, which this one was forked from")
            raise StateError(f"{self.path}: closed")
        return self._connection

    def _check_files(self) -> None:
        """Raise DirectoryLost where a file isn't any more what the connection writes to."""
        for file, identity in self._identities.items():
            if _identity(file) != identity:
                raise DirectoryLost(self.path, f"{file.name} was deleted, replaced or moved away")


def _apply(connection: sqlite3.Connection, about: About, changes: Iterable[Change], position: int) -> None:
    if position < about.position:
        raise ValueError(f"position {position} is before {about.position}, that of the last transaction")
    count, total = about.entries, about.checksum
    execute = connection.execute
    for section, key, value in changes:
        found = execute("SELECT id, checksum FROM entries WHERE section = ? AND key = ?", (section, key)).fetchone()
        if found is not None:
            total -= found[1]
        if value is None:
            if found is not None:
                count -= 1
                execute("DELETE FROM entries WHERE id = ?", found[:1])
            continue
        checksum = checksum_of(section, key, value)
        total += checksum
        if found is not None:
            execute("UPDATE entries SET value = ?, checksum = ? WHERE id = ?", (value, checksum, found[0]))
        else:
            count += 1
            row = (section, key, value, checksum)
            execute("INSERT INTO entries (section, key, value, checksum) VALUES (?, ?, ?, ?)", row)
    execute(
        "UPDATE about SET value = CASE name WHEN 'position' THEN ? WHEN 'entries' THEN ? ELSE ? END "
        "WHERE name IN ('position', 'entries', 'checksum')",
        (position, count, total % (1 << 63)),
    )


def _connected(root: Path, dialect: str, sync: Sync) -> sqlite3.Connection:
    """Return a connection to a checked database of today's format. The directory is locked."""
    version = written_by()
    if not has_state(root):
        make(root, About(FORMAT, dialect, version, secrets.token_hex(8), 0, 0, 0))
    if _identity(root / DATABASE) in _abandoned:
        raise StateError(f"{root}: was open in the process that this one was forked from: open it in a new process")
    with Reading(root) as reading:
        about = reading.about()
        check_format(root, about.format, about.version)
        if about.dialect != dialect:
            raise OtherDialect(
                f"{root}: has the state of a plane of the dialect {about.dialect}, not {dialect}: choose that dialect, "
                "or give another directory"
            )
        if problems := reading.problems():
            raise Corrupt(root, problems[0])
    connection = connect(root, sync)
    try:
        migrate(root, connection, about.format)
        if about.version != version:
            connection.execute("UPDATE about SET value = ? WHERE name = 'version'", (version,))
    except BaseException:
        connection.close()
        raise
    return connection


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
