"""FaultyTransport: each effect of a rule on a client's call, blocking and awaiting, and what the rules count."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import Client, DeadlineExceeded, Error, Overloaded, PlaneError, ProtocolError, Unavailable
from flyteapps.flows.methods import GET, WATCH
from flyteapps.testing import Call, FaultyTransport, MockTransport, faults

from .conftest import SCOPE, Run
from .messages import app
from .scripted import state, updated

REQUEST = payload.GetRequest(app_id=definition.Identifier(project="demo", domain="development", name="hello"))
EVENTS = [updated(state(revision=number)) for number in range(1, 5)]


def answer(call: Call) -> Any:
    """Answer as a plane with one app, whose Watch ends after four events."""
    if call.streaming:
        return EVENTS
    return call.method.output(**({"app": state(revision=1)} if call.rpc != "Delete" else {}))


@pytest.fixture
def plane() -> MockTransport:
    """A plane that answers everything."""
    return MockTransport(answer)


def client_of(plane: MockTransport, *rules: faults.Fault, timeout: float | None = None, **headers: str) -> Client:
    """Return a client behind faults, without retries."""
    return Client(transport=FaultyTransport(plane, rules), retries=1, timeout=timeout, headers=headers, **SCOPE)


class TestCalls:
    """Effects on unary calls."""

    @pytest.mark.parametrize("applied", [False, True])
    @pytest.mark.parametrize(
        ("rule", "kind", "text"),
        [
            (partial(faults.fail, code="RESOURCE_EXHAUSTED", message="busy"), Overloaded, "busy"),
            (faults.reset, Unavailable, "Connection reset by peer"),
            (partial(faults.answer, status=503), Unavailable, "answered 503 Service Unavailable"),
            (partial(faults.answer, status=200, body="<html>"), ProtocolError, "is not a Flyte"),
            (partial(faults.answer, status=500), ProtocolError, "answered 500 Internal"),
        ],
        ids=["fail", "reset", "503", "html", "500"],
    )
    def test_a_call_ends_before_the_plane_or_after_it(
        self, plane: MockTransport, run: Run, rule: Callable[..., Any], kind: type[Error], text: str, applied: bool
    ) -> None:
        """The client raises what it makes of such an end over HTTP; with `applied` the plane was called once."""
        with pytest.raises(kind, match=text):
            run(client_of(plane, rule("Create", applied=applied)).apps.create, app())
        assert len(plane.calls) == applied

    def test_an_answer_in_the_connect_protocol_s_form_is_read(self, plane: MockTransport, run: Run) -> None:
        """A body with a code and a message is that error."""
        body = '{"code": "internal", "message": "oh"}'
        rule = faults.answer("Get", status=429, body=body, headers_sent={"content-type": "application/json"})
        with pytest.raises(PlaneError, match="oh"):
            run(client_of(plane, rule).apps.get, "hello")

    def test_retry_after_is_kept(self, plane: MockTransport, run: Run) -> None:
        """429 with Retry-After has the seconds on the client's error."""
        with pytest.raises(Unavailable) as caught:
            run(client_of(plane, faults.answer("Get", status=429, retry_after=7)).apps.get, "hello")
        assert caught.value.retry_after == 7

    def test_a_delay_ends_at_the_timeout(self, plane: MockTransport, run: Run) -> None:
        """A call that is delayed beyond its timeout is DEADLINE_EXCEEDED, and never made; a shorter delay is none."""
        with pytest.raises(DeadlineExceeded):
            run(client_of(plane, faults.delay("Get", seconds=3600), timeout=0.02).apps.get, "hello")
        assert not plane.calls
        assert run(client_of(plane, faults.delay("Get", seconds=0.02), timeout=60).apps.get, "hello").revision == 1
        assert plane.calls[0].timeout is not None and plane.calls[0].timeout <= 59.98

    def test_rules_select_count_and_draw(self, plane: MockTransport, run: Run) -> None:
        """By app, header and attempt; the same seed draws the same, and what had no effect is listed."""
        second = faults.fail("Get", code="UNAVAILABLE", app="hel*", nth=2)
        other = faults.fail("Get", code="UNAVAILABLE", app="other")
        header = faults.fail("Get", code="UNAVAILABLE", headers={"x_kind": "b*"})
        client = client_of(plane, second, other, header, X_Kind="a")
        run(client.apps.get, "hello")
        with pytest.raises(Unavailable):
            run(client.apps.get, "hello")
        transport: Any = client.transport
        assert [(rule.matched, rule.applied) for rule in transport.rules] == [(2, 1), (0, 0), (0, 0)]
        assert [rule.id for rule in transport.unapplied()] == ["f2", "f3"]
        assert [call.app for call in transport.calls] == ["hello", "hello"]
        transport.clear()
        assert (transport.rules, transport.calls) == ([], [])
        drawn = [_drawn(plane, seed) for seed in (1, 1, 2)]
        assert drawn[0] == drawn[1] != drawn[2]

    @pytest.mark.parametrize(
        ("rule", "text"),
        [
            (faults.stale("Get", age=1), "for the rules of a plane"),
            (faults.fail("Upload", code="UNAVAILABLE"), "no upload passes a client's transport"),
            (faults.fail("Get", code="UNAVAILABLE", caller="me"), "headers"),
            (faults.cut("Get", after=1), "for streams"),
            (faults.fail("Gte", code="UNAVAILABLE"), "did you mean Get"),
        ],
    )
    def test_a_rule_that_cannot_be_is_refused(self, plane: MockTransport, rule: faults.Fault, text: str) -> None:
        """ValueError with the reason, and none of the rules is added."""
        transport = FaultyTransport(plane)
        with pytest.raises(ValueError, match=text):
            transport.add(faults.reset("Get"), rule)
        assert transport.rules == []


def _drawn(plane: MockTransport, seed: int) -> list[bool]:
    transport = FaultyTransport(plane, [faults.fail("Get", code="UNAVAILABLE", probability=0.5)], seed)
    failed: list[bool] = []
    for _ in range(40):
        before = transport.rules[0].applied
        with contextlib.suppress(ConnectError):
            transport.unary(GET, REQUEST)
        failed.append(transport.rules[0].applied > before)
    return failed


def received(plane: MockTransport, run: Run, *rules: faults.Fault, timeout: float = 0.05) -> list[Any]:
    """Return the revisions that a Watch shows, and how it ends: a code's name, END, or SILENT."""
    transport = FaultyTransport(plane, rules)
    seen: list[Any] = []

    async def awaiting() -> None:
        stream = transport.async_stream(WATCH, payload.WatchRequest())
        try:
            while True:
                seen.append((await stream.receive(timeout)).update_event.updated_app.metadata.revision)
        finally:
            await stream.aclose()

    def blocking() -> None:
        stream = transport.stream(WATCH, payload.WatchRequest())
        try:
            while True:
                seen.append(stream.receive(timeout).update_event.updated_app.metadata.revision)
        finally:
            stream.close()

    try:
        asyncio.run(awaiting()) if run.awaiting else blocking()
    except ConnectError as error:
        seen.append(error.code.name)
    except EOFError:
        seen.append("END")
    except TimeoutError:
        seen.append("SILENT")
    return seen


class TestStreams:
    """Effects on streams."""

    @pytest.mark.parametrize(
        ("rules", "seen"),
        [
            ([], [1, 2, 3, 4, "END"]),
            ([faults.cut("Watch", after=2)], [1, 2, "UNAVAILABLE"]),
            ([faults.cut("Watch", after=0, code="")], ["END"]),
            ([faults.stall("Watch", after=1)], [1, "SILENT"]),
            ([faults.stall("Watch", after=1, seconds=0.01)], [1, 2, 3, 4, "END"]),
            ([faults.repeat("Watch", message=2)], [1, 2, 2, 3, 4, "END"]),
            ([faults.withhold("Watch", message=2)], [1, 3, 4, "END"]),
            ([faults.reorder("Watch", message=4), faults.reorder("Watch", message=1)], [2, 1, 3, 4, "END"]),
            ([faults.repeat("Watch", message=1), faults.cut("Watch", after=2)], [1, 1, "UNAVAILABLE"]),
            ([faults.delay("Watch", seconds=0.01)], [1, 2, 3, 4, "END"]),
            ([faults.delay("Watch", seconds=3600)], ["SILENT"]),
            ([faults.fail("Watch", code="INTERNAL")], ["INTERNAL"]),
            ([faults.fail("Watch", code="INTERNAL", applied=True)], ["INTERNAL"]),
        ],
    )
    def test_what_a_reader_sees(self, plane: MockTransport, run: Run, rules: list[faults.Fault], seen: Any) -> None:
        """The messages, in which order, and the end."""
        assert received(plane, run, *rules) == seen

    def test_closing_ends_a_read_in_another_thread(self, plane: MockTransport) -> None:
        """A stalled stream that is closed ends with EOFError, where it is read."""
        stream = FaultyTransport(plane, [faults.stall("Watch", after=0)]).stream(WATCH, payload.WatchRequest())
        closing = threading.Timer(0.02, stream.close)
        closing.start()
        with pytest.raises(EOFError):
            stream.receive()
        closing.join()


def test_a_stream_is_open_when_the_call_returns(run: Run) -> None:
    """As that of the other transport is: what happens before it is read is not missed."""
    opened: list[Call] = []
    plane = MockTransport(lambda call: opened.append(call) or EVENTS)
    transport = FaultyTransport(plane, [faults.delay("Watch", seconds=0.001, nth=2)])

    async def go() -> None:
        await transport.async_stream(WATCH, payload.WatchRequest()).aclose()

    asyncio.run(go()) if run.awaiting else transport.stream(WATCH, payload.WatchRequest()).close()
    assert len(opened) == 1
    transport.stream(WATCH, payload.WatchRequest()).close()
    assert len(opened) == 1, "a stream that is delayed"
