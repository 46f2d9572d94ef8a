"""Writes that fail: nothing of them is there, and later ones work once the cause is gone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from disks import fill, small_disk

from flyteapps_fake.directory import database
from flyteapps_fake.directory.checking import check
from flyteapps_fake.directory.errors import Corrupt, DirectoryLost, DiskFull, ReadOnly, StateError, WriteError
from flyteapps_fake.directory.state_directory import StateDirectory

from .stores import Content, content, opened


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk."""
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def written(directory: StateDirectory, count: int = 5) -> Content:
    """Write entries, a transaction each, and return all."""
    for _ in range(count):
        position = directory.position + 1
        directory.write([("apps", b"%d" % position, b"x" * 3000), ("timers", b"last", b"%d" % position)], position)
    return content(directory)


def refused(directory: StateDirectory, error: type[StateError], match: str | None = None) -> None:
    """Check that a write is refused, and has changed nothing that a reader or a write sees."""
    position, count = directory.position, directory.count()
    with pytest.raises(error, match=match):
        directory.write([("apps", b"new", b"y" * 30_000), ("timers", b"last", None)], position + 1)
    assert (directory.position, directory.count()) == (position, count)


def test_a_full_disk(disk: Path) -> None:
    """A full disk refuses writes again and again, reads go on, and nothing that was written is lost."""
    with opened(disk / "state", "group") as directory:
        wanted = written(directory)
        filling = fill(disk)
        for _ in range(3):
            refused(directory, DiskFull, "the disk is full .*: free some space; nothing needs a restart")
        assert content(directory) == wanted
        filling.unlink()
        wanted = written(directory)
        filling = fill(disk)
        refused(directory, DiskFull)
    filling.unlink()
    with opened(disk / "state") as directory:
        assert content(directory) == wanted


def test_a_disk_that_fills_by_the_writes(disk: Path) -> None:
    """Each write until the disk is full is there, of the one that failed nothing, in the state and after a restart."""
    with opened(disk / "state", "group") as directory:
        with pytest.raises(DiskFull):
            written(directory, 1000)
        wanted = content(directory)
        assert wanted[("timers", b"last")] == b"%d" % directory.position
        assert len(wanted) == directory.position + 1 > 20
    with opened(disk / "state") as directory:
        assert content(directory) == wanted


def test_a_start_on_a_full_disk(disk: Path) -> None:
    """A directory that can't be made is an error that says so; with space the next start makes it."""
    filling = fill(disk)
    with pytest.raises(DiskFull, match=r"free some space, or give another directory$"):
        opened(disk / "state")
    filling.unlink()
    with opened(disk / "state") as directory:
        assert len(written(directory)) == 6


def test_a_start_on_a_read_only_disk(disk: Path) -> None:
    """A directory that can only be read isn't opened, and says so."""
    opened(disk / "state").close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(ReadOnly, match=r"\(Read-only file system\): make it writable, or give another directory"):
        opened(disk / "state")
    assert check(disk / "state").problems == []


LIMITED = """
import resource, signal, sys
from flyteapps_fake.directory.errors import DiskFull
from flyteapps_fake.directory.state_directory import StateDirectory
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
directory = StateDirectory.open(sys.argv[1], dialect="standard", sync="group")
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    for position in range(1, 1000):
        directory.write([("apps", b"%d" % position, bytes(3000))], position)
except DiskFull as full:
    print(full)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
directory.write([("apps", b"after", bytes(3000))], position)
print(position, len(list(directory.entries())))
"""


@pytest.mark.skipif(os.name == "nt", reason="files have no limit here")
def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """A limit of the process, as of `ulimit -f`, is a full disk, and named."""
    run = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True)
    message, counts = run.stdout.splitlines()
    assert "the disk is full" in message
    assert "limit of this process for the size of files" in message
    position, count = map(int, counts.split())
    assert position == count >= 10


def pragma(name: str, value: str) -> Callable[[StateDirectory], object]:
    """Return a function that changes a setting of the directory's connection."""

    def change(directory: StateDirectory) -> None:
        connection: Any = vars(directory)["_connection"]
        connection.execute(f"PRAGMA {name} = {value}")

    return change


@pytest.mark.parametrize(
    ("cause", "remedy", "error"),
    [
        (pragma("max_page_count", "1"), pragma("max_page_count", "1000000"), DiskFull),
        (pragma("query_only", "ON"), pragma("query_only", "OFF"), ReadOnly),
    ],
)
def test_causes_that_pass(
    tmp_path: Path,
    cause: Callable[[StateDirectory], object],
    remedy: Callable[[StateDirectory], object],
    error: type[StateError],
) -> None:
    """A write is refused as long as the cause is there, and works afterwards."""
    with opened(tmp_path) as directory:
        written(directory)
        cause(directory)
        for _ in range(3):
            refused(directory, error, str(tmp_path))
        remedy(directory)
        wanted = written(directory)
    with opened(tmp_path) as directory:
        assert content(directory) == wanted


@pytest.mark.parametrize("file", ["", "state.db", "state.db-wal"])
def test_files_that_are_moved_away(tmp_path: Path, file: str) -> None:
    """A directory, or a file of it, that was moved away or deleted refuses writes, until it is back."""
    path = tmp_path / "state"
    with opened(path) as directory:
        written(directory)
        (path / file).rename(tmp_path / "elsewhere")
        for _ in range(3):
            refused(directory, DirectoryLost, "gone or can't be reached .*: bring it back")
        (tmp_path / "elsewhere").rename(path / file)
        wanted = written(directory)
        assert len(wanted) == 11
    with opened(path) as directory:
        assert content(directory) == wanted


def test_another_directory_of_the_same_name(tmp_path: Path) -> None:
    """A new directory in the place of a deleted one isn't written to."""
    path = tmp_path / "state"
    with opened(path) as directory:
        written(directory)
        shutil.rmtree(path)
        opened(path).close()
        refused(directory, DirectoryLost)
    with opened(path) as directory:
        assert content(directory) == {}


def test_another_program_that_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of another program, such as SQLite's shell, is named, and waited for a while."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    with opened(tmp_path) as directory:
        other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        refused(directory, WriteError, "another program writes to state.db: end it")
        other.execute("ROLLBACK")
        other.close()
        written(directory)


class Failing:
    """A connection that fails at a statement, as SQLite does for an error of a disk."""

    def __init__(self, connection: Any, statement: str, code: int) -> None:
        self._connection = connection
        self._statement = statement
        self._code = code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *values: Any) -> Any:
        if statement.startswith(self._statement):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error
        return self._connection.execute(statement, *values)


@pytest.mark.parametrize("statement", ["BEGIN", "SELECT id", "INSERT", "DELETE", "UPDATE about", "COMMIT"])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, DirectoryLost),
        (sqlite3.SQLITE_IOERR_WRITE, DirectoryLost),
        (sqlite3.SQLITE_FULL, DiskFull),
        (sqlite3.SQLITE_READONLY_DBMOVED, ReadOnly),
        (sqlite3.SQLITE_CORRUPT_INDEX, Corrupt),
    ],
)
def test_errors_of_a_disk(tmp_path: Path, statement: str, code: int, error: type[StateError]) -> None:
    """An error at any step of a transaction drops all of it, and the next one works."""
    with opened(tmp_path) as directory:
        written(directory)
        connection = vars(directory)["_connection"]
        vars(directory)["_connection"] = Failing(connection, statement, code)
        refused(directory, error)
        refused(directory, error)
        vars(directory)["_connection"] = connection
        wanted = written(directory)
    with opened(tmp_path) as directory:
        assert content(directory) == wanted
