"""A Get that no rule can be about takes a short way, in process and from the response cache; nothing is lost on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app.app_payload_pb2 import GetResponse

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.operations import GET
from flyteapps_fake.http.front import Front
from flyteapps_fake.http.options import FrontOptions

from .calls import create, get


def over_http(plane: FakeControlPlane) -> Callable[[str], int]:
    """Return a function that gets an app by the plane's front, without a socket, and returns the status of HTTP."""
    front = Front(plane, FrontOptions(server="hypercorn"))

    async def status_of(name: str) -> int:
        body = get(name).SerializeToString()
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": GET.path,
            "root_path": "",
            "query_string": b"",
            "headers": [(b"content-type", b"application/proto"), (b"host", b"localhost")],
            "client": ("127.0.0.1", 1),
            "extensions": {},
        }
        statuses: list[int] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(event: Any) -> None:
            if "status" in event:
                statuses.append(event["status"])

        await front(scope, receive, send)
        return statuses[0]

    return lambda name: asyncio.run(status_of(name))


def made(**settings: Any) -> FakeControlPlane:
    """Return a plane on the manual clock with an app and a log of calls."""
    wanted: dict[str, Any] = {"clock": "manual", "call_log": 1_000, **settings}
    plane = FakeControlPlane(**wanted)
    plane.stub().create(create())
    return plane


def test_a_repeated_read_over_http_is_recorded() -> None:
    """Each Get is recorded with its answer, its protocol and its time, also where a cache answers it."""
    with made() as plane:
        read = over_http(plane)
        for _ in range(3):
            assert read("demo") == 200
            plane.clock.advance(1)
        calls = plane.calls.list("Get", app="demo", code="OK")
        assert [each.number for each in calls] == [2, 3, 4]
        assert {each.protocol for each in calls} == {"connect"}
        answer = GetResponse()
        assert all(each.responses[0].Unpack(answer) and answer.app.metadata.id.name == "demo" for each in calls)
        assert calls[2].time.ToNanoseconds() - calls[1].time.ToNanoseconds() == 10**9


def test_rules_about_other_apps_leave_a_repeated_read_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle table costs the cache nothing: the plane isn't read again."""
    with made() as plane:
        read = over_http(plane)
        plane.faults.fail("Get", app="other", code="ABORTED")
        plane.faults.fail("Update", code="ABORTED")
        assert read("demo") == 200
        monkeypatch.setattr(FakeControlPlane, "read", None)
        assert read("demo") == 200
        plane.calls.verify("Get", times=2)


def test_a_rule_that_is_added_later_is_not_passed_by() -> None:
    """A rule about an app whose answer is cached gets each further call, and counts it."""
    with made() as plane:
        read = over_http(plane)
        assert [read("demo"), read("demo")] == [200, 200]
        plane.faults.fail("Get", app="demo", code="ABORTED", nth=2)
        assert [read("demo"), read("demo"), read("demo")] == [200, 409, 200]
        [rule] = plane.faults.list()
        assert (rule.matched, rule.applied) == (3, 1)


def test_a_rule_of_a_glob_is_not_passed_by() -> None:
    """So does a rule about many apps."""
    with made() as plane:
        read = over_http(plane)
        assert [read("demo"), read("demo")] == [200, 200]
        plane.faults.fail("Get", app="de*", code="ABORTED", nth=2)
        assert [read("demo"), read("demo"), read("demo")] == [200, 409, 200]


@pytest.mark.parametrize("rule", [{"app": "demo"}, {"app": "d?mo"}, {}])
@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_a_rule_gets_a_read_in_process(rule: dict[str, Any], dialect: str) -> None:
    """By name, by glob, or all: the call is refused and recorded with the rule."""
    with made(dialect=dialect) as plane:
        plane.faults.fail("Get", app="other", code="DATA_LOSS")
        added = plane.faults.fail("Get", code="ABORTED", **rule)
        with pytest.raises(ConnectError):
            plane.stub().get(get())
        [call] = plane.calls.list("Get")
        assert (call.code, list(call.faults)) == ("ABORTED", [added.id])


def test_reads_and_writes_are_in_order() -> None:
    """Numbers count both, and a read that was refused."""
    with made() as plane:
        stub = plane.stub()
        stub.get(get())
        with pytest.raises(ConnectError):
            stub.get(get("absent"))
        stub.create(create("second"))
        stub.get(get("second"))
        assert [(each.number, each.rpc.rpartition("/")[2], each.code) for each in plane.calls.list()] == [
            (1, "Create", "OK"),
            (2, "Get", "OK"),
            (3, "Get", "NOT_FOUND"),
            (4, "Create", "OK"),
            (5, "Get", "OK"),
        ]
        assert plane.calls.clear() == 5
        stub.get(get())
        assert [each.number for each in plane.calls.list()] == [6]


def test_the_oldest_of_reads_are_forgotten() -> None:
    """As those of other calls."""
    with made(call_log=3) as plane:
        for _ in range(4):
            plane.stub().get(get())
        assert [each.number for each in plane.calls.list()] == [3, 4, 5]
        assert (plane.count_calls(), plane.forgotten_calls()) == (3, 2)
        plane.calls.clear()
        assert (plane.count_calls(), plane.forgotten_calls()) == (0, 2)


def test_bytes_of_reads_are_bounded() -> None:
    """Reads of large apps are forgotten before the log holds more than its bytes."""
    from flyteapps_fake.control.call_log import MAX_BYTES

    with made() as plane:
        large = create("large")
        large.app.spec.container.args.append("x" * 1_000_000)
        plane.stub().create(large)
        for _ in range(80):
            plane.stub().get(get("large"))
        kept = plane.calls.list()
        assert 0 < sum(each.ByteSize() for each in kept) <= MAX_BYTES * 1.01
        assert kept[-1].number == 82


def test_a_listener_gets_each_call_that_is_over() -> None:
    """The file of calls has every Get, in order."""
    with made() as plane:
        heard: list[tuple[int, str]] = []
        plane.notify_of_calls(lambda record: heard.append((record.number, record.code)))
        plane.stub().get(get())
        over_http(plane)("demo")
        assert heard == [(2, "OK"), (3, "OK")]
