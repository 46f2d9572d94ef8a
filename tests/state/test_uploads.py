"""Uploaded files are kept in the directory of the state, and found again by the next server."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from flyteidl2.dataproxy.dataproxy_service_connect import DataProxyServiceClientSync
from flyteidl2.dataproxy.dataproxy_service_pb2 import CreateUploadLocationRequest, CreateUploadLocationResponse

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.http.builtin.upload_files import UploadFiles
from flyteapps_fake.http.builtin.uploads import Uploads

BODY = b"a bundle"


def locate(url: str, name: str = "code.tgz") -> CreateUploadLocationResponse:
    """Ask a server for the location of a file."""
    with DataProxyServiceClientSync(url) as client:
        md5 = hashlib.md5(BODY, usedforsecurity=False).digest()
        request = CreateUploadLocationRequest(
            project="p", domain="d", filename=name, filename_root="root", content_md5=md5
        )
        return client.create_upload_location(request)


def put(url: str, body: bytes = BODY) -> int:
    """Send a file; return the status of HTTP."""
    return httpx.put(url, content=body, trust_env=False).status_code


def path_of(location: CreateUploadLocationResponse) -> Path:
    """Return the path of an uploaded file."""
    assert location.native_url.startswith("file://")
    return Path(location.native_url.removeprefix("file://"))


def names(directory: Path) -> set[str]:
    """Return the names in a directory."""
    return {each.name for each in directory.iterdir()}


async def put_to(uploads: Uploads, url: str, body: bytes = BODY) -> tuple[int, str]:
    """Send a file without a server; return the status of HTTP with its text."""
    path, _, query = url.partition("?")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    scope = {"method": "PUT", "path": path, "query_string": query.encode(), "headers": []}
    return await uploads.put(scope, receive)


def test_a_file_survives_a_restart(tmp_path: Path) -> None:
    """Its URI names a file of the directory, on a simulated plane, too; a URL of before is accepted afterwards."""
    with FakeControlPlane(state=str(tmp_path / "state")) as plane, plane.serve() as server:
        location, later = locate(server.url), locate(server.url, "later.bin")
        assert put(location.signed_url) == 200
    assert path_of(location).is_relative_to(tmp_path / "state" / "uploads")
    assert path_of(location).read_bytes() == BODY
    with FakeControlPlane(state=str(tmp_path / "state")) as plane, plane.serve() as server:
        assert locate(server.url).native_url == location.native_url
        base = server.url + "/" + later.signed_url.split("/", 3)[3]
        assert put(base) == 200
        assert path_of(later).read_bytes() == BODY
    assert (path_of(later).stat().st_mode & 0o777, path_of(later).parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_plane_in_memory_keeps_none(tmp_path: Path) -> None:
    """Without a directory the file is counted, and dropped."""
    with FakeControlPlane() as plane, plane.serve() as server:
        location = locate(server.url)
        assert location.native_url == "s3://flyteapps/p/d/root/code.tgz"
        assert put(location.signed_url) == 200


async def test_files_of_before_count(tmp_path: Path) -> None:
    """The limits are those of the directory: a server counts the files that are there, and a file sent again once."""
    first = Uploads(files=UploadFiles(tmp_path))
    for name in ("a", "b/c"):
        assert await put_to(first, first.sign("", name, b"", 60)[0]) == (200, "")
    second = Uploads(files=UploadFiles(tmp_path), max_files=2, max_total=20)
    assert (await put_to(second, second.sign("", "b/c", b"", 60)[0]))[0] == 200
    assert sum(second.sizes.values()) == 2 * len(BODY)
    status, text = await put_to(second, second.sign("", "d", b"", 60)[0])
    assert status == 507 and f"remove some in {tmp_path}" in text
    status, text = await put_to(second, second.sign("", "a", b"", 60)[0], b"x" * 13)
    assert status == 507 and "20 bytes" in text
    assert (tmp_path / "a").read_bytes() == BODY


async def test_what_is_not_whole_is_removed(tmp_path: Path) -> None:
    """A file that a killed server was writing is gone; those of this process stay."""
    (tmp_path / ".arriving-1-dead").write_bytes(b"half")
    mine = tmp_path / f".arriving-{os.getpid()}-alive"
    mine.write_bytes(b"half")
    uploads = Uploads(files=UploadFiles(tmp_path))
    assert await put_to(uploads, uploads.sign("", "a", b"", 60)[0]) == (200, "")
    assert names(tmp_path) == {"a", ".secret", mine.name}


@pytest.mark.parametrize("durable", [True, False])
async def test_a_file_is_on_the_disk_before_its_name(
    tmp_path: Path, durable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are flushed, then it is renamed, then the folders are flushed; unless nothing has to survive."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def fsync_(descriptor: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file")
        fsync(descriptor)

    def replace_(source: Any, target: Any) -> None:
        done.append("rename")
        replace(source, target)

    uploads = Uploads(files=UploadFiles(tmp_path, durable=durable))
    url = uploads.sign("", "p/d/a", b"", 60)[0]
    monkeypatch.setattr(os, "fsync", fsync_)
    monkeypatch.setattr(os, "replace", replace_)
    assert await put_to(uploads, url) == (200, "")
    assert done == (["file", "rename", "folder", "folder", "folder"] if durable else ["rename"])


async def test_no_url_leads_elsewhere(tmp_path: Path) -> None:
    """The place of a file is signed with its URL, and is inside of the directory whatever its name is."""
    files = tmp_path / "files"
    uploads = Uploads(files=UploadFiles(files))
    for name in ("../../x", "/etc/x", "...", ".", ".secret", ".arriving-x", "a/../../../x", "\0", "p//d"):
        assert await put_to(uploads, uploads.sign("", name, b"", 60)[0]) == (200, ""), name
    assert names(tmp_path) == {"files"}
    assert len(list(uploads.sizes)) == 9
    assert len(dict(UploadFiles(files).sizes())) == 9
    url = uploads.sign("", "a", b"", 60)[0]
    for forged in (
        url.partition("&place=")[0],
        url.replace("place=a", "place=b"),
        url.replace("place=a", "place=../a"),
    ):
        assert (await put_to(uploads, forged))[0] == 403


def test_files_that_cant_be_kept_are_refused(tmp_path: Path) -> None:
    """Where the directory can't be made, the request for a location says so."""
    (tmp_path / "state").mkdir()
    with FakeControlPlane(state=str(tmp_path / "state")) as plane:
        (tmp_path / "state" / "uploads").write_text("in the way")
        with plane.serve() as server, pytest.raises(Exception, match=r"can't be kept in .*uploads"):
            locate(server.url)
