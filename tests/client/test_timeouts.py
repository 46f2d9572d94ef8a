"""Timeouts of any size, what is no timeout at all, and a plane that says when to come again."""

from __future__ import annotations

import datetime
import email.utils
import math
import re
import sys
import time
from decimal import Decimal
from typing import Any

import pytest
from connectrpc.code import Code as WireCode
from connectrpc.errors import ConnectError, pack_any
from flyteidl2.app import app_definition_pb2 as definition
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo

from flyteapps import App, Client, ConfigError, InvalidArgument, Overloaded, ProtocolError, Retries, Unavailable, Waits
from flyteapps.flows.calls import MAX_PAUSE_SECONDS
from flyteapps.flows.methods import GET
from flyteapps.flows.operations import Unary
from flyteapps.settings import Settings
from flyteapps.testing import Call, MockTransport
from flyteapps.transports.errors import error_of
from flyteapps_fake.control_plane import FakeControlPlane

from . import servers
from .conftest import SCOPE, TRANSPORTS, Run, client_of
from .messages import app
from .test_retries import failing

HUGE = (365 * 86_400, sys.maxsize, 1e300, 10**10, math.inf, 10**400)
NONSENSE = ("30", b"30", True, math.nan, -1, -math.inf, datetime.timedelta(seconds=30), [30], {})


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_huge_timeout(transport: str, run: Run) -> None:
    """Calls and waits work with it, over every transport."""
    with FakeControlPlane() as plane:
        for seconds in HUGE:
            with client_of(plane, transport, timeout=seconds) as client:
                made = run(client.apps.create, app("hello"))
                assert run(made.watch, timeout=seconds).is_active()
                assert run(client.apps.get, "hello").name == "hello"


def test_what_is_sent_is_a_header_that_any_plane_takes() -> None:
    """Ten digits at most, as the protocol of Connect has it."""
    heads: list[bytes] = []

    def behave(connection: Any) -> None:
        heads.append(connection.recv(65_536))
        connection.sendall(servers.http("404 Not Found", "application/json", b'{"code":"not_found","message":"no"}'))

    with servers.listening(behave) as port:
        for seconds in HUGE:
            with (
                Client(f"http://127.0.0.1:{port}", timeout=seconds, retries=1, **SCOPE) as client,
                pytest.raises(LookupError),
            ):
                client.apps.get("hello")
    for head in heads:
        sent = re.findall(rb"connect-timeout-ms: (\d+)\r\n", head)
        assert all(len(each) <= 10 for each in sent)


@pytest.mark.parametrize("value", [*NONSENSE, 0], ids=repr)
@pytest.mark.parametrize("where", ["Client", "Waits.timeout", "Waits.settle", "Waits.poll", "Waits.stall"])
def test_what_is_no_timeout_of_a_client(where: str, value: Any) -> None:
    """A ConfigError with the setting, the value, and what it should be."""
    kind, _, field = where.partition(".")
    with pytest.raises(ConfigError) as caught:
        Client("localhost:8090", timeout=value) if kind == "Client" else Waits(**{field: value})
    assert f"{field or 'timeout'}={value!r} should be a number of seconds above 0" in caught.value.message


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
def test_what_is_no_timeout_of_a_wait(value: Any, run: Run) -> None:
    """An InvalidArgument before anything is written, for each method that takes one."""
    with FakeControlPlane() as plane:
        client = client_of(plane, "direct")
        handle = client.apps.create(app("hello")).watch()
        before = client.apps.get("hello").revision

        def none() -> None:
            raise AssertionError("the context was entered")

        calls = (
            lambda: run(handle.watch, timeout=value),
            lambda: run(handle.activate, wait=True, timeout=value),
            lambda: run(handle.deactivate, timeout=value),
            lambda: run.items(handle.events, timeout=value),
            lambda: run.within(
                lambda: handle.ephemeral_ctx_sync(timeout=value), lambda: handle.ephemeral_ctx(timeout=value), none
            ),
        )
        for call in calls:
            with pytest.raises(InvalidArgument, match="0 or more, or None"):
                call()
        assert client.apps.get("hello").revision == before


@pytest.mark.parametrize("value", [1, 0.5, Decimal("2.5"), None], ids=repr)
def test_what_is_a_timeout(value: Any) -> None:
    """Any number; None and infinity for no limit."""
    assert Client("localhost:8090", timeout=value).settings.timeout == (None if value is None else float(value))
    assert Client("localhost:8090", timeout=math.inf).settings.timeout is None


@pytest.mark.parametrize(
    "options",
    [{"retries": "3"}, {"retries": True}, {"retries": 2.0}, {"waits": 30}, {"retries": datetime.timedelta(1)}],
    ids=repr,
)
def test_retries_and_waits_of_another_type(options: dict[str, Any]) -> None:
    """A ConfigError, too, when the client is made."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        Client("localhost:8090", **options)


@pytest.mark.parametrize("options", [{"initial": "1"}, {"maximum": True}, {"initial": math.nan}, {"attempts": 1.5}])
def test_retries_that_are_no_numbers(options: dict[str, Any]) -> None:
    """The error shows all three."""
    with pytest.raises(ConfigError, match="at least one attempt"):
        Retries(**options)


def put_off(seconds: float | None) -> Unavailable:
    """Return an error of a plane that says when to retry."""
    error = Unavailable("later")
    error.retry_after = seconds
    return error


def test_the_plane_says_when_to_call_again() -> None:
    """Never earlier than that; a longer pause of the client's own stands."""
    retries = Retries(attempts=3, initial=0.1, maximum=0.1)
    assert failing(Settings(retries=retries, timeout=60), put_off(7.0))[1] == [7.0, 7.0]
    assert max(failing(Settings(retries=retries, timeout=60), put_off(0.0))[1]) <= 0.1
    slow = Retries(attempts=50, initial=5, maximum=5, seed=1)
    assert max(failing(Settings(retries=slow, timeout=None), put_off(0.5))[1]) > 0.5


def test_a_pause_beyond_the_timeout_is_an_error_at_once() -> None:
    """Waiting would bring nothing; without a timeout the pause has a bound."""
    assert failing(Settings(timeout=5), put_off(7.0)) == ([5], [])
    retries = Retries(attempts=2)
    assert failing(Settings(retries=retries, timeout=None), put_off(1e9))[1] == [MAX_PAUSE_SECONDS]


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("form", ["seconds", "date", "nonsense"])
def test_the_header_retry_after(status: str, form: str, run: Run) -> None:
    """In seconds or as a date; it reaches the error, of a plane and of a proxy before it alike."""
    texts = {"seconds": "3600", "date": email.utils.formatdate(time.time() + 3_600, usegmt=True), "nonsense": "soon"}
    for kind, body in (("application/json", b'{"code":"unavailable","message":"busy"}'), ("text/html", b"busy")):
        answer = servers.http(status, kind, body, f"retry-after: {texts[form]}\r\n")
        with (
            servers.listening(servers.saying(answer)) as port,
            Client(f"http://127.0.0.1:{port}", timeout=20, **SCOPE) as client,
            pytest.raises((Unavailable, Overloaded)) as caught,
        ):
            run(client.apps.get, "hello")
        error = caught.value
        if form == "nonsense":
            assert error.retry_after is None
        else:
            assert error.retry_after is not None
            assert 3_000 < error.retry_after <= 3_600


def test_a_call_comes_again_after_the_pause(run: Run) -> None:
    """A short pause is kept, and the next attempt's answer counts."""
    answers = [
        servers.http("429 Too Many Requests", "application/json", b"{}", "retry-after: 1\r\n"),
        servers.http("404 Not Found", "application/json", b'{"code":"not_found","message":"a plane"}'),
    ]
    times: list[float] = []

    def behave(connection: Any) -> None:
        times.append(time.monotonic())
        servers.saying(answers[len(times) - 1])(connection)

    quick = Retries(attempts=2, initial=0, maximum=0)
    with (
        servers.listening(behave) as port,
        Client(f"http://127.0.0.1:{port}", timeout=20, retries=quick, **SCOPE) as client,
        pytest.raises(LookupError, match="a plane"),
    ):
        run(client.apps.get, "hello")
    assert times[1] - times[0] >= 1


def test_retry_info_of_grpc() -> None:
    """The detail google.rpc.RetryInfo counts as the header does."""
    info = pack_any(RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000)))
    wire = ConnectError(WireCode.UNAVAILABLE, "later", [info])
    assert error_of(wire, Unary(GET, GET.input(), None, {}), "http://plane").retry_after == 2.5


def mixed(plane: FakeControlPlane, name: str) -> MockTransport:
    """Return a transport whose responses are about another app, or none."""

    def answer(call: Call) -> Any:
        response = plane.transport().unary(call.method, call.request)
        if name:
            response.app.metadata.id.name = name
        else:
            response.ClearField("app")
        return response

    return MockTransport(answer)


@pytest.mark.parametrize("name", ["other", "Hello-", ""])
def test_an_answer_about_another_app(plane: FakeControlPlane, run: Run, name: str) -> None:
    """A ProtocolError, of reads and writes; a write may have been applied."""
    made = client_of(plane, "direct").apps.create(app("hello"))
    client = Client(transport=mixed(plane, name), **SCOPE)
    changed = definition.App()
    changed.CopyFrom(made.pb2)
    changed.spec.container.image = "example.org/hello:2"
    calls: list[tuple[Any, bool]] = [
        (lambda: run(client.apps.get, "hello"), False),
        (lambda: run(client.apps.update, changed, "test"), True),
        (lambda: run(client.apps.create, app("second")), True),
        (lambda: run(App(made.pb2, client).activate), False),
    ]
    for call, written in calls:
        with pytest.raises(ProtocolError, match="mix up responses") as caught:
            call()
        assert caught.value.maybe_applied is written
        assert caught.value.app.startswith("demo/development/")
