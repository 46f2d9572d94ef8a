"""The opening of a state directory: one process at a time, of ours alone, in a known format and of the dialect."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flyteapps_fake.directory import migrations
from flyteapps_fake.directory.errors import (
    Corrupt,
    DirectoryInUse,
    DirectoryLost,
    ForeignDirectory,
    NoState,
    OtherDialect,
    StateError,
    UnknownFormat,
)
from flyteapps_fake.directory.state_directory import StateDirectory

from .stores import content, filled, listing, opened

HOLD = """
import sys
from flyteapps_fake.directory.state_directory import StateDirectory
directory = StateDirectory.open(sys.argv[1], dialect="standard", sync="group")
print(directory.position, flush=True)
sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Return a process that has the directory open."""
    command = [sys.executable, "-c", HOLD, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    return process


def test_one_process_a_directory(tmp_path: Path) -> None:
    """A second process is refused with the first one's id, and takes over once that was killed."""
    process = holder(tmp_path)
    with process:
        with pytest.raises(
            DirectoryInUse, match=rf"is in use by another server \(process {process.pid}\): stop"
        ) as found:
            opened(tmp_path)
        assert (found.value.pid, found.value.path) == (process.pid, tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with opened(tmp_path) as directory, pytest.raises(DirectoryInUse, match=r"\(this process\)"):
        opened(directory.path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_directory_that_is_moved_as_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock on a directory that a fresh start has moved aside since is no lock on the new one."""
    path, aside = tmp_path / "state", tmp_path / "aside"
    opened(path).close()
    take, moved = fcntl.flock, list[StateDirectory]()

    def move_first(descriptor: int, operation: int) -> None:
        if not aside.exists():
            path.rename(aside)
            moved.append(opened(path))
        take(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", move_first)
    with pytest.raises(DirectoryInUse, match="was moved away or replaced while it was opened: try again"):
        opened(path)
    [other] = moved
    with other:
        other.write([("apps", b"a", b"1")], 1)
    with opened(path) as directory:
        assert content(directory) == {("apps", b"a"): b"1"}


def test_a_lock_that_is_deleted(tmp_path: Path) -> None:
    """A process whose lock was deleted, so that another one has the directory, too, writes no more."""
    with opened(tmp_path) as first:
        first.write([("apps", b"a", b"1")], 1)
        (tmp_path / "lock").unlink()
        with opened(tmp_path) as second:
            with pytest.raises(DirectoryLost, match="lock was deleted, replaced or moved away"):
                first.write([("apps", b"a", b"2")], 2)
            second.write([("apps", b"b", b"1")], 2)
            assert content(second) == {("apps", b"a"): b"1", ("apps", b"b"): b"1"}


def test_a_forked_child(tmp_path: Path) -> None:
    """A child has neither the directory nor the lock: its end releases nothing, and its life holds nothing."""
    directory = opened(tmp_path)
    directory.write([("apps", b"a", b"1")], 1)
    go_on, release = os.pipe()
    answer, said = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(release)
            messages: list[str] = []
            for use in (directory.count, lambda: directory.write([], 2), lambda: opened(tmp_path)):
                try:
                    use()
                    messages.append("no error")
                except StateError as error:
                    messages.append(type(error).__name__ + str(error)[-20:])
            directory.close()
            os.write(said, "\n".join(messages).encode())
            os.close(said)
            os.read(go_on, 1)
            try:
                opened(tmp_path)
            except StateError as error:
                os._exit(3 if "new process" in str(error) else 4)
        finally:
            os._exit(5)
    os.close(said)
    messages = os.read(answer, 10_000).decode().splitlines()
    assert [message[:10] for message in messages] == ["StateError", "StateError", "DirectoryI"]
    assert messages[0].endswith("one was forked from")
    directory.write([("apps", b"b", b"2")], 2)
    with pytest.raises(DirectoryInUse):
        opened(tmp_path)
    directory.close()
    with opened(tmp_path) as again:  # the child lives on
        assert len(content(again)) == 2
    os.write(release, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    for each in (go_on, release, answer):
        os.close(each)


def test_a_directory_that_must_exist(tmp_path: Path) -> None:
    """Without `create`, a directory without a state is refused, and nothing is made."""
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NoState, match=str(path)):
            opened(path, create=False)
    assert list(tmp_path.iterdir()) == []


def foreign_database(path: Path) -> None:
    connection = sqlite3.connect(path / "state.db")
    connection.executescript("PRAGMA application_id = 77; CREATE TABLE entries (a)")
    connection.close()


def notes(path: Path) -> None:
    (path / "notes.txt").write_text("mine")


def text_as_database(path: Path) -> None:
    (path / "state.db").write_text("mine")


def empty_database(path: Path) -> None:
    (path / "state.db").touch()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (notes, r"has other files, such as notes\.txt"),
        (text_as_database, r"state\.db isn't a database of flyteapps"),
        (empty_database, r"state\.db isn't a database of flyteapps"),
        (foreign_database, r"state\.db isn't a database of flyteapps"),
    ],
)
def test_a_directory_of_something_else(tmp_path: Path, prepare: Callable[[Path], object], message: str) -> None:
    """A directory with other files is refused, and stays as it is."""
    prepare(tmp_path)
    before = listing(tmp_path)
    with pytest.raises(ForeignDirectory, match=message):
        opened(tmp_path)
    assert listing(tmp_path) == before


def test_a_path_of_a_file(tmp_path: Path) -> None:
    """A file in the place of the directory is refused."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ForeignDirectory, match="is a file, not a directory"):
        opened(tmp_path / "file")


def test_a_log_without_its_database(tmp_path: Path) -> None:
    """A directory whose database is missing isn't taken for a new one."""
    (tmp_path / "state.db-wal").write_bytes(b"x" * 100)
    with pytest.raises(Corrupt, match=r"state\.db is missing"):
        opened(tmp_path)


def test_files_beside_the_state(tmp_path: Path) -> None:
    """Uploads, a mount's own folder, and the rest of an interrupted start are no hindrance."""
    (tmp_path / "uploads").mkdir()
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "state.db.new").write_text("half of it")
    (tmp_path / "state.db.new-wal").write_text("half of it")
    opened(tmp_path).close()
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "lost+found", "state.db", "uploads"}


def test_another_dialect(tmp_path: Path) -> None:
    """The state of another dialect is refused with the names of both, and stays as it is."""
    wanted = filled(tmp_path)
    with pytest.raises(OtherDialect, match="of the dialect standard, not flyte-oss"):
        opened(tmp_path, dialect="flyte-oss")
    with opened(tmp_path) as directory:
        assert content(directory) == wanted


def planted(path: Path, number: int, version: str = "9.8") -> None:
    """Change the format of a directory."""
    connection = sqlite3.connect(path / "state.db")
    connection.execute("UPDATE about SET value = ? WHERE name = 'format'", (number,))
    connection.execute("UPDATE about SET value = ? WHERE name = 'version'", (version,))
    connection.execute(f"PRAGMA user_version = {number}")
    connection.commit()
    connection.close()


def test_a_newer_format(tmp_path: Path) -> None:
    """A newer format is refused with the version that wrote it, and stays as it is."""
    filled(tmp_path)
    planted(tmp_path, 2)
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(
        UnknownFormat, match=r"has format 2 of flyteapps 9\.8, this version reads formats up to 1: install"
    ):
        opened(tmp_path)
    assert (tmp_path / "state.db").read_bytes() == before
    assert not list(tmp_path.glob("*before*"))


def test_an_older_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older format is migrated after a copy; without a step that leads on it is refused."""
    wanted = filled(tmp_path)
    planted(tmp_path, 0, "0.0.1")
    with pytest.raises(UnknownFormat, match="can't migrate format 0: export it"):
        opened(tmp_path)

    monkeypatch.setitem(migrations.MIGRATIONS, 0, lambda it: it.execute("CREATE TABLE added (a)"))
    (tmp_path / "state.db.before-format-1").write_text("of an earlier time")
    with opened(tmp_path) as directory:
        assert content(directory) == wanted
        assert directory.about.format == 1
        assert directory.about.version != "0.0.1"
    assert (tmp_path / "state.db.before-format-1").read_text() == "of an earlier time"
    assert tables(tmp_path / "state.db") == (["about", "added", "entries"], 1)
    assert tables(tmp_path / "state.db.before-format-1-2") == (["about", "entries"], 0)


def test_a_migration_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that fails leaves the old format, whose migration is tried again at the next start."""
    wanted = filled(tmp_path)
    planted(tmp_path, 0)

    def fail(it: sqlite3.Connection) -> None:
        it.execute("DELETE FROM entries")
        raise RuntimeError("in the middle")

    monkeypatch.setitem(migrations.MIGRATIONS, 0, fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        opened(tmp_path)
    monkeypatch.setitem(migrations.MIGRATIONS, 0, lambda it: None)
    with opened(tmp_path) as directory:
        assert content(directory) == wanted


def tables(file: Path) -> tuple[list[str], int]:
    """Return the tables of a database, and its format."""
    connection = sqlite3.connect(file)
    try:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        ]
        (found,) = connection.execute("SELECT value FROM about WHERE name = 'format'").fetchone()
        assert (found,) == connection.execute("PRAGMA user_version").fetchone()
    finally:
        connection.close()
    return names, found
