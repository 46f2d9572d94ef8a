"""Random valid and mutated messages to every RPC, in every protocol: only the codes that the contract names for it."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson, SerializeToJsonError
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core import call as core
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import OPERATIONS, Operation
from flyteapps_fake.http.front import Front
from flyteapps_fake.http.options import FrontOptions

from .messages import create
from .messages_of import NAMES, messages, mutated

ALWAYS = {"OK", "INVALID_ARGUMENT"}
CODES = {
    "Create": {"ALREADY_EXISTS", "NOT_FOUND", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"},
    "Get": {"NOT_FOUND"},
    "Update": {"NOT_FOUND", "ABORTED", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"},
    "UpdateStatus": {"NOT_FOUND", "ABORTED", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"},
    "Delete": {"NOT_FOUND", "FAILED_PRECONDITION"},
    "List": set(),
    "Watch": {"DEADLINE_EXCEEDED"},
    "Lease": {"NOT_FOUND", "DEADLINE_EXCEEDED"},
    "TailLogs": {"NOT_FOUND", "DEADLINE_EXCEEDED"},
}
"""The codes with which each RPC may be refused, besides ALWAYS."""
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much)
PROTOCOLS = ("proto", "json", "grpc", "grpc-web")
CODE_NAMES = {0: "OK", **{int(code): code.name for code in Code}}
RPCS = list(OPERATIONS.values())


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its bytes, as a protocol has them."""

    operation: Operation
    protocol: str
    message: bytes

    def __repr__(self) -> str:
        return f"{self.operation.method} by {self.protocol}: {self.message!r}"


@st.composite
def requests(draw: st.DrawFn, operation: Operation) -> Message:
    """Draw a random message; or one with an app that could be stored, and little that is random."""
    request = draw(messages(operation.request))
    if "app" in operation.request.DESCRIPTOR.fields_by_name and draw(st.booleans()):
        request = operation.request()
        app: Any = request.app  # type: ignore[attr-defined]
        app.CopyFrom(create(draw(st.sampled_from(NAMES)), stopped=draw(st.booleans())).app)
        app.metadata.id.project, app.metadata.id.domain = "p", "d"
        app.metadata.revision = draw(st.integers(0, 2))
        if draw(st.booleans()):
            app.spec.MergeFrom(draw(messages(type(app.spec))))
        if draw(st.booleans()):
            app.status.CopyFrom(draw(messages(type(app.status))))
            app.status.assigned_cluster = "simulated"
    return request


@st.composite
def calls(draw: st.DrawFn, operation: Operation) -> Call:
    protocol = draw(st.sampled_from(PROTOCOLS))
    request = draw(requests(operation))
    if protocol == "json":
        try:
            message = MessageToJson(request, indent=None).encode()
        except (SerializeToJsonError, ValueError):
            message = b"{}"
    else:
        message = request.SerializeToString()
    return Call(operation, protocol, draw(st.one_of(st.just(message), mutated(message))))


def frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


async def answer(front: Front, call: Call) -> str:
    """Return the code that the front answers with."""
    operation, body = call.operation, call.message
    kind = {"grpc": "application/grpc", "grpc-web": "application/grpc-web+proto"}.get(call.protocol, "")
    if not kind:
        kind = f"application/{'connect+' if operation.streaming else ''}{call.protocol}"
    if kind.startswith("application/grpc") or operation.streaming:
        body = frame(body)
    timeout = b"connect-timeout-ms" if kind.startswith(("application/connect", "application/json")) else b"grpc-timeout"
    headers = [(b"host", b"localhost"), (b"content-type", kind.encode())]
    if operation.streaming:
        headers.append((timeout, b"2" if timeout.startswith(b"connect") else b"2m"))
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "2",
        "method": "POST",
        "scheme": "http",
        "path": f"/{operation.service}/{operation.method}",
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "extensions": {"http.response.trailers": {}},
    }
    came = [{"type": "http.request", "body": body, "more_body": False}]
    events: list[Any] = []

    async def receive() -> Any:
        if not came:
            await asyncio.get_running_loop().create_future()
        return came.pop()

    async def send(event: Any) -> None:
        events.append(event)

    await asyncio.wait_for(front(scope, receive, send), 20)
    return _code(kind, events)


def _code(kind: str, events: list[Any]) -> str:
    status = events[0]["status"]
    body = b"".join(event.get("body", b"") for event in events)
    if kind.startswith("application/grpc"):
        pairs = [pair for event in events for pair in event.get("headers", ())]
        found = dict(pairs).get(b"grpc-status")
        if found is None:
            ends = re.findall(rb"grpc-status: ?(\d+)\r\n", body)
            assert ends, events
            found = ends[-1]
        return CODE_NAMES[int(found)]
    if kind.startswith("application/connect"):
        while body:
            size = int.from_bytes(body[1:5], "big")
            if body[0] & 2:
                end = json.loads(body[5 : 5 + size])
                return end["error"]["code"].upper() if "error" in end else "OK"
            body = body[5 + size :]
        raise AssertionError(f"the stream has no end: {events}")
    return "OK" if status == 200 else json.loads(body)["code"].upper()


async def run(sequence: list[Call]) -> None:
    """Assert that each call is answered by a code that its RPC may have, and that the plane goes on."""
    plane = FakeControlPlane(clock="manual", org="flyte")
    front = Front(plane, FrontOptions(server="hypercorn"))
    await front.start()
    try:
        for call in sequence:
            code = await answer(front, call)
            assert code in ALWAYS | CODES[call.operation.method], f"{call} is answered by {code}"
            plane.advance(1)
        listing = Call(OPERATIONS["/flyteidl2.app.AppService/List"], "grpc", b"")
        assert await answer(front, listing) == "OK"
        assert plane.open_streams() == 0
    finally:
        await front.stop()


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(each, id=each.method, marks=() if each.method in ("Create", "Watch") else pytest.mark.matrix)
        for each in RPCS
    ],
)
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW, phases=(Phase.generate, Phase.shrink))
@given(data=st.data())
def test_every_rpc_answers_whatever_comes(operation: Operation, data: st.DataObject) -> None:
    """A call of that RPC after a few of any others."""
    others = data.draw(st.lists(st.sampled_from(RPCS), max_size=3), label="before it")
    sequence = [data.draw(calls(each)) for each in (*others, operation)]
    asyncio.run(run(sequence))


def test_messages_are_often_valid() -> None:
    """The strategy isn't all rubbish: some of the Creates that it draws are accepted."""
    accepted: list[bool] = []
    creation = OPERATIONS["/flyteidl2.app.AppService/Create"]

    @settings(max_examples=80, database=None, derandomize=True, suppress_health_check=SLOW)
    @given(requests(creation))
    def draw(request: Message) -> None:
        with FakeControlPlane(clock="manual", org="flyte") as plane:
            try:
                plane.call(core.Call(creation, request))
            except RpcError:
                accepted.append(False)
            else:
                accepted.append(True)

    draw()
    assert 8 <= sum(accepted) <= 72, f"{sum(accepted)} of {len(accepted)} are accepted"
