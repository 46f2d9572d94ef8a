"""Uploads to signed URLs as RPCs: their faults, and their records in the log of calls."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator

import httpx
import pytest
from flyteidl2.dataproxy.dataproxy_service_connect import DataProxyServiceClientSync
from flyteidl2.dataproxy.dataproxy_service_pb2 import CreateUploadLocationRequest

from flyteapps_control.v1.control_pb2 import Upload, UploadAnswer
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.settings import Settings

from .asgi_calls import calling
from .server_process import HTTP, ServerProcess

BODY = b"some file"
SERVICE = "flyteapps.control.v1.ControlService"


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane that is served in this process."""
    with FakeControlPlane.of(Settings(clock="manual", call_log=100)) as made:
        made.serve()
        yield made


def signed_url(server: str) -> str:
    """Return a URL for a file of those bytes."""
    digest = hashlib.md5(BODY, usedforsecurity=False).digest()
    request = CreateUploadLocationRequest(project="p", domain="d", filename="f", content_md5=digest)
    with DataProxyServiceClientSync(server) as client:
        return client.create_upload_location(request).signed_url


def put(plane: FakeControlPlane, body: bytes = BODY, **headers: str) -> httpx.Response:
    """Send a file to a new URL."""
    return HTTP.put(signed_url(plane.serve().url), content=body, headers=headers)


def uploads(plane: FakeControlPlane) -> list[tuple[str, int]]:
    """Return the code and the bytes of each recorded upload."""
    found: list[tuple[str, int]] = []
    for each in plane.calls.list("Upload"):
        sent = Upload()
        assert each.request.Unpack(sent) and sent.path.startswith("/_flyteapps/uploads/") and "?" not in sent.path
        found.append((each.code, sent.bytes))
    return found


def test_uploads_are_recorded(plane: FakeControlPlane) -> None:
    """An upload is a call of http/Upload, with its method, path, bytes and status; so is one that is refused."""
    assert put(plane).status_code == 200
    refused = put(plane, b"another file", **{"content-md5": base64.b64encode(b"x" * 16).decode()})
    assert (refused.status_code, refused.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert refused.text.startswith("BadDigest")
    assert uploads(plane) == [("OK", 9), ("INTERNAL", 12)]
    first, second = plane.calls.list("Upload")
    answer = UploadAnswer()
    assert first.responses[0].Unpack(answer) and answer.status == 200
    assert (first.rpc, first.protocol, second.message[:20]) == ("http/Upload", "http", "HTTP 400: BadDigest:")
    plane.calls.verify("Upload", times=2, where={"method": "PUT"})
    plane.calls.verify("Upload", times=1, where={"bytes": 9}, code="OK")


def test_an_answer_of_http_instead_of_an_upload(plane: FakeControlPlane) -> None:
    """The store answers 503 with Retry-After once, and keeps nothing of the file; then it accepts it."""
    plane.faults.answer("Upload", status=503, retry_after=7, body="slow down", first=1)
    refused = put(plane)
    assert (refused.status_code, refused.headers["retry-after"], refused.text) == (503, "7", "slow down")
    assert put(plane).status_code == 200
    assert uploads(plane) == [("UNAVAILABLE", 9), ("OK", 9)]
    [rule] = plane.faults.list()
    assert (rule.matched, rule.applied) == (2, 1)


def test_an_upload_fails_with_a_code(plane: FakeControlPlane) -> None:
    """A code of gRPC is the status of HTTP that Connect has for it."""
    plane.faults.fail("Upload", code="PERMISSION_DENIED", message="not yours")
    refused = put(plane)
    assert (refused.status_code, refused.json()["message"]) == (403, "not yours")


def test_an_upload_is_reset_and_delayed(plane: FakeControlPlane) -> None:
    """The connection ends without an answer; a delay of the wall clock passes before the next one."""
    plane.faults.reset("Upload", nth=1)
    plane.faults.delay("Upload", seconds="100ms", real=True)
    with pytest.raises(httpx.RemoteProtocolError):
        put(plane)
    began = time.monotonic()
    assert put(plane).status_code == 200
    assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize(("applied", "files"), [(False, 0), (True, 1)])
async def test_a_file_is_kept_only_if_its_upload_was_carried_out(applied: bool, files: int) -> None:
    """With `applied` the file is stored though its answer is lost; without it, it isn't."""
    async with calling() as caller:
        caller.plane.faults.answer("Upload", status=503, applied=applied, nth=1)
        uploads = caller.front.uploads
        for code in ("HTTP_503", "OK"):
            url = uploads.sign("", code, b"", 60)[0]
            path, _, query = url.partition("?")
            assert await caller.code(path, BODY, method="PUT", query=query) == code
            assert caller.lines[-1].method == "upload"
            assert len(uploads.sizes) == files
            files += 1
        assert sum(uploads.sizes.values()) == 9 * len(uploads.sizes)


def test_every_server_has_faults_of_uploads(server: ServerProcess) -> None:
    """A rule by the control API reaches an upload; an unknown name lists it."""
    rule = {"rpc": "Upload", "first": 1, "http": {"status": 503, "headers": {"retry-after": "1"}}}
    HTTP.post(f"{server.url}/{SERVICE}/AddFaults", json={"faults": [rule]}).raise_for_status()
    assert [HTTP.put(signed_url(server.url), content=BODY).status_code for _ in range(2)] == [503, 200]
    reset = {"rpc": "http/Upload", "reset": {}}
    HTTP.post(f"{server.url}/{SERVICE}/AddFaults", json={"faults": [reset]}).raise_for_status()
    with pytest.raises(httpx.RemoteProtocolError):
        HTTP.put(signed_url(server.url), content=BODY)
    wrong = HTTP.post(f"{server.url}/{SERVICE}/AddFaults", json={"faults": [{**rule, "rpc": "Uplod"}]}).json()
    assert "did you mean Upload" in wrong["message"]
    HTTP.post(f"{server.url}/{SERVICE}/Reset", json={}).raise_for_status()
