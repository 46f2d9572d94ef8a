"""Entries of a state directory: what is written is there, and what isn't whole is refused."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from flyteapps_fake.directory import database
from flyteapps_fake.directory.errors import Corrupt, StateError

from .stores import content, filled, opened


@pytest.mark.parametrize("sync", ["always", "group", "never"])
def test_written_entries_are_there_after_a_restart(tmp_path: Path, sync: database.Sync) -> None:
    """Entries are added, replaced and deleted in one transaction, with its number; by every policy."""
    with opened(tmp_path / "state", sync) as directory:
        assert (directory.position, directory.count(), content(directory)) == (0, 0, {})
        directory.write([("apps", b"a", b"1"), ("apps", b"b", b""), ("timers", b"a", b"3")], 1)
        directory.write(
            [("apps", b"a", b"4"), ("apps", b"b", None), ("apps", b"none", None), ("x", b"\0\xff", b"\0")], 7
        )
        wanted = {("apps", b"a"): b"4", ("timers", b"a"): b"3", ("x", b"\0\xff"): b"\0"}
        assert content(directory) == wanted
        name = directory.about.id
    with opened(tmp_path / "state", sync, create=False) as directory:
        assert (directory.position, directory.count(), content(directory)) == (7, 3, wanted)
        assert directory.about.id == name
        assert len(name) == 16


def test_one_key_twice_in_a_transaction(tmp_path: Path) -> None:
    """The last change of a key counts."""
    with opened(tmp_path) as directory:
        directory.write([("apps", b"a", b"1"), ("apps", b"a", None), ("apps", b"a", b"2"), ("apps", b"b", b"")], 1)
        directory.write([("apps", b"a", b"3"), ("apps", b"a", None)], 2)
        assert content(directory) == {("apps", b"b"): b""}


def test_an_empty_transaction_moves_the_position(tmp_path: Path) -> None:
    """A transaction without changes is one; a position before the last is a mistake, and changes nothing."""
    with opened(tmp_path) as directory:
        directory.write([], 5)
        assert directory.position == 5
        with pytest.raises(ValueError, match="position 4 is before 5"):
            directory.write([("apps", b"a", b"1")], 4)
        assert content(directory) == {}
        directory.write([("apps", b"a", b"1")], 6)


def test_an_error_of_the_caller_writes_nothing(tmp_path: Path) -> None:
    """Changes that end with an exception are all dropped."""

    def changes():
        yield ("apps", b"a", b"1")
        raise RuntimeError("no more")

    with opened(tmp_path) as directory:
        with pytest.raises(RuntimeError, match="no more"):
            directory.write(changes(), 1)
        assert (directory.position, content(directory)) == (0, {})
        directory.write([("apps", b"b", b"2")], 1)
        assert content(directory) == {("apps", b"b"): b"2"}


def test_entries_are_those_of_one_moment(tmp_path: Path) -> None:
    """Writes while the entries are read, by other threads too, change nothing about them."""
    wanted = filled(tmp_path)
    with opened(tmp_path) as directory:
        entries = directory.entries()
        first = next(entries)
        thread = threading.Thread(target=directory.write, args=([("apps", key, None) for _, key in wanted], 2))
        thread.start()
        thread.join()
        assert {(section, key): value for section, key, value in [first, *entries]} == wanted
        assert content(directory) == {}


def test_the_log_does_not_grow(tmp_path: Path) -> None:
    """The log is moved into the database as it grows, and its file is cut after a large transaction."""
    log = tmp_path / "state.db-wal"
    with opened(tmp_path) as directory:
        directory.write((("apps", b"%d" % n, bytes(10_000)) for n in range(2000)), 1)
        assert log.stat().st_size > database.MAX_IDLE_LOG_BYTES
        for position in range(2, 1500):
            directory.write([("apps", b"%d" % (position % 10), bytes(9_000))], position)
        assert log.stat().st_size <= database.MAX_IDLE_LOG_BYTES
    assert not log.exists()


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    """Directory and files have permissions for their owner alone, as the state has tokens."""
    with opened(tmp_path / "above" / "state") as directory:
        directory.write([("apps", b"a", b"1")], 1)
        found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "above").rglob("*")}
    files = {"lock": 0o600, "state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    assert found == {"state": 0o700, **files}
    assert stat.S_IMODE((tmp_path / "above").stat().st_mode) == 0o700


def test_a_closed_directory(tmp_path: Path) -> None:
    """A closed directory says so, and can be closed again."""
    directory = opened(tmp_path)
    directory.close()
    directory.close()
    for use in (lambda: directory.write([], 1), directory.count, lambda: list(directory.entries())):
        with pytest.raises(StateError, match="closed"):
            use()


def changed(path: Path, statement: str, *values: object) -> None:
    """Change the database behind the back of its checksums."""
    connection = sqlite3.connect(path / "state.db")
    connection.execute(statement, values)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "UPDATE entries SET value = x'00' WHERE key = CAST('app-7' AS BLOB)",
            "the entry apps app-7 has a wrong checksum",
        ),
        ("UPDATE entries SET section = 'App' WHERE id = 3", "the entry App app-2 has a wrong checksum"),
        ("DELETE FROM entries WHERE id = 3", "99 entries are there, 100 were written"),
        ("INSERT INTO entries SELECT 200, 'x', key, value, checksum FROM entries WHERE id = 3", "wrong checksum"),
        ("UPDATE about SET value = 1 WHERE name = 'checksum'", "some are those of an earlier time"),
    ],
)
def test_wrong_entries_are_found_as_they_are_read(tmp_path: Path, statement: str, message: str) -> None:
    """An entry that was changed, lost, added or taken from an earlier time is refused, with what to do."""
    filled(tmp_path)
    changed(tmp_path, statement)
    with opened(tmp_path) as directory, pytest.raises(Corrupt, match=message) as refusal:
        list(directory.entries())
    for command in ("check", "repair", "export"):
        assert f"`flyteapps state {command} {tmp_path}`" in str(refusal.value)


@pytest.mark.parametrize("statement", ["DELETE FROM about WHERE name = 'id'", "UPDATE about SET value = 'x'"])
def test_wrong_facts_are_refused(tmp_path: Path, statement: str) -> None:
    """A fact about the directory that is missing, or no number, is named."""
    filled(tmp_path)
    changed(tmp_path, statement)
    with pytest.raises(Corrupt, match=r"table about: the row '(id|format)' is missing"):
        opened(tmp_path)


@pytest.mark.slow
def test_a_database_with_any_damaged_page_is_refused(tmp_path: Path) -> None:
    """A page with other bytes is found at the start, or as the entries are read; never are there other entries."""
    wanted = filled(tmp_path / "state", 60)
    whole = (tmp_path / "state" / "state.db").read_bytes()
    refused = 0
    for offset in range(16, len(whole), 97):
        broken = tmp_path / "broken"
        broken.mkdir(exist_ok=True)
        (broken / "state.db").write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x41]) + whole[offset + 1 :])
        try:
            with opened(broken) as directory:
                assert content(directory) == wanted
        except StateError:
            refused += 1
    assert refused > 300
