"""Crashes: a state that was cut off opens to a prefix of its history, a kill loses nothing that was acknowledged."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyteapps_fake.directory import database
from flyteapps_fake.directory.errors import Corrupt, ForeignDirectory

from .stores import Content, content, copied, opened

TRANSACTIONS = 12
LAST = 5
HEADER_BYTES = 32


class History:
    """A directory as a power loss leaves it: with all transactions in its log, and what each left."""

    def __init__(self, folder: Path) -> None:
        live = folder / "live"
        self.contents: list[Content] = []
        self.ends: list[int] = []
        """By position, the length of the log when the transaction was there."""
        with opened(live, "group") as directory:
            self._kept(directory.entries(), live)
            for position in range(1, TRANSACTIONS + 1):
                directory.write(_changes(position), position)
                self._kept(directory.entries(), live)
            self.files = copied(live, folder / "cut")
        self.log = (self.files / "state.db-wal").read_bytes()
        self.database = (self.files / "state.db").read_bytes()

    def _kept(self, entries: Iterator[tuple[str, bytes, bytes]], live: Path) -> None:
        self.contents.append({(section, key): value for section, key, value in entries})
        self.ends.append((live / "state.db-wal").stat().st_size)

    def opened(self, log: bytes) -> int:
        """Return the position that a copy with that log opens at, whose content is that of the position."""
        for name in ("state.db-shm", "state.db-wal"):
            (self.files / name).unlink(missing_ok=True)
        (self.files / "state.db").write_bytes(self.database)
        (self.files / "state.db-wal").write_bytes(log)
        with opened(self.files) as directory:
            assert content(directory) == self.contents[directory.position]
            return directory.position

    def whole(self, log: bytes) -> int:
        """Return the position of the last transaction that is whole in a log, with those before it."""
        ends = enumerate(self.ends)
        return max((position for position, end in ends if log[:end] == self.log[:end] and len(log) >= end), default=0)


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """A history with small pages, so that every byte of it can be tried."""
    monkeypatch.setattr(database, "PAGE_BYTES", 512)
    return History(tmp_path)


def _changes(position: int) -> list[tuple[str, bytes, bytes | None]]:
    if position > TRANSACTIONS - LAST and position % 3:  # few pages, so that not too many bytes are to be tried
        return [("timers", b"last", b"%d" % position)]
    new = ("apps", b"%d" % position, bytes([position]) * 40)
    return [new, ("timers", b"last", b"%d" % position), ("apps", b"%d" % (position - 3), None)]


@pytest.mark.slow
@pytest.mark.parametrize("cut", range(TRANSACTIONS - LAST + 1, TRANSACTIONS + 1))
def test_a_log_that_is_cut_at_any_byte(history: History, cut: int) -> None:
    """A copy cut at every byte of the last transactions, one after the other, opens to those that are whole in it."""
    for length in range(history.ends[cut - 1], history.ends[cut] + 1):
        assert history.opened(history.log[:length]) == history.whole(history.log[:length])


def test_a_log_that_is_cut_anywhere(history: History) -> None:
    """A copy cut at sampled bytes of the whole log, and without one, opens to those that are whole in it."""
    for length in (*range(0, len(history.log), 211), *history.ends, *(end - 1 for end in history.ends if end)):
        assert history.opened(history.log[:length]) == history.whole(history.log[:length])


def test_a_log_with_a_tail_of_zeros_or_garbage(history: History) -> None:
    """A tail that was allocated and not written is as good as cut off."""
    draws = random.Random(7)
    for length in range(history.ends[TRANSACTIONS - LAST], len(history.log), 61):
        rest = len(history.log) - length
        for tail in (bytes(rest), draws.randbytes(rest)):
            log = history.log[:length] + tail
            assert history.opened(log) == history.whole(log)


def test_a_log_with_a_flipped_bit(history: History) -> None:
    """A bit that was flipped in the last transaction drops that; before it, whole ones would be lost: it is refused."""
    draws = random.Random(7)
    last = history.ends[-2]
    for offset in range(history.ends[TRANSACTIONS - LAST - 1], len(history.log), 31):
        flipped = bytearray(history.log)
        flipped[offset] ^= 1 << draws.randrange(8)
        if offset >= last:
            with contextlib.suppress(Corrupt):  # a bit that says that a transaction ends there
                assert history.opened(bytes(flipped)) == TRANSACTIONS - 1
        else:
            with pytest.raises(Corrupt, match="transactions that follow are whole"):
                history.opened(bytes(flipped))


def test_a_log_with_a_damaged_header(history: History) -> None:
    """A log whose header is wrong would be forgotten as a whole: it is refused, unless nothing is in it."""
    for offset in range(HEADER_BYTES):
        flipped = bytearray(history.log)
        flipped[offset] ^= 0x10
        with pytest.raises(Corrupt, match=r"the header of .* is wrong"):
            history.opened(bytes(flipped))
        assert history.opened(bytes(flipped[:HEADER_BYTES])) == 0


def test_the_rest_of_an_earlier_crash_is_no_damage(history: History, tmp_path: Path) -> None:
    """Frames that a crash left behind, and that later transactions didn't overwrite all, are no damage."""
    cut = history.log[: history.ends[-2] + 540]  # a whole transaction less one, and a frame of the last
    out_of_order = cut + bytes(536) + history.log[len(cut) + 536 :]
    assert history.opened(out_of_order) == TRANSACTIONS - 1
    (history.files / "state.db").write_bytes(history.database)
    (history.files / "state.db-wal").write_bytes(out_of_order)
    with opened(history.files) as directory:
        directory.write([("apps", b"after", b"1")], TRANSACTIONS)
        wanted = content(directory)
        again = copied(history.files, tmp_path / "again")
    with opened(again) as directory:
        assert content(directory) == wanted


@pytest.mark.slow
def test_a_database_that_is_cut_anywhere(history: History) -> None:
    """A database file that was cut is refused, unless its log has what is missing."""
    for length in range(0, len(history.database), 61):
        (history.files / "state.db-wal").unlink(missing_ok=True)
        (history.files / "state.db").write_bytes(history.database[:length])
        with pytest.raises((Corrupt, ForeignDirectory)), opened(history.files) as directory:
            content(directory)


WRITER = """
import sys
from flyteapps_fake.directory.state_directory import StateDirectory
path, sync, first = sys.argv[1:]
with StateDirectory.open(path, dialect="standard", sync=sync) as directory:
    position = directory.position
    while True:
        position += 1
        changes = [("apps", b"%d" % (key % 97), b"%d" % position * 300) for key in range(position, position + 5)]
        directory.write([*changes, ("timers", b"%d" % (position % 31), None if position % 3 else b"x")], position)
        print(position, flush=True)
"""


def after(position: int) -> Content:
    """Return the content after so many transactions of the writer."""
    found: Content = {}
    for number in range(1, position + 1):
        for key in range(number, number + 5):
            found["apps", b"%d" % (key % 97)] = b"%d" % number * 300
        if number % 3:
            found.pop(("timers", b"%d" % (number % 31)), None)
        else:
            found["timers", b"%d" % (number % 31)] = b"x"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("sync", ["group", "never"])
def test_a_process_that_is_killed_again_and_again(tmp_path: Path, sync: str) -> None:
    """After a kill at any moment all that was acknowledged is there, and at most the one transaction under way."""
    draws = random.Random(24)
    for _ in range(20):
        command = [sys.executable, "-c", WRITER, str(tmp_path), sync, ""]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(draws.randrange(1, 200)):
                writer.stdout.readline()
            writer.kill()
            acknowledged = int(writer.stdout.read().split("\n")[-2:][0] or 0)
        with opened(tmp_path, "group") as directory:
            assert directory.position >= acknowledged
            assert content(directory) == after(directory.position)
