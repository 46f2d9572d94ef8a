"""Code bundles that are gone, are no archives, or would leave their directory: the app doesn't start, and says why."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from flyteapps_fake.processes.launching import bundles
from flyteapps_fake.processes.launching.bundles import bundle_problem

from ..running import SERVE, Apps, body, script


def uri(path: Path) -> str:
    return f"file://{path}"


def archive(path: Path, *members: tarfile.TarInfo) -> Path:
    """Write an archive of these members, which are empty."""
    with tarfile.open(path, "w:gz") as file:
        for member in members:
            file.addfile(member, io.BytesIO())
    return path


def file(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def device(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.CHRTYPE
    return member


def corrupt(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(each ^ 0xFF for each in data[middle : middle + 20]) + data[middle + 20 :]


OUTSIDE = "has a file that would leave its directory"
UNREADABLE = "is no archive that can be read"
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (lambda path: None, "is gone"),
    "a directory": (Path.mkdir, "is gone"),
    "no tar": (lambda path: path.write_text("no archive"), UNREADABLE),
    "empty": (lambda path: path.write_bytes(b""), UNREADABLE),
    "gzip of no tar": (lambda path: path.write_bytes(gzip.compress(b"no archive" * 1_000)), UNREADABLE),
    "truncated": (lambda path: path.write_bytes(archive(path, *map(file, "abc")).read_bytes()[:-20]), UNREADABLE),
    "corrupt gzip": (lambda path: path.write_bytes(corrupt(archive(path, *map(file, "abc")).read_bytes())), UNREADABLE),
    "corrupt xz": (lambda path: path.write_bytes(lzma.compress(b"x" * 10_000)[:-40] + b"x" * 40), UNREADABLE),
    "../": (lambda path: archive(path, file("main.py"), file("../outside.py")), OUTSIDE),
    "in the middle": (lambda path: archive(path, file("a/../../outside.py")), OUTSIDE),
    "a link": (lambda path: archive(path, link("link", "../../outside")), OUTSIDE),
    "an absolute link": (lambda path: archive(path, link("link", "/etc/passwd")), OUTSIDE),
    "a hard link": (lambda path: archive(path, link("link", "../outside", tarfile.LNKTYPE)), OUTSIDE),
    "a device": (lambda path: archive(path, device("null")), OUTSIDE),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_archives(kind: str, tmp_path: Path) -> None:
    """Each is named, with what to do."""
    make, why = BAD[kind]
    path = tmp_path / "code %20bundle.tgz"
    make(path)
    location = uri(path)
    message = bundle_problem(("fserve", "--tgz", location, "--", "run"), tmp_path / "app")
    assert message.startswith(f"the code bundle {location} {why}")
    assert message.endswith(bundles.AGAIN)
    assert not (tmp_path / "app").exists()


def test_good_archives(tmp_path: Path) -> None:
    """The name has a space and a percent sign, or the option an equals sign; what follows -- isn't fserve's."""
    path = archive(tmp_path / "code %20bundle.tgz", file("a/b.py"), link("a/c.py", "b.py"))
    for command in (
        ("fserve", "--tgz", uri(path)),
        ("fserve", f"--tgz={uri(path)}"),
        ("fserve", "--tgz", str(path)),
        ("fserve", "--", "run", "--tgz", "gone.tgz"),
        ("fserve", "--tgz"),
    ):
        assert bundle_problem(command, tmp_path / "app") == ""


@pytest.mark.parametrize("uri", ["s3://bucket/code.tgz", "https://example.com/code.tgz"])
def test_archives_elsewhere(uri: str, tmp_path: Path) -> None:
    assert "isn't on this machine" in bundle_problem(("fserve", "--tgz", uri), tmp_path)


def test_a_pickled_app_that_is_gone(tmp_path: Path) -> None:
    assert "is gone" in bundle_problem(("fserve", f"--pkl=file://{tmp_path}/app.pkl"), tmp_path)


def test_an_archive_of_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_MEMBERS", 3)
    path = archive(tmp_path / "code.tgz", *map(file, "abcd"))
    assert "has more than 3 files" in bundle_problem(("fserve", "--tgz", str(path)), tmp_path)


@pytest.mark.parametrize("uri", ["file://[", "file://\0", "file:///\0", "file://", "", "\0", "file:///" + "x" * 5_000])
def test_odd_uris(apps: Apps, uri: str) -> None:
    """The app has failed, and others run."""
    apps.create(command=[*script(SERVE), f"--tgz={uri}"])
    message = apps.reaches("FAILED").message
    assert "code bundle" in message or "null byte" in message


def test_an_app_starts_once_its_bundle_is_there(apps: Apps, tmp_path: Path) -> None:
    path = tmp_path / "code.tgz"
    app = apps.create(command=[*script(SERVE), "--tgz", uri(path)])
    assert "is gone" in apps.reaches("FAILED").message
    archive(tmp_path / "new.tgz", file("main.py")).rename(path)
    apps.reaches("ACTIVE")
    assert body(app) == b"ok"
