"""`flyteapps state`: check, repair and export of whole, damaged and used directories."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from google.protobuf.json_format import Parse

from flyteapps import Client, new_app
from flyteapps_control.v1.state_pb2 import DeletedIds, PlaneState, PlaneTime
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli.state.main import main

from .stores import Content, content, copied, filled, listing, opened
from .test_opening import planted


class Ran(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command, by its words."""

    def run(*words: object) -> Ran:
        status = main([str(word) for word in words])
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a directory, whose name has what a shell or an URI would read otherwise."""
    return tmp_path / "a plane?#%41"


def damaged(path: Path, at: bytes) -> None:
    """Fill the page of the database that has those bytes with others."""
    file = path / "state.db"
    data = bytearray(file.read_bytes())
    page = data.index(at) // 8192 * 8192
    data[page : page + 8192] = b"\xa5" * 8192
    file.write_bytes(data)


def test_check_of_a_whole_directory(run: Run, path: Path) -> None:
    """A check says what is there, changes nothing, and ends with 0."""
    filled(path)
    before = listing(path)
    ran = run("check", path)
    assert ran.status == 0
    assert "format 1, dialect standard, written by flyteapps " in ran.out
    assert "entries: 100 apps\n" in ran.out
    assert re.search(r": [1-9]\d* kB\n", ran.out)
    assert ran.out.endswith("no problem found\n")
    after = listing(path)
    assert {name: after[name] for name in before} == before | {"lock": after["lock"]}
    report = run("check", path, "--json").value
    assert (report["entries"], report["transaction"], report["in_use_by"], report["problems"]) == (
        {"apps": 100},
        1,
        None,
        [],
    )


def test_check_beside_a_server(run: Run, path: Path) -> None:
    """A directory in use is checked as of its last transaction, and its user is named; it isn't repaired."""
    with opened(path) as directory:
        directory.write([("apps", b"a", b"1")], 1)
        ran = run("check", path)
        assert ran.status == 0
        assert "in use by process" in ran.out
        assert "entries: 1 apps" in ran.out
        ran = run("repair", path)
        assert ran.status == 2
        assert "is in use by a server (this process): stop it" in ran.err
        directory.write([("apps", b"b", b"1")], 2)
    assert "2 apps" in run("check", path).out


def test_nothing_to_repair(run: Run, path: Path) -> None:
    """A whole directory, also one after a kill, is left as it is."""
    with opened(path) as directory:
        directory.write([("apps", b"a", b"1")], 1)
        killed = copied(path, path.with_name("killed"))
    before = listing(killed)
    ran = run("repair", killed)
    assert (ran.status, "nothing was changed" in ran.out) == (0, True)
    after = listing(killed)
    assert {name: after[name] for name in before} == before
    assert [each.name for each in killed.parent.iterdir() if "before" in each.name] == []


@pytest.mark.parametrize("pages", [["app-0"], ["app-50"], ["app-999"], ["app-0", "app-200", "app-300", "app-999"]])
def test_repair_of_damaged_pages(run: Run, path: Path, pages: list[str]) -> None:
    """All entries but those of damaged pages are saved, those are named, and the old database is kept."""
    wanted = filled(path, 1000)
    for each in pages:
        key = each.encode()
        value = wanted["apps", key]
        damaged(path, b"apps" + key + value)
    before = (path / "state.db").read_bytes()
    assert run("check", path).status == 1
    ran = run("repair", path, "--json")
    assert ran.status == 1
    lost = {("apps", each["key"].encode()) for each in ran.value["lost"]}
    assert {("apps", each.encode()) for each in pages} <= lost
    assert len(lost) < 20 * len(pages)
    assert (ran.value["saved"], ran.value["unnamed"]) == (1000 - len(lost), 0)
    assert (Path(ran.value["backup"]) / "state.db").read_bytes() == before
    with opened(path) as directory:
        assert content(directory) == {key: value for key, value in wanted.items() if key not in lost}
        assert directory.position == 1
        directory.write([("apps", b"app-0", b"new")], 2)
    assert run("check", path).status == 0
    again = run("repair", path)
    assert (again.status, "nothing was changed" in again.out) == (0, True)


def test_repair_of_a_damaged_index(run: Run, path: Path) -> None:
    """Where only the index of keys is damaged, nothing is lost, and the exit status is 0."""
    wanted = filled(path, 1000)
    file = path / "state.db"
    data = bytearray(file.read_bytes())
    leaf = next(at for at in range(0, len(data), 8192) if data[at] == 0x0A and b"appsapp-500" in data[at : at + 8192])
    data[leaf : leaf + 8192] = bytes(8192)
    file.write_bytes(data)
    assert run("check", path).status == 1
    ran = run("repair", path)
    assert (ran.status, "1000 entries are saved, 0 lost" in ran.out) == (0, True)
    with opened(path) as directory:
        assert content(directory) == wanted


def test_repair_of_a_wrong_value(run: Run, path: Path) -> None:
    """An entry with a wrong checksum is lost, the others are saved; older backups stay."""
    wanted = filled(path)
    file = path / "state.db"
    file.write_bytes(file.read_bytes().replace(wanted["apps", b"app-7"], wanted["apps", b"app-8"]))
    for _ in range(2):
        for name in ("first", "second"):
            shutil.rmtree(path.with_name(name), ignore_errors=True)
            shutil.copytree(path, path.with_name(name))
        ran = run("repair", path.with_name("first"))
        assert ran.status == 1
        assert "99 entries are saved, 1 lost" in ran.out
        assert "- apps app-7\n" in ran.out
    assert len([each for each in path.parent.iterdir() if each.name.startswith("first.before-repair-")]) == 2
    with opened(path.with_name("first")) as directory:
        assert content(directory) == {key: value for key, value in wanted.items() if key[1] != b"app-7"}


def test_repair_of_a_cut_database(run: Run, path: Path) -> None:
    """The entries before the end of a database that was cut are saved."""
    wanted = filled(path, 1000)
    whole = (path / "state.db").read_bytes()
    (path / "state.db").write_bytes(whole[: len(whole) // 2 + 100])
    assert run("check", path).status == 1
    ran = run("repair", path)
    assert ran.status == 1
    assert "  - state.db has " in ran.out
    assert (next(path.parent.glob("*.before-repair-*")) / "state.db").read_bytes() == whole[: len(whole) // 2 + 100]
    with opened(path) as directory:
        found = content(directory)
    assert found.items() < wanted.items()
    assert len(found) > 300


def test_repair_of_a_damaged_log(run: Run, path: Path) -> None:
    """A log that is damaged before its end is kept up to there, and the backup has all of it."""
    with opened(path, "group") as directory:
        for position in range(1, 20):
            directory.write([("apps", b"%d" % position, bytes([position]) * 9000)], position)
        broken = copied(path, path.with_name("broken"))
    log = broken / "state.db-wal"
    data = log.read_bytes()
    data = data.replace(bytes([9]) * 4000, bytes([9]) * 3999 + b"\0")
    log.write_bytes(data)
    ran = run("check", broken)
    assert (ran.status, "transactions that follow are whole" in ran.out) == (1, True)
    done = run("repair", broken, "--json")
    assert done.value["saved"] == 8
    assert (Path(done.value["backup"]) / "state.db-wal").read_bytes() == data
    with opened(broken) as directory:
        assert (directory.position, sorted(int(key) for _, key in content(directory))) == (8, [*range(1, 9)])


def test_damaged_facts(run: Run, path: Path) -> None:
    """Where not even the dialect can be read, the repair asks for it."""
    wanted = filled(path)
    damaged(path, b"positio")
    ran = run("check", path)
    assert ran.status == 1
    assert "entries: 100 apps" in ran.out
    ran = run("export", path)
    assert ran.status == 1
    ran = run("repair", path)
    assert ran.status == 2
    assert "name it by --dialect" in ran.err
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert run("repair", path, "--dialect", "standard").status == 0
    with opened(path) as directory:
        assert content(directory) == wanted


def test_a_damaged_first_page(run: Run, path: Path) -> None:
    """A database whose schema is damaged is reported; nothing can be saved, and nothing is changed."""
    filled(path)
    file = path / "state.db"
    data = bytearray(file.read_bytes())
    data[100:8192] = bytes(8092)
    file.write_bytes(data)
    assert run("check", path).status == 1
    for command in ("repair", "export"):
        ran = run(command, path)
        assert ran.status == 1
        assert str(path) in ran.err
    assert file.read_bytes() == data


@pytest.mark.parametrize("command", ["check", "repair", "export"])
def test_no_state_there(run: Run, tmp_path: Path, command: str) -> None:
    """Directories without a state, of other files, of a newer format or missing are refused, and nothing is made."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    filled(tmp_path / "newer")
    planted(tmp_path / "newer", 2)
    before = listing(tmp_path)
    for name, message in [
        ("missing", "there is no state in it"),
        ("empty", "there is no state in it"),
        ("notes", "there is no state in it: give the directory of a server"),
        ("file", "is a file, not a directory"),
        ("newer", "has format 2 of flyteapps 9.8"),
    ]:
        ran = run(command, tmp_path / name)
        assert (ran.status, message in ran.err, ran.err.count("\n"), ran.out) == (2, True, 1, "")
    assert {name: before[name] for name in before} == {name: listing(tmp_path)[name] for name in before}
    ran = run(command)
    assert (ran.status, "Missing argument 'DIR'" in ran.err) == (2, True)


def pieces(path: Path, count: int = 10) -> Content:
    """Make a directory with pieces of a plane."""
    entries: Content = {("time", b""): PlaneTime(now=5, wall=6, seed="7").SerializeToString()}
    for number in range(count):
        key = bytes([number]) * 16
        entries["deleted_ids", key] = DeletedIds(digest=key, incarnation=number).SerializeToString()
    with opened(path) as directory:
        directory.write([(*key, value) for key, value in entries.items()], 1)
    return entries


def test_export(run: Run, path: Path) -> None:
    """The document has all pieces; a file is for the owner alone, and replaced as a whole; a server may be running."""
    pieces(path)
    output = path.with_name("out.json")
    output.write_text("before")
    with opened(path):
        assert run("export", path, "-o", output) == (0, "", "")
    document = Parse(output.read_text(), PlaneState())
    assert (document.format, document.dialect, document.time.seed, len(document.deleted_ids)) == (
        1,
        "standard",
        "7",
        10,
    )
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert run("export", path).out == run("export", path, "-o", "-").out == output.read_text()
    ran = run("export", path, "-o", path / "none" / "out.json")
    assert (ran.status, "No such file or directory" in ran.err) == (2, True)


def test_export_of_a_plane(run: Run, path: Path) -> None:
    """An app of a plane that kept its state is there in another one that starts from the document."""
    output = path.with_name("out.json")
    with FakeControlPlane(state=path) as plane:
        client = Client(transport=plane.transport(), project="demo", domain="development")
        client.apps.create(new_app("hello", image="example.org/hello:1"))
        assert run("export", path, "-o", output).status == 0
    with FakeControlPlane() as plane:
        assert plane.load(output) == 1
        client = Client(transport=plane.transport(), project="demo", domain="development")
        assert [app.name for app in client.apps.listall()] == ["hello"]


def test_export_of_a_damaged_directory(run: Run, path: Path) -> None:
    """All that is whole is exported, the rest named, with exit status 1."""
    pieces(path)
    file = path / "state.db"
    file.write_bytes(file.read_bytes().replace(b"\x03" * 16 + b"\x10\x03", b"\x03" * 16 + b"\x10\x04"))
    with opened(path) as directory:
        directory.write([("unknown", b"x", b"y")], 2)
    ran = run("export", path)
    assert ran.status == 1
    assert len(Parse(ran.out, PlaneState()).deleted_ids) == 9
    assert "is lost or damaged" in ran.err
    assert "there is no section 'unknown'" in ran.err
