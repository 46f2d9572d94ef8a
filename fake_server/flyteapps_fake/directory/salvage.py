"""All that is whole in a database, whatever else is damaged in it.

Rows are read by their numbers. Where a page is damaged, those of the pages around it still are, each by itself; the
index of sections and keys, where it is whole, names the rows that are lost. A row counts if its checksum is right.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

from flyteapps_fake.directory.database import checksum_of

MAX_GAP = 100_000
"""Numbers that are tried behind the last row that was found, where nothing says how many there are."""

Key = tuple[str, bytes]
Entry = tuple[str, bytes, bytes]


def key_name(key: bytes) -> str:
    """Return a key for messages: ASCII as it is, other bytes escaped."""
    return repr(key)[2:-1]


def entry_name(section: str, key: bytes) -> str:
    """Return an entry for messages: its section and key."""
    return f"{section} {key_name(key)}".rstrip()


class Salvage:
    """The entries of a connection that are whole, and the keys of those that are lost."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.text_factory = bytes  # a damaged section may be no text
        self.counts: Counter[str] = Counter()
        """By section, the entries that `entries` has yielded."""
        self.checksum = 0
        """The sum of their checksums."""
        self.damaged: list[Key] = []
        """Entries with a wrong checksum; their keys, too, may be what is damaged."""
        self.errors: list[str] = []
        """The errors of SQLite that were met, each once."""
        self._found: set[Key] = set()

    def entries(self) -> Iterator[Entry]:
        """Yield the entries that are whole, each key once."""
        for row in self._rows():
            match row:
                case (bytes(section), bytes(key), bytes(value), int(checksum)):
                    name = section.decode(errors="replace")
                case _:
                    self._note("a row has values of other types")
                    continue
            if checksum_of(name, key, value) != checksum:
                self.damaged.append((name, key))
            elif (name, key) in self._found:
                self._note(f"the key {key!r} of section {name!r} is there twice")
            else:
                self._found.add((name, key))
                self.counts[name] += 1
                self.checksum += checksum
                yield name, key, value

    def lost(self) -> list[Key]:
        """Return the keys of entries that were not found, as far as the index has them; after `entries`."""
        names = {(section.decode(errors="replace"), key) for section, key, _ in self._index()}
        return sorted((names | set(self.damaged)) - self._found)

    def _rows(self) -> Iterator[Any]:
        query = "SELECT id, section, key, value, checksum FROM entries NOT INDEXED WHERE id >= ? ORDER BY id"
        number = 0
        last: int | None = None
        while last is None or number <= last:
            start = number
            try:
                for found, *row in self._connection.execute(query, (number,)):
                    if found >= number:  # a damaged tree may lead back
                        yield tuple(row)
                        number = found + 1
                return
            except sqlite3.Error as error:
                self._note(str(error))
            last = self._last(number) if last is None else last
            number = self._next(max(number, start + 1), last)  # the page behind that of `start` is a damaged one

    def _next(self, number: int, last: int) -> int:
        """Return the next number whose page is readable, or one behind the last."""
        while number <= last:
            try:
                self._connection.execute("SELECT value FROM entries WHERE id = ?", (number,)).fetchone()
                return number
            except sqlite3.Error:
                number += 1
        return number

    def _last(self, number: int) -> int:
        """Return the last number that a row may have."""
        numbers = [found for _, _, found in self._index()]
        try:
            numbers.append(self._connection.execute("SELECT max(id) FROM entries NOT INDEXED").fetchone()[0])
        except sqlite3.Error as error:
            self._note(str(error))
        return max(numbers, default=number + MAX_GAP)

    def _index(self) -> list[tuple[bytes, bytes, int]]:
        """Return the rows of the index, from its beginning and its end as far as each is readable."""
        found: dict[int, tuple[bytes, bytes, int]] = {}
        for order in ("", " DESC"):
            query = f"SELECT section, key, id FROM entries ORDER BY section{order}, key{order}"
            try:
                for section, key, number in self._connection.execute(query):
                    if isinstance(section, bytes) and isinstance(key, bytes):
                        found[number] = section, key, number
            except sqlite3.Error as error:
                self._note(f"index: {error}")
            else:
                break
        return list(found.values())

    def _note(self, error: str) -> None:
        if error not in self.errors:
            self.errors.append(error)
