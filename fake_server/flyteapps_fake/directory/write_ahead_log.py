"""The end of SQLite's write-ahead log: whether it was cut there, or damaged before.

SQLite reads a log up to the first frame with a wrong checksum, and forgets what follows. After a power loss that is
right: the transaction there wasn't acknowledged. But where a later transaction is whole, the wrong frame had been
written and synchronized, as a transaction begins only when the one before is on the disk: then acknowledged ones would
be forgotten, and the log is damaged. The format is https://www.sqlite.org/walformat.html: a header, then frames with a
page each; the checksum of a frame continues that of the frame before.

What can't be told apart from a cut: damage of the last transaction itself.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import BinaryIO, NamedTuple

HEADER = struct.Struct(">IIIIIIII")
"""Magic number, version, page size, number of the checkpoint, two salts, two sums of this header."""
FRAME = struct.Struct(">IIIIII")
"""Page number, size of the database at a commit or 0, two salts, two sums."""
MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""By magic number, the byte order of the words that are summed."""
VALID_FRAMES_OFFSET = 16
"""Where the index of the log has the number of its valid frames, in the machine's byte order."""

MAX_FOREIGN_FRAMES = 1
"""Frames with other salts that may be damaged ones; more are those of an earlier log, in the same file."""

Sums = tuple[int, int]


class _Frame(NamedTuple):
    page: int
    is_commit: bool
    salts: tuple[int, int]
    sums: Sums
    summed: bytes

    def follows(self, sums: Sums, order: str) -> bool:
        """Return whether the frame is whole, and was written behind the one with these sums."""
        return self.page > 0 and _summed(self.summed, sums, order) == self.sums


def damage(log: Path, index: Path) -> str | None:
    """Return where a log is damaged; None for a whole one, or one that was cut.

    `index` is its index while a connection has read the database.
    """
    try:
        valid = int.from_bytes(_read(index, VALID_FRAMES_OFFSET, 4), sys.byteorder)
        with log.open("rb") as file:
            return _damage(file, valid)
    except FileNotFoundError:
        return None


def _damage(file: BinaryIO, valid: int) -> str | None:
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    magic, _, page_bytes, _, *salts, first, second = HEADER.unpack(header)
    order = MAGIC.get(magic)
    if order is None or _summed(header[:24], (0, 0), order) != (first, second):
        return _damage_of_header(file)
    frames = _Frames(file, page_bytes)
    before = frames.get(valid) if valid else None
    sums = before.sums if before else (first, second)
    commit: set[Sums] = set()  # those that the frame after a commit may continue: as it says, and as they should be
    foreign = 0
    number = valid + 1
    while (frame := frames.get(number)) is not None:
        if frame.salts != (salts[0], salts[1]):
            foreign += 1
            if foreign > MAX_FOREIGN_FRAMES:
                return None  # the rest is of an earlier log
        elif any(frame.follows(each, order) for each in commit):
            return f"{file.name} is wrong behind frame {valid}, and transactions that follow are whole"
        commit = {frame.sums, _summed(frame.summed, sums, order)} if frame.is_commit else set()
        sums = frame.sums
        number += 1
    return None


def _damage_of_header(file: BinaryIO) -> str | None:
    """Return the damage of a header that isn't valid: none, if no frame follows it."""
    for page_bytes in (1 << bits for bits in range(9, 17)):
        frames = _Frames(file, page_bytes)
        first, second = frames.get(1), frames.get(2)
        if first is None or second is None or first.salts != second.salts:
            continue
        if any(second.follows(first.sums, order) for order in MAGIC.values()):
            return f"the header of {file.name} is wrong, and frames follow it"
    return None


class _Frames:
    """The frames of a log, by number from 1; None behind the last whole one."""

    def __init__(self, file: BinaryIO, page_bytes: int) -> None:
        self._file = file
        self._page_bytes = page_bytes

    def get(self, number: int) -> _Frame | None:
        size = FRAME.size + self._page_bytes
        self._file.seek(HEADER.size + (number - 1) * size)
        data = self._file.read(size)
        if len(data) < size:
            return None
        page, pages, salt, salt2, sum1, sum2 = FRAME.unpack_from(data)
        return _Frame(page, pages > 0, (salt, salt2), (sum1, sum2), data[:8] + data[FRAME.size :])


def _summed(data: bytes, sums: Sums, order: str) -> Sums:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def _read(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)
