"""One client that tries to take the server for itself: each input that once did is refused or bounded."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app import app_service_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.validation import MAX_VALUES
from flyteapps_fake.http import large_requests, request_timeouts
from flyteapps_fake.http.handlers import duplex
from flyteapps_fake.http.response_cache import MAX_ANSWERS

from .asgi_calls import Caller, calling
from .conftest import KINDS
from .messages import create, get, identifier
from .raw_http2 import RawHttp2
from .server_process import CUT_SECONDS, HTTP, ServerProcess, eventually
from .test_edges import CREATE, GET, GRPC, JSON, PROTO, WATCH, WEB, frame
from .test_limits import answered, everything

pytestmark = pytest.mark.slow

REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
CONNECT_STREAM = "application/connect+proto"
MANY = 200_000


def crowd(count: int) -> bytes:
    """Return a Create with that many empty inputs."""
    request = create("crowd")
    for _ in range(count):
        request.app.spec.inputs.items.add()
    return request.SerializeToString()


def crowd_in_json(count: int) -> bytes:
    return ('{"app":{"spec":{"inputs":{"items":[' + ",".join(["{}"] * count) + "]}}}}").encode()


def by_get(message: bytes, codec: str) -> str:
    text = base64.urlsafe_b64encode(gzip.compress(message)).decode().rstrip("=")
    return f"connect=v1&encoding={codec}&base64=1&compression=gzip&message={text}"


# ---- counts


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_a_crowd_of_elements_is_refused_by_its_number(dialect: str) -> None:
    """200,000 empty elements are RESOURCE_EXHAUSTED in every form that a request has, for less than a second of CPU."""
    plain, text = crowd(MANY), crowd_in_json(MANY)
    zipped = ("content-encoding", "gzip")

    async def run() -> None:
        async with calling(dialect) as caller:
            started = time.process_time()
            for kind, body, *headers in (
                (PROTO, plain),
                (PROTO, gzip.compress(plain), zipped),
                (JSON, text),
                (JSON, gzip.compress(text), zipped),
                (GRPC, frame(plain)),
                (GRPC, frame(gzip.compress(plain), 1), ("grpc-encoding", "gzip")),
                (WEB, frame(plain)),
                ("application/grpc-web+json", frame(text)),
            ):
                code = await caller.code(CREATE, body, [("content-type", kind), *headers])
                assert code == "RESOURCE_EXHAUSTED", f"{kind} {headers}"
            query = json.dumps({"request": {"filters": [{}] * MANY}}).encode()
            code = await caller.code(f"{GET[:-3]}List", b"", method="GET", query=by_get(query, "json"))
            assert code == "RESOURCE_EXHAUSTED"
            assert time.process_time() - started < 5

    asyncio.run(run())


def test_a_crowd_is_refused_without_a_wire_and_over_grpcio() -> None:
    """The same bound holds in process and over grpcio; what can't be decoded is INVALID_ARGUMENT there, too."""
    request = payload.CreateRequest.FromString(crowd(MAX_VALUES))
    with FakeControlPlane() as plane:
        with pytest.raises(ConnectError) as refused:
            plane.stub().create(request)
        assert refused.value.code is Code.RESOURCE_EXHAUSTED
        with plane.serve() as server, grpc.insecure_channel(server.grpc_target) as channel:
            stub = app_service_pb2_grpc.AppServiceStub(channel)
            with pytest.raises(grpc.RpcError) as over_grpc:
                stub.Create(request)
            assert over_grpc.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]
            for path, call in ((GET, channel.unary_unary), (WATCH, channel.unary_stream)):
                with pytest.raises(grpc.RpcError) as rubbish:
                    _first(call(path), b"\xff\xff")
                assert rubbish.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # type: ignore[attr-defined]


def _first(call: Any, message: bytes) -> Any:
    return next(iter(call(message)))


def test_many_violations_are_cut() -> None:
    """A dense request that breaks a rule by each of its elements names the first, and says that there may be more."""
    with FakeControlPlane() as plane, pytest.raises(ConnectError) as refused:
        plane.stub().create(payload.CreateRequest.FromString(crowd(3_000)))
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert "further violations" in refused.value.message


def test_an_ordinary_request_names_all_its_violations() -> None:
    """A request as users write it names each broken field, however large it is."""
    request = create("x" * 40)
    for number in range(100):
        request.app.spec.container.env.add(key=f"VARIABLE_{number}", value="some value that is not so short")
    request.app.metadata.id.project = ""
    for _ in range(5):
        request.app.spec.inputs.items.add()
    with FakeControlPlane() as plane, pytest.raises(ConnectError) as refused:
        plane.stub().create(request)
    assert refused.value.message.count("inputs.items[") == 10, refused.value.message
    assert "metadata.id.name" in refused.value.message and "further" not in refused.value.message


def test_many_gzip_members(server: ServerProcess) -> None:
    """gzip data of 200,000 members is INVALID_ARGUMENT, and of a few as good as of one."""
    headers = {"content-type": PROTO, "content-encoding": "gzip"}
    message = get("none").SerializeToString()
    few = gzip.compress(message[:5]) + gzip.compress(message[5:])
    for body, code in ((gzip.compress(message) + gzip.compress(b"") * MANY, "invalid_argument"), (few, "not_found")):
        assert HTTP.post(server.url + GET, content=body, headers=headers, timeout=60).json()["code"] == code


# ---- memory


def test_repeated_gets_are_kept_by_bytes() -> None:
    """Gets of 64 KiB of unknown fields aren't kept to be answered again; small ones are, up to a number."""
    padding = b"\xfa\xd5\x07\x80\x80\x04" + bytes(64 * 1024)

    async def run() -> None:
        async with calling() as caller:
            front = caller.front
            cache = getattr(front.endpoints[GET], "cache")  # noqa: B009 - a Unary's, as pyright can't know
            caller.plane.stub().create(create("a"))
            message = get("a").SerializeToString()
            for number in range(20):
                assert await caller.code(GET, message + padding + bytes((8, number)), [("content-type", PROTO)]) == "OK"
            assert len(cache) == 0
            for number in range(MAX_ANSWERS + 5):
                unknown = b"\xf8\xd5\x07" + bytes((number % 100, 0xF8, 0xD5, 7, number // 100))
                assert await caller.code(GET, message + unknown, [("content-type", PROTO)]) == "OK"
            assert 0 < len(cache) <= MAX_ANSWERS

    asyncio.run(run())


def test_bodies_in_flight_have_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """While many bodies are arriving, a further large one is RESOURCE_EXHAUSTED; a small one is answered."""
    monkeypatch.setattr(request_timeouts, "MAX_HELD_BYTES", 1024 * 1024)
    part = bytes(600 * 1024)

    async def run() -> None:
        async with calling(request_seconds=1.0) as caller:
            kind = [("content-type", PROTO)]
            hanging = asyncio.create_task(caller.send(CREATE, [part], kind, ends=False))
            await asyncio.sleep(0)
            assert await caller.code(CREATE, [part, b""], kind) == "RESOURCE_EXHAUSTED"
            message = get("none").SerializeToString()
            assert await caller.code(GET, [message[:3], message[3:]], kind) == "NOT_FOUND"
            assert "deadline_exceeded" in str(await hanging)
            assert await caller.code(CREATE, [part, part], kind) != "DEADLINE_EXCEEDED"

    asyncio.run(run())


def test_small_bodies_in_flight_have_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies below the size of large ones have a total, too; a refused one counts no longer, a Get is answered."""
    monkeypatch.setattr(request_timeouts, "MAX_HELD_BYTES", 100 * 1024)
    part = bytes(50 * 1024)

    async def run() -> None:
        async with calling(request_seconds=1.0) as caller:
            kind = [("content-type", PROTO)]
            hanging = [asyncio.create_task(caller.send(CREATE, [part], kind, ends=False)) for _ in range(25)]
            await asyncio.sleep(0)
            assert await caller.code(CREATE, [part, b""], kind) == "RESOURCE_EXHAUSTED"
            message = get("none").SerializeToString()
            assert await caller.code(GET, [message, b""], kind) == "NOT_FOUND"
            assert vars(caller.front.timeouts)["_held"] <= 5 * len(part)
            for each in hanging:
                assert "deadline_exceeded" in str(await each)
            assert vars(caller.front.timeouts)["_held"] == 0

    asyncio.run(run())


def test_large_requests_wait_for_each_other() -> None:
    """Large requests are worked on one by one, with turns for others between; too many bytes of them are refused."""

    async def run() -> None:
        one = large_requests.LargeRequests()
        await one.acquire(1)
        waiting = asyncio.create_task(one.acquire(large_requests.MAX_WAITING_BYTES))
        await asyncio.sleep(0)
        with pytest.raises(Exception, match="try again"):
            await one.acquire(1)
        until = time.perf_counter() + large_requests.PAUSE_SECONDS
        while time.perf_counter() < until:  # work that others notice
            pass
        one.release()
        await asyncio.sleep(0)
        assert not waiting.done(), "no turn for others after long work"
        await asyncio.wait_for(waiting, 20)
        waiting = asyncio.create_task(one.acquire(large_requests.MAX_WAITING_BYTES))
        await asyncio.sleep(0)
        one.release()  # so nobody has the turn for a moment
        with pytest.raises(Exception, match="try again"):
            await one.acquire(1)
        await asyncio.wait_for(waiting, 20)
        one.release()

    asyncio.run(run())


# ---- the clock of every request

UNREAD = {
    "a host that is refused": ("POST", GET, {"host": "evil.example"}),
    "an origin that is refused": ("POST", GET, {"origin": "http://evil.example"}),
    "a preflight": ("OPTIONS", GET, {"origin": "http://localhost", "access-control-request-method": "POST"}),
    "an unknown path": ("POST", "/no.such.Service/Get", {}),
    "gRPC over HTTP/1.1": ("POST", GET, {"content-type": GRPC}),
    "gRPC over HTTP/1.1, for another host": ("POST", GET, {"content-type": GRPC, "host": "evil.example"}),
    "gRPC over HTTP/1.1, of an unknown path": ("POST", "/no.such.Service/Get", {"content-type": GRPC}),
    "reflection": ("POST", REFLECTION, {"content-type": CONNECT_STREAM}),
    "a wrong content type of reflection": ("POST", REFLECTION, {"content-type": "text/plain"}),
    "a wrong signature of an upload": ("PUT", "/_flyteapps/uploads/x?expires=0", {}),
    "an upload": ("PUT", "/_flyteapps/uploads/x?expires=9999999999&signature=x", {}),
    "a page": ("POST", "/", {}),
    "health": ("GET", "/healthz", {}),
    "the page of an app": ("POST", "/apps/x/", {}),
    "the control API": ("POST", "/flyteapps.control.v1.ControlService/AddFaults", {}),
    "the control API in JSON": (
        "POST",
        "/flyteapps.control.v1.ControlService/AddScenarios",
        {"content-type": JSON},
    ),
    "an offer of another protocol": ("POST", GET, {"connection": "upgrade", "upgrade": "h2c"}),
    "a call that waits for 100": ("POST", GET, {"expect": "100-continue"}),
    "a call": ("POST", GET, {}),
    "a call in JSON": ("POST", GET, {"content-type": JSON}),
    "a stream": ("POST", WATCH, {"content-type": CONNECT_STREAM}),
}
"""HTTP method, path and headers of requests whose bodies aren't needed, or never arrive."""


@pytest.fixture(scope="module", params=KINDS)
def hasty(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A server that gives a request one second to arrive."""
    with ServerProcess("--server", request.param, "--request-timeout", "1") as running:
        yield running


def head(method: str, path: str, headers: dict[str, str], framing: str) -> bytes:
    given = {"host": "localhost", "content-type": PROTO} | headers
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), framing, "", ""]
    return "\r\n".join(lines).encode()


def assert_cut(ports: dict[str, int], requests: dict[str, tuple[str, str, dict[str, str]]]) -> None:
    """Send the head of each request and a part of its body; assert that the server closes the connection."""
    with ExitStack() as stack:
        hanging: dict[str, socket.socket] = {}
        for port, number in ports.items():
            for what, (method, path, headers) in requests.items():
                raw = stack.enter_context(socket.create_connection(("127.0.0.1", number)))
                raw.sendall(head(method, path, headers, "content-length: 99") + b"a")
                hanging[f"{what} on the {port}"] = raw
        for what, each in hanging.items():
            try:
                everything(each)
            except ConnectionResetError:
                continue
            except TimeoutError:
                pytest.fail(f"still open: {what}")


def test_a_body_that_stops_is_cut_whatever_becomes_of_it(hasty: ServerProcess) -> None:
    """A connection whose request never becomes whole is closed, also where its answer needs no body; console, too."""
    assert_cut({"API": hasty.port, "console": hasty.console_port}, UNREAD)
    eventually(lambda: answered(hasty), "no other client is answered")


def test_a_body_that_stops_with_credentials_asked_for(kind: str) -> None:
    """So is one without credentials, where a plane asks for them, and one to an endpoint of its OAuth server."""
    paths = ("token", "authorize", "login", "device", "device_authorization", "revoke", "nothing")
    form = {"content-type": "application/x-www-form-urlencoded"}
    endpoints = {path: ("POST", f"/oauth2/{path}", form) for path in paths}
    document = {"the document": ("GET", "/.well-known/oauth-authorization-server", form)}
    with ServerProcess("--server", kind, "--request-timeout", "1", "--auth", "demo") as server:
        assert_cut({"API": server.port}, UNREAD | endpoints | document)


def test_a_body_that_stops_over_http_2(hasty: ServerProcess) -> None:
    """Over HTTP/2 the stream of such a request is reset, or ends with the answer, and its connection goes on."""
    for port in (hasty.port, hasty.console_port):
        with RawHttp2(port) as raw:
            numbers: dict[str, int] = {}
            for what, (method, path, given) in UNREAD.items():
                headers = {name: value for name, value in given.items() if name not in ("connection", "upgrade")}
                host = headers.pop("host", "localhost")
                kind = headers.pop("content-type", PROTO)
                fields = {":method": method, ":scheme": "http", ":authority": host, ":path": path}
                numbers[what] = raw.opened([*(fields | {"content-type": kind} | headers).items()])
                raw.send(numbers[what], b"a", end=False)
            for what, number in numbers.items():
                answer = raw.answer(number)
                assert not raw.closed and (answer.ended or answer.reset is not None), what
    eventually(lambda: answered(hasty), "no other client is answered")


def test_a_body_that_dribbles_is_cut(hasty: ServerProcess) -> None:
    """Chunks of one byte, one after the other, keep no request open, whatever it is."""
    with ExitStack() as stack:
        dribbling: dict[str, socket.socket] = {}
        for what, (method, path, headers) in UNREAD.items():
            each = dribbling[what] = stack.enter_context(socket.create_connection(("127.0.0.1", hasty.port)))
            each.settimeout(0.01)
            each.sendall(head(method, path, headers, "transfer-encoding: chunked"))
        until = time.monotonic() + CUT_SECONDS
        while dribbling and time.monotonic() < until:
            for what, each in list(dribbling.items()):
                try:
                    each.sendall(b"1\r\na\r\n")
                    if each.recv(65_536) == b"":
                        del dribbling[what]
                except TimeoutError:
                    continue
                except OSError:
                    del dribbling[what]
        assert not dribbling, f"still open: {list(dribbling)}"
    eventually(lambda: answered(hasty), "no other client is answered")


# ---- reflection


def reflection(name: str = "flyteidl2.app.AppService") -> bytes:
    return reflection_pb2.ServerReflectionRequest(file_containing_symbol=name).SerializeToString()


def test_reflection_answers_one_by_one() -> None:
    """Requests on one stream are answered as they come, in frames that arrive in any parts; in JSON, too."""

    async def run() -> None:
        async with calling() as caller:
            body = frame(reflection()) + frame(reflection("no.such"))
            for kind in (GRPC, WEB, CONNECT_STREAM):
                events = await caller.send(REFLECTION, [bytes((byte,)) for byte in body], [("content-type", kind)])
                assert caller.lines[-1].code == "OK"
                bodies = [event["body"] for event in events if event["type"] == "http.response.body"]
                found = reflection_pb2.ServerReflectionResponse.FromString(bodies[0][5:])
                assert len(found.file_descriptor_response.file_descriptor_proto) > 0
                assert reflection_pb2.ServerReflectionResponse.FromString(bodies[1][5:]).error_response.error_code == 5
            events = await caller.send(
                REFLECTION, frame(b'{"listServices":"*"}'), [("content-type", "application/connect+json")]
            )
            assert "flyteidl2.app.AppService" in str(events)

    asyncio.run(run())


async def _codes_of_reflection(caller: Caller, body: bytes, **options: Any) -> set[str]:
    return {
        await caller.code(REFLECTION, body, [("content-type", kind)], **options) for kind in (GRPC, WEB, CONNECT_STREAM)
    }


def test_reflection_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that announces 4 GiB is refused by its head; so are too many requests; one that doesn't end is cut."""
    monkeypatch.setattr(duplex, "MAX_MESSAGES", 3)

    async def run() -> None:
        async with calling(request_seconds=1.0) as caller:
            announced = b"\0" + (2**32 - 1).to_bytes(4, "big") + bytes(1024)
            assert await _codes_of_reflection(caller, announced, ends=False) == {"RESOURCE_EXHAUSTED"}
            assert await _codes_of_reflection(caller, frame(reflection()) * 4) == {"RESOURCE_EXHAUSTED"}
            assert await _codes_of_reflection(caller, frame(reflection())[:-1]) == {"INVALID_ARGUMENT"}
            kind = [("content-type", GRPC)]
            assert await caller.code(REFLECTION, frame(reflection()), kind, ends=False) == "DEADLINE_EXCEEDED"

    asyncio.run(run())


def test_a_frame_of_4_gib_to_reflection_is_refused_at_once(server: ServerProcess) -> None:
    """Over sockets: RESOURCE_EXHAUSTED comes while the body has hardly begun."""
    with RawHttp2(server.port) as raw:
        number = raw.request(REFLECTION, GRPC)
        raw.send(number, b"\0\xff\xff\xff\xff" + bytes(1024), end=False)
        assert raw.answer(number).grpc_status == "8"


# ---- codes


@pytest.mark.parametrize("flags", [1, 2, 0x51, 0x80, 0xFD])
@pytest.mark.parametrize("message", [b"", b"{}"])
def test_odd_flags_are_the_callers_mistake(flags: int, message: bytes) -> None:
    """A frame with flags that no request has, or compressed without saying how, is INVALID_ARGUMENT everywhere."""
    kinds = ["application/grpc", "application/grpc-web", "application/grpc+json", "application/grpc-web+json"]
    streams = [*kinds, "application/connect+proto", "application/connect+json", "Application/Connect+JSON"]

    async def run() -> None:
        async with calling() as caller:
            for path, allowed in ((GET, kinds), (WATCH, streams), (REFLECTION, streams[:-1])):
                for kind in allowed:
                    code = await caller.code(path, frame(message, flags), [("content-type", kind)])
                    assert code == "INVALID_ARGUMENT", f"{path} as {kind}"

    asyncio.run(run())


def test_an_unknown_compression_of_a_stream() -> None:
    """A compressed frame whose header names another compression than gzip is UNIMPLEMENTED, as a unary call's is."""

    async def run() -> None:
        async with calling() as caller:
            for kind, name in (
                (CONNECT_STREAM, "connect-content-encoding"),
                (GRPC, "grpc-encoding"),
                (WEB, "grpc-encoding"),
            ):
                headers = [("content-type", kind), (name, "klingon")]
                assert await caller.code(WATCH, frame(b"x", 1), headers) == "UNIMPLEMENTED"

    asyncio.run(run())


@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}, {"grpc-encoding": "klingon"}])
def test_a_head_of_a_call_has_no_body(headers: dict[str, str]) -> None:
    """HEAD of a method, or of none, is answered without a body in every protocol."""

    async def run() -> None:
        async with calling() as caller:
            for path in (GET, WATCH, REFLECTION, "/no.such.Service/Get"):
                for kind in (PROTO, JSON, GRPC, WEB, CONNECT_STREAM):
                    given = [("content-type", kind), *headers.items()]
                    events = await caller.send(path, frame(b"x", 1), given, method="HEAD")
                    assert events[0]["status"] in (403, 404, 405, 501), (path, kind, events)
                    assert b"".join(event.get("body", b"") for event in events) == b"", (path, kind)

    asyncio.run(run())


# ---- access lines


def test_access_lines_are_short() -> None:
    """Paths, names and request ids of any length leave a line of bounded length."""

    async def run() -> None:
        async with calling() as caller:
            long = "x" * 50_000
            await caller.send(f"/a.B/{long}", b"", [("content-type", PROTO), ("x-request-id", long)])
            request = payload.GetRequest(app_id=identifier(long)).SerializeToString()
            await caller.send(GET, request, [("content-type", PROTO)])
            for line in caller.lines:
                assert len(line.method) + len(line.app) + len(line.request_id) < 300

    asyncio.run(run())
