"""The client can be observed: its name, hooks, spans, and messages at DEBUG."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import Any

import pytest
from connectrpc.code import Code as WireCode
from connectrpc.errors import ConnectError

import flyteapps
from client.authority import SCOPE, Authority, plane_of
from client.conftest import QUICK, WIRES, Run, client_of
from client.scripted import END, created, deleted, scripted, state
from flyteapps import App, Attempt, Client, Code
from flyteapps.errors import Error
from flyteapps.testing import Call, MockServer, MockTransport
from flyteapps_fake import FakeControlPlane

dialect = "standard"


@pytest.mark.parametrize("wire", WIRES)
def test_the_client_names_itself(wire: str) -> None:
    """The header user-agent begins with its name and version, on each wire."""
    with FakeControlPlane() as plane, client_of(plane, wire, retries=1) as client:
        plane.faults.fail("Get", code="DATA_LOSS", headers={"user-agent": f"flyteapps/{flyteapps.__version__}*"})
        for call in (lambda: client.apps.get("hello"), lambda: asyncio.run(client.apps.get.aio("hello"))):
            with pytest.raises(Error) as caught:
                call()
            assert caught.value.code is Code.DATA_LOSS


def test_a_name_of_the_caller_wins() -> None:
    """A header user-agent is sent as it is given."""
    seen: list[str] = []

    def answer(call: Call) -> Any:
        seen.append(call.headers["user-agent"])
        return ConnectError(WireCode.NOT_FOUND, "no")

    with MockServer(answer) as server:
        client = Client(server.url, headers={"User-Agent": "mine"}, **SCOPE)
        with pytest.raises(Error):
            client.apps.get("hello")
        client.close()
    assert seen == ["mine"]


def test_hooks_see_each_attempt() -> None:
    """Retries too, with one request id; blocking and awaiting."""
    answers = iter([ConnectError(WireCode.UNAVAILABLE, "no"), None] * 2)

    def answer(call: Call) -> Any:
        refused = next(answers)
        if refused is not None:
            return refused
        response = call.method.output()
        response.app.metadata.id.CopyFrom(call.request.app_id)
        return response

    requests: list[Attempt] = []
    responses: list[Attempt] = []
    client = Client(
        transport=MockTransport(answer),
        on_request=requests.append,
        on_response=responses.append,
        retries=QUICK,
        **SCOPE,
    )
    client.apps.get("hello")
    asyncio.run(client.apps.get.aio("hello"))
    assert [each.code for each in responses] == [Code.UNAVAILABLE, Code.OK] * 2
    assert [each.code for each in requests] == [None] * 4
    assert len({each.request_id for each in requests}) == 2
    assert {(each.rpc, each.app, each.endpoint) for each in responses} == {
        ("Get", "demo/development/hello", "in process")
    }
    assert all(each.seconds > 0 for each in responses)


@pytest.mark.parametrize("awaiting", [False, True])
def test_hooks_see_streams(awaiting: bool) -> None:
    """The response of a stream is its end, by the plane, an error, or the client."""
    app = state()
    transport = scripted(
        {"Get": lambda _: ConnectError(WireCode.NOT_FOUND, "no")},
        [created(app), END],
        [created(app), ConnectError(WireCode.UNAVAILABLE, "gone")],
        [created(app), deleted(app)],
    )
    seen: list[Attempt] = []
    client = Client(transport=transport, on_response=seen.append, retries=QUICK, **SCOPE)
    handle = App(app, client)
    assert len(Run(awaiting).items(handle.events, most=1, timeout=60)) == 1
    assert [(each.rpc, each.streaming, each.code) for each in seen][:3] == [
        ("Watch", True, Code.OK),
        ("Watch", True, Code.UNAVAILABLE),
        ("Watch", True, Code.OK),
    ]


def test_a_hook_is_a_function() -> None:
    """Anything else is refused when the client is made."""
    for name in ("on_request", "on_response"):
        options: dict[str, Any] = {name: 3}
        with pytest.raises(flyteapps.ConfigError, match=f"{name}=3 should be a function"):
            Client("http://127.0.0.1:1", **options)


def test_a_hook_may_raise() -> None:
    """Its error is the caller's."""

    def fails(attempt: Attempt) -> None:
        raise ZeroDivisionError

    client = Client(transport=MockTransport(lambda call: None), on_request=fails, **SCOPE)
    with pytest.raises(ZeroDivisionError):
        client.apps.get("hello")


def test_the_log_has_each_attempt(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, with the request's id, and the pause before the next."""
    transport = MockTransport(lambda call: ConnectError(WireCode.UNAVAILABLE, "no"))
    client = Client(transport=transport, retries=flyteapps.Retries(attempts=2, initial=0.001, maximum=0.01), **SCOPE)
    with caplog.at_level(logging.DEBUG, "flyteapps"), pytest.raises(Error) as caught:
        client.apps.get("hello")
    assert f"in process: Get, attempt 1, request {caught.value.request_id}" in caplog.text
    assert "Get again in 0.0" in caplog.text and "attempt 2" in caplog.text


SPANS = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteapps import Client
from flyteapps.testing import MockTransport

seen = []

def answer(call):
    seen.append(call.headers["traceparent"])
    return ConnectError(Code.NOT_FOUND, "no")

client = Client(transport=MockTransport(answer), project="p", domain="d")
with trace.get_tracer("t").start_as_current_span("outer") as outer:
    try:
        client.apps.get("hello")
    except LookupError:
        pass
inner = exporter.get_finished_spans()[0]
assert inner.name == "flyteidl2.app.AppService/Get" and inner.kind is trace.SpanKind.CLIENT
assert inner.parent.span_id == outer.get_span_context().span_id
assert inner.attributes["rpc.grpc.status_code"] == 5 and inner.attributes["flyteapps.app"] == "p/d/hello"
assert not inner.status.is_ok and f"{inner.context.span_id:016x}" in seen[0]
"""


def test_opentelemetry_has_a_span_for_each_attempt() -> None:
    """With the caller's span as its parent, and its context in the headers; in a process that has loaded it."""
    pytest.importorskip("opentelemetry.sdk")
    done = subprocess.run([sys.executable, "-c", SPANS], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


BARE = """
from opentelemetry import trace
from flyteapps import Client
from flyteapps.testing import MockTransport

transport = MockTransport(lambda call: None)
client = Client(transport=transport, project="p", domain="d")
assert client._observed() is transport
"""


def test_the_api_of_opentelemetry_alone_costs_nothing() -> None:
    """Many libraries import it; without a tracer provider nothing would record the spans."""
    pytest.importorskip("opentelemetry")
    done = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


def test_a_repetition_for_credentials_is_an_attempt() -> None:
    """Hooks see the refused call, and the repeated one."""
    with Authority() as authority:
        seen: list[Attempt] = []
        client = Client(transport=plane_of(authority), auth=lambda: "stale", on_response=seen.append, **SCOPE)
        with pytest.raises(Error):
            client.apps.get("hello")
    assert [each.code for each in seen] == [Code.UNAUTHENTICATED] * 2
