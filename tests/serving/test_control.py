"""The control API over the wire: faults, clock and recorded calls of a server, and how each protocol shows a fault."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app.app_payload_pb2 import UpdateRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.app.app_service_pb2_grpc import AppServiceStub

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.console.pages import pages

from .asgi_calls import calling
from .messages import create, get, watch
from .server_process import HTTP, PATIENCE, ServerProcess

SERVICE = "flyteapps.control.v1.ControlService"


def control(server: ServerProcess, method: str, **request: Any) -> dict[str, Any]:
    """Return the answer of the control API, or its error, in JSON."""
    return HTTP.post(f"{server.url}/{SERVICE}/{method}", json=request).json()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[AppServiceClientSync]:
    """A client of the server, which is left without apps and rules."""
    with AppServiceClientSync(server.url) as made:
        yield made
    assert "code" not in control(server, "Reset")


def test_a_rule_is_added_counted_and_removed(server: ServerProcess, client: AppServiceClientSync) -> None:
    """Rules are messages in JSON; what is wrong with one is said with the field."""
    added = control(server, "AddFaults", faults=[{"rpc": "Create", "nth": 2, "fail": {"code": "UNAVAILABLE"}}])
    number = added["faults"][0]["id"]
    client.create(create("a"))
    with pytest.raises(ConnectError, match=f"fault {number}: Create fails"):
        client.create(create("b"))
    rule = control(server, "ListFaults")["faults"][0]
    assert (rule["matched"], rule["applied"]) == ("2", "1")
    assert control(server, "RemoveFaults", ids=["f99"])["code"] == "not_found"
    control(server, "RemoveFaults", ids=[number])
    client.create(create("b"))
    for broken, message in (
        ({"rpc": "Create"}, "faults[0].effect"),
        ({"rpc": "Creat", "fail": {"code": "UNAVAILABLE"}}, "no RPC is called 'Creat'"),
        ({"rpc": "Get", "probability": 2, "fail": {"code": "UNAVAILABLE"}}, "faults[0].probability"),
        ({"rpc": "Get", "delay": {"fixed": "-1s"}}, "faults[0].delay.fixed"),
        ({"rpc": "Get", "fail": {"code": "UNAVAILABL"}}, "is no code"),
        ({"rpc": "Get", "nht": 2, "fail": {"code": "UNAVAILABLE"}}, 'has no field named "nht"'),
        ({"rpc": "Get", "fail": {"code": "UNAVAILABLE", "applid": True}}, 'has no field named "applid"'),
    ):
        refused = control(server, "AddFaults", faults=[broken])
        assert refused["code"] == "invalid_argument" and message in refused["message"]
    assert control(server, "ListFaults") == {}


def test_an_answer_of_http_reaches_the_client_as_it_is(server: ServerProcess, client: AppServiceClientSync) -> None:
    """A proxy's answer: the status, Retry-After and a body that is no RPC's, in each protocol."""
    answer = {"status": 429, "headers": {"retry-after": "7", "content-type": "text/html"}, "body": "PGh0bWw+"}
    control(server, "AddFaults", faults=[{"rpc": "Get", "http": answer}])
    for content_type in ("application/proto", "application/json"):
        headers = {"content-type": content_type}
        body = b"{}" if content_type.endswith("json") else b""
        got = HTTP.post(f"{server.url}/flyteidl2.app.AppService/Get", content=body, headers=headers)
        assert (got.status_code, got.headers["retry-after"], got.text) == (429, "7", "<html>")
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError) as refused:
        AppServiceStub(channel).Get(get("a"), timeout=PATIENCE)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_reset_is_no_answer(server: ServerProcess, client: AppServiceClientSync) -> None:
    """The connection ends without an answer, or the HTTP/2 stream is reset, before or after the commit."""
    control(server, "AddFaults", faults=[{"rpc": "Create", "nth": 1, "reset": {"applied": True}}])
    with pytest.raises(ConnectError):
        client.create(create("a"))
    control(server, "AddFaults", faults=[{"rpc": "Create", "reset": {}}])
    assert client.get(get("a")).app.metadata.id.name == "a"
    with pytest.raises(httpx.RemoteProtocolError):
        HTTP.post(f"{server.url}/flyteidl2.app.AppService/Create", json={})
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel, pytest.raises(grpc.RpcError):
        AppServiceStub(channel).Create(create("b"), timeout=PATIENCE)


def test_a_delay_waits_without_holding_up_others(server: ServerProcess, client: AppServiceClientSync) -> None:
    """Of the wall clock: the delayed call waits, another one is answered meanwhile, a deadline ends the wait."""
    rule = {"rpc": "Get", "app": {"name": "slow"}, "delay": {"fixed": "0.2s", "real": True}}
    control(server, "AddFaults", faults=[rule])
    for name in ("slow", "quick"):
        client.create(create(name))
    began = time.monotonic()
    client.get(get("slow"))
    assert time.monotonic() - began >= 0.2
    with pytest.raises(ConnectError) as late:
        client.get(get("slow"), timeout_ms=50)
    assert late.value.code.name == "DEADLINE_EXCEEDED"
    assert client.get(get("quick")).app.metadata.id.name == "quick"


def test_a_stale_read_is_none_of_the_cached_ones(server: ServerProcess, client: AppServiceClientSync) -> None:
    """A Get that was answered before is stale with the rule, and shows the present again without it."""
    client.create(create("a"))
    before = [client.get(get("a")).app.metadata.revision for _ in range(3)][-1]
    rule = control(server, "AddFaults", faults=[{"rpc": "Get", "stale": {"age": "3600s"}}])["faults"][0]
    changed = create("a").app
    changed.spec.container.image = "another"
    client.update(UpdateRequest(app=changed))
    assert [client.get(get("a")).app.metadata.revision for _ in range(3)] == [before] * 3
    control(server, "RemoveFaults", ids=[rule["id"]])
    assert [client.get(get("a")).app.metadata.revision for _ in range(3)] == [before + 1] * 3


@pytest.mark.parametrize("json", [False, True])
def test_a_stream_is_cut(server: ServerProcess, client: AppServiceClientSync, json: bool) -> None:
    """A cut stream ends with its code after so many messages, in binary and in JSON."""
    client.create(create("a", stopped=True))
    control(server, "AddFaults", faults=[{"rpc": "Watch", "cut": {"after": 1, "code": "ABORTED"}}])
    if json:
        body = b'{"appId": {"project": "p", "domain": "development", "name": "a"}}'
        framed = b"\0" + len(body).to_bytes(4, "big") + body
        kind = {"content-type": "application/connect+json"}
        text = HTTP.post(f"{server.url}/flyteidl2.app.AppService/Watch", content=framed, headers=kind).content
        assert b"aborted" in text
        return
    events = iter(client.watch(watch("a")))
    assert next(events).HasField("create_event")
    with pytest.raises(ConnectError) as cut:
        next(events)
    assert cut.value.code.name == "ABORTED"


def test_calls_are_recorded_with_their_protocol(kind: str) -> None:
    """Calls over Connect and gRPC are recorded, also repeated ones and those of other services."""
    with ServerProcess("--server", kind, "--call-log-size", "10") as server, AppServiceClientSync(server.url) as client:
        client.create(create("a"))
        for _ in range(3):
            client.get(get("a"))
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            AppServiceStub(channel).Get(get("a"), timeout=PATIENCE)
        HTTP.post(f"{server.url}/flyteidl2.auth.IdentityService/UserInfo", json={})
        calls = control(server, "ListCalls")["calls"]
        seen = [(each["rpc"].rpartition("/")[2], each["protocol"]) for each in calls]
        assert seen == [("Create", "connect"), *[("Get", "connect")] * 3, ("Get", "grpc"), ("UserInfo", "connect")]
        found = control(server, "VerifyCalls", select={"rpc": "Get"}, times=5)
        assert not found.get("holds", False) and "found 4 of 6 recorded" in found["explanation"]


def test_calls_that_are_new_to_a_client(kind: str) -> None:
    """A client that has listed the calls gets those with higher numbers, and the ones that it names, in one answer."""
    with ServerProcess("--server", kind, "--call-log-size", "10") as server, AppServiceClientSync(server.url) as client:
        client.create(create("a"))
        for _ in range(3):
            client.get(get("a"))

        def numbers(**fields: object) -> list[str]:
            return [each["number"] for each in control(server, "ListCalls", **fields).get("calls", [])]

        assert numbers(after=2) == ["3", "4"]
        assert numbers(after=3, also=[1, 99]) == ["1", "4"]
        assert numbers(after=4) == []
        assert numbers(after=1, select={"rpc": "Get"}, limit=2) == ["3", "4"]
        refused = control(server, "ListCalls", after=-1)
        assert refused["code"] == "invalid_argument" and "after" in refused["message"]


def test_calls_are_not_recorded_unless_asked_for(server: ServerProcess) -> None:
    """A query of a log that is off says how to turn it on, instead of finding no call."""
    for method in ("ListCalls", "VerifyCalls"):
        refused = control(server, method)
        assert refused["code"] == "failed_precondition" and "--call-log-size 1000" in refused["message"]


def test_the_clock_of_a_server_is_advanced() -> None:
    """A manual clock is moved over the wire; an embedded server and the plane in process share it."""
    with FakeControlPlane(clock="manual") as plane:
        server = plane.serve()
        plane.stub().create(create("a"))
        answer = HTTP.post(
            f"{server.url}/{SERVICE}/AdvanceClock", json={"until": {"app": {"name": "a"}, "status": "ACTIVE"}}
        ).json()
        assert int(answer["fired"]) > 0
        assert plane.clock.now.isoformat()[:19] == answer["now"][:19]
        plane.faults.fail("Get", code="ABORTED")
        with AppServiceClientSync(server.url) as client, pytest.raises(ConnectError, match="fault f1"):
            client.get(get("a"))
        with grpc.insecure_channel(server.grpc_target) as channel, pytest.raises(grpc.RpcError) as refused:
            AppServiceStub(channel).Get(get("a"), timeout=PATIENCE)
        assert refused.value.code() == grpc.StatusCode.ABORTED


def test_a_clock_that_moves_by_itself_is_not_advanced(server: ServerProcess) -> None:
    """The refusal says how to get a clock that can be."""
    refused = control(server, "AdvanceClock", duration="60s")
    assert refused["code"] == "failed_precondition" and "--clock manual" in refused["message"]


async def test_pages_have_no_faults() -> None:
    """A look at the console is no call: it meets no rule, uses none up, and isn't recorded."""
    async with calling(page=pages) as caller:
        caller.plane.stub().create(create("a"))
        caller.plane.faults.fail("List", code="UNAVAILABLE", nth=1)
        caller.plane.faults.delay("Get", seconds="1h")
        for path in ("/v2/", "/v2/domain/development/project/p/apps/a"):
            answer = await caller.send(path, b"", method="GET")
            assert answer[0]["status"] == 200
        assert [each.matched for each in caller.plane.faults.list()] == [0, 0]


async def test_access_lines_name_what_was_answered_instead() -> None:
    """The access line of a call has the status of an answer of HTTP, or that its connection was reset."""
    async with calling() as caller:
        path, kind = "/flyteidl2.app.AppService/Get", [("content-type", "application/proto")]
        caller.plane.faults.answer("Get", status=429, nth=1)
        caller.plane.faults.reset("Get")
        assert await caller.code(path, b"", kind) == "HTTP_429"
        assert await caller.code(path, b"", kind) == "RESET"
        assert await caller.code(path, b"{}", [("content-type", "application/json")]) == "RESET"
