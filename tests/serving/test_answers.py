"""Every answer, whatever its request: no browser guesses its type, and a flag that no header explains is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.console.pages import pages
from flyteapps_fake.http.access.host_policy import HostPolicy

from .asgi_calls import calling
from .messages import create, get
from .server_process import HTTP, ServerProcess
from .test_attack import REFLECTION
from .test_edges import CREATE, GET, GRPC, JSON, PROTO, WATCH, WEB, frame

LOGS = "/flyteidl2.app.AppLogsService/TailLogs"
STREAM = "application/connect+proto"
FLAGS = {"the flag alone": "0100000000", "the flag and a byte": "0100000001aa", "all flags": "ff00000000"}
FRAMED = [
    *(GRPC, "application/grpc+proto", "application/grpc+json"),
    *("application/grpc-web", WEB, "application/grpc-web+json"),
]
STREAMS = [*FRAMED, STREAM, "application/connect+json"]


@pytest.mark.parametrize("body", FLAGS.values(), ids=FLAGS)
def test_a_flag_without_an_encoding(body: str) -> None:
    """A compressed message whose headers name no encoding is the caller's mistake, in every protocol and method."""

    async def run() -> None:
        async with calling() as caller:
            reflection = (REFLECTION, REFLECTION.replace(".v1.", ".v1alpha."))
            unary = (GET, CREATE, "/grpc.health.v1.Health/Check", "/flyteidl2.project.ProjectService/ListProjects")
            streams = (WATCH, LOGS, "/grpc.health.v1.Health/Watch")
            for paths, kinds in ((unary, FRAMED), (streams, STREAMS), (reflection, STREAMS)):
                for path in paths:
                    for kind in kinds:
                        for encoding in ([], [("grpc-encoding", "identity"), ("connect-content-encoding", "identity")]):
                            code = await caller.code(path, bytes.fromhex(body), [("content-type", kind), *encoding])
                            assert code == "INVALID_ARGUMENT", (path, kind, encoding)

    asyncio.run(run())


def sniffed(events: list[Any]) -> bool:
    """Return whether a browser may guess the type of an answer."""
    return (b"x-content-type-options", b"nosniff") not in events[0]["headers"]


def test_no_answer_is_sniffed() -> None:
    """Answers, refusals, streams, pages and preflights forbid browsers to guess their type."""
    message, own = get("none").SerializeToString(), ("origin", "http://localhost")

    async def run() -> None:
        async with calling(page=pages) as caller:
            caller.plane.stub().create(create("a"))
            found = get("a").SerializeToString()
            requests: list[tuple[str, str, bytes, list[tuple[str, str]]]] = [
                *(("POST", GET, body, [("content-type", PROTO)]) for body in (message, found)),
                *(("POST", GET, frame(body), [("content-type", kind)]) for body in (message, found) for kind in FRAMED),
                *(("POST", WATCH, frame(b"x"), [("content-type", kind)]) for kind in STREAMS),
                *(("POST", REFLECTION, frame(b""), [("content-type", kind)]) for kind in STREAMS),
                ("POST", GET, b"{}", [("content-type", JSON)]),
                ("POST", GET, b"", [("content-type", "text/plain")]),
                ("POST", GET, b"", [("content-type", PROTO), ("host", "evil.example")]),
                ("GET", GET, b"", []),
                ("HEAD", GET, b"", []),
                ("OPTIONS", GET, b"", [own, ("access-control-request-method", "POST")]),
                ("PUT", "/_flyteapps/uploads/x", b"", []),
                ("POST", "/no.such.Service/Get", b"", [("content-type", PROTO)]),
                *(("GET", path, b"", []) for path in ("/", "/healthz", "/metrics", "/none", "/apps/none/")),
            ]
            for method, path, body, headers in requests:
                events = await caller.send(path, body, headers, method=method)
                assert not sniffed(events), (method, path, headers)
            caller.plane.faults.answer("Get", status=503, body=b"busy")
            assert not sniffed(await caller.send(GET, message, [("content-type", PROTO)]))

    asyncio.run(run())


def test_a_stream_is_not_sniffed() -> None:
    """A stream that sends messages forbids it, too, in each protocol."""

    async def run() -> None:
        async with calling() as caller:
            for kind in STREAMS:
                headers = [("content-type", kind), ("grpc-timeout", "1m"), ("connect-timeout-ms", "1")]
                events = await caller.send(WATCH, frame(b"{}" if "json" in kind else b""), headers)
                assert not sniffed(events), kind

    asyncio.run(run())


def test_answers_over_sockets(server: ServerProcess) -> None:
    """Both servers send the header with answers, refusals and pages, on the console's port, too."""
    for port, path in ((server.port, "/healthz"), (server.console_port, "/healthz"), (server.port, "/none")):
        assert HTTP.get(f"http://127.0.0.1:{port}{path}").headers["x-content-type-options"] == "nosniff"
    answer = HTTP.post(server.url + GET, content=get("none").SerializeToString(), headers={"content-type": PROTO})
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_exposed_server_refuses_what_is_no_host() -> None:
    """A server for other machines answers for every name, and for nothing that clients read in two ways."""

    async def run() -> None:
        async with calling(host_policy=HostPolicy("0.0.0.0")) as caller:
            message = get("none").SerializeToString()
            for host, code in (("box.example", "NOT_FOUND"), ("[localhost]evil.example", "PERMISSION_DENIED")):
                for _ in range(2):
                    assert await caller.code(GET, message, [("content-type", PROTO), ("host", host)]) == code

    asyncio.run(run())


def test_the_servers_own_host_below_the_base_domain() -> None:
    """A server whose host is below the base domain of apps answers there for itself, and for apps beside it."""

    async def run() -> None:
        async with calling(page=pages) as caller:
            for host, seen in (("www.apps.localhost", b"SERVING"), ("a.apps.localhost", b"No app is at")):
                events = await caller.send("/healthz", b"", [("host", host)], method="GET")
                assert seen in events[1]["body"], (host, events)

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(f"{calling.__module__}.FakeControlPlane", _own_below)
        asyncio.run(run())


def _own_below(**settings: Any) -> FakeControlPlane:
    return FakeControlPlane(ingress_host="www.apps.localhost", **settings)
