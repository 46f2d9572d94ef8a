"""A database that is read: by the start of a server, by `flyteapps state`, also while a server uses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from flyteapps_fake.directory.database import About, about_of, checksum_of, connect_to_read, translated
from flyteapps_fake.directory.errors import Corrupt, ReadOnly
from flyteapps_fake.directory.files import DATABASE
from flyteapps_fake.directory.salvage import Entry, Salvage, entry_name
from flyteapps_fake.directory.write_ahead_log import damage

MAX_PROBLEMS = 20
"""Problems of the database's structure that are reported."""


class Reading:
    """The state as of one transaction. Raises StateError of any kind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._begin()
        except ReadOnly:  # a log needs an index beside it, which can't be made
            if (path / f"{DATABASE}-wal").exists():
                raise
            self._begin(immutable=True)

    def _begin(self, *, immutable: bool = False) -> None:
        self._connection = connect_to_read(self.path, immutable=immutable)
        try:
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        except sqlite3.Error as error:
            self.close()
            raise translated(self.path, error, opening=True) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def about(self) -> About:
        """Return the facts about the state."""
        try:
            return about_of(self.path, self._connection)
        except sqlite3.Error as error:
            raise translated(self.path, error) from None

    def problems(self, *, in_use: bool = False) -> list[str]:
        """Return what is wrong with the files' structure; the entries' own checksums are for `entries`.

        The log of a directory in use isn't looked at, as it grows.
        """
        log = self.path / f"{DATABASE}-wal"
        found = None if in_use else damage(log, self.path / f"{DATABASE}-shm")
        problems = [] if found is None else [found]
        try:
            rows = self._connection.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})").fetchall()
        except sqlite3.Error as error:
            return [*problems, f"{DATABASE}: {error}"]
        lines = [line for (text,) in rows for line in text.split("\n") if line != "ok" and not line.startswith("***")]
        return [*problems, *(f"{DATABASE}: {line}" for line in lines)]

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, in no promised order.

        Raises Corrupt at one with a wrong checksum, and at the end where entries are missing, surplus or outdated.
        """
        about = self.about()
        count = total = 0
        try:
            rows = self._connection.execute("SELECT section, key, value, checksum FROM entries")
            for section, key, value, checksum in rows:
                if checksum_of(section, key, value) != checksum:
                    raise Corrupt(self.path, f"the entry {entry_name(section, key)} has a wrong checksum")
                count += 1
                total += checksum
                yield section, key, value
        except sqlite3.Error as error:
            raise translated(self.path, error) from None
        if count != about.entries:
            raise Corrupt(self.path, f"{count} entries are there, {about.entries} were written")
        if total % (1 << 63) != about.checksum:
            raise Corrupt(self.path, "the sum of the entries' checksums is wrong: some are those of an earlier time")

    def salvage(self) -> Salvage:
        """Return the entries that are whole in a damaged state; nothing else may be read afterwards."""
        return Salvage(self._connection)

    def close(self) -> None:
        """End the reading."""
        self._connection.close()
