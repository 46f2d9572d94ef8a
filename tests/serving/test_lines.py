"""Lines of the terminal and of logs: what clients send forges no field of one, and none grows without bound."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flyteidl2.app.app_definition_pb2 import Identifier
from flyteidl2.app.app_payload_pb2 import GetRequest

from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli import background_writer
from flyteapps_fake.cli.access_log import MAX_NOTICE_CHARACTERS, AccessLog, access_log
from flyteapps_fake.cli.background_writer import BackgroundWriter
from flyteapps_fake.cli.control import call_text
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.dialect import Notice
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import GET as GET_RPC
from flyteapps_fake.http.options import AccessLine

from .asgi_calls import calling
from .test_edges import GET, PROTO, WATCH

FORGED = "a OK 0.1ms\n12:00:00.000 Delete b\x1b[2J\u202e\u2028\u00a0"
"""A name that would end a line, begin another one, clear the terminal, and turn its text around."""


def lines_of(capsys: pytest.CaptureFixture[str], write: Callable[[AccessLog], None], form: str = "text") -> list[str]:
    """Return the lines that a log writes."""
    log = access_log(form, quiet=False)
    assert log is not None
    write(log)
    log.flush(20)
    return capsys.readouterr().out.split("\n")[:-1]


def test_a_name_forges_no_field(capsys: pytest.CaptureFixture[str]) -> None:
    """Spaces, line breaks and escape sequences of a method, an app or a notice are written as escapes."""

    def write(log: AccessLog) -> None:
        log(AccessLine(FORGED, FORGED, "OK", 1.0))
        log(Notice(FORGED, f"FAILED: {FORGED}"))

    access, notice = lines_of(capsys, write)
    assert access.isprintable() and notice.isprintable()
    assert len(access.split()) == 5 and access.split()[3] == "OK"
    assert notice.split(": ")[0].count(" ") == 1


def test_a_refusal_is_shown_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The line of a refused call ends with the first words of the refusal, in one line, and forges no other one."""
    line = AccessLine("Create", "hello", "INTERNAL", 6.3, message=f"failed to create: {FORGED}")
    [text] = lines_of(capsys, lambda log: log(line))
    assert text.isprintable() and " Create hello INTERNAL 6.3ms failed to create: a OK 0.1ms\\n12:00" in text
    [text] = lines_of(capsys, lambda log: log(line), "json")
    assert json.loads(text)["message"] == line.message
    [text] = lines_of(capsys, lambda log: log(AccessLine("Create", "hello", "OK", 6.3)), "json")
    assert "message" not in json.loads(text)


@pytest.mark.parametrize("path", [GET, WATCH])
@pytest.mark.parametrize("form", ["proto", "json", "grpc", "grpc-web+proto"])
def test_access_lines_have_the_words_of_refusals(form: str, path: str) -> None:
    """A refused call has up to 200 characters of the words in its line, over every protocol, also one of a stream."""
    framed = path == WATCH or "grpc" in form
    kind = f"application/connect+{form}" if framed and "grpc" not in form else f"application/{form}"
    body = b"{}" if form == "json" else b""

    async def run() -> AccessLine:
        async with calling() as caller:
            caller.plane.faults.fail("*", code="INTERNAL", message="not " * 100)
            sent = b"\0" + len(body).to_bytes(4, "big") + body if framed else body
            await caller.send(path, sent, [("content-type", kind)])
            [line] = caller.lines
            return line

    line = asyncio.run(run())
    assert (line.method, line.code, line.message) == (path.rpartition(".")[2], "INTERNAL", "not " * 50)


def test_notices_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """A notice has a bounded length, however long its app's name and its message are."""
    for form in ("text", "json"):
        [line] = lines_of(capsys, lambda log: log(Notice("n" * 100_000, "m" * 100_000)), form)
        assert len(line) < 2 * MAX_NOTICE_CHARACTERS


def test_a_fault_of_a_forged_name() -> None:
    """The notice of a fault, whose call may have any id, has the id as one word of bounded length."""
    with FakeControlPlane(clock="manual") as plane:
        notices: list[Notice] = []
        plane.notify(notices.append)
        plane.faults.fail("Get", code="ABORTED")
        for project in (FORGED, "p" * 100_000):
            with pytest.raises(RpcError):
                plane.call(Call(GET_RPC, GetRequest(app_id=Identifier(project=project, domain="d", name="n"))))
    for notice in notices:
        assert notice.message.isprintable() and len(notice.message.split()) == 6
        assert len(notice.message) < 2_000


def test_a_recorded_call_of_a_forged_name() -> None:
    """Recorded calls are shown one a line, whatever their clients sent."""
    call = pb.RecordedCall(
        number=1, rpc="a.B/Get", app=FORGED, caller=FORGED, message=FORGED, code="OK", protocol="grpc"
    )
    assert call_text.shown(call).isprintable()
    effect = pb.Effect(app=FORGED, change="created")
    assert all(each.isprintable() for each in call_text.links(pb.RecordedCall(effects=[effect])))


def test_what_waits_for_a_slow_reader_has_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items wait up to a total of bytes, and one of any size if no other waits; the others are counted as dropped."""
    monkeypatch.setattr(background_writer, "MAX_QUEUED_BYTES", 100)
    reading, going_on = threading.Event(), threading.Event()
    written: list[int] = []

    def write(item: int, last: bool) -> bool:
        reading.set()
        assert going_on.wait(60)
        written.append(item)
        return True

    warnings: list[str] = []
    monkeypatch.setattr(background_writer, "warn", warnings.append)
    writer: BackgroundWriter[int] = BackgroundWriter(
        "test", write, 1_000, lambda count: f"{count} dropped", lambda _: 40
    )
    writer.put(0)
    assert reading.wait(60)
    for item in range(1, 50):
        writer.put(item)
    going_on.set()
    writer.flush(60)
    assert written == [0, 1]
    writer.put(50)
    writer.flush(60)
    assert written == [0, 1, 50]
    assert warnings == ["48 dropped"]


@pytest.mark.parametrize("path", [GET, "/a.B/C", "/_flyteapps/uploads/x?expires=0"])
def test_access_lines_have_the_request_id(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line of --log-format json has the request's id, that of an upload, too; an invalid one is left out."""

    async def run() -> list[AccessLine]:
        async with calling() as caller:
            for request_id in ("7d1c", "a b"):
                headers: list[tuple[str, str]] = [("content-type", PROTO), ("x-request-id", request_id)]
                await caller.send(path.partition("?")[0], b"", headers, method="PUT" if "uploads" in path else "POST")
            return caller.lines

    rows: list[Any] = []
    for line in asyncio.run(run()):
        [text] = lines_of(capsys, lambda log, line=line: log(line), "json")
        rows.append(json.loads(text))
    assert [row["request_id"] for row in rows] == ["7d1c", ""]
