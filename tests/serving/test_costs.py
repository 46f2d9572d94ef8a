"""The cost of small requests that once held a server for seconds: CPU in proportion to their bytes, others go on.

CPU seconds are measured, so that a loaded machine changes nothing. Requests of all shapes are drawn in test_budget.py.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app.app_definition_pb2 import App, Spec
from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest
from flyteidl2.common.list_pb2 import Filter
from flyteidl2.project.project_service_pb2 import ListProjectsRequest
from google.protobuf.struct_pb2 import Value

from flyteapps_control.v1 import control_pb2 as control
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.auth import principal
from flyteapps_fake.core.protobuf import varint
from flyteapps_fake.standard import filters

from .asgi_calls import calling
from .expensive import allowed_seconds, field
from .messages import create, get
from .server_process import HTTP, ServerProcess
from .test_attack import by_get, crowd_in_json
from .test_edges import CREATE, GET, JSON, PROTO
from .usage import AnotherClient, Usage

pytestmark = pytest.mark.slow

LIST = f"{GET[:-3]}List"
CONTROL = "/flyteapps.control.v1.ControlService/"
LOOP_SECONDS = 1.0
"""CPU seconds of the process between two turns of the loop; another client's call needs a few turns.

A collection of all objects may fall among them, of which a process that has run thousands of tests has many.
"""
MIB = 1024 * 1024
BASE_BYTES = 48 * MIB
"""Bytes that a process may take besides: buffers of its allocator, its first use of a library."""
PROTO_ONLY = {"content-type": PROTO}
CROSS_SITE = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
"""The headers of a request for an image of another site's page."""


def digits(count: int) -> bytes:
    """Return a Create with a resource of so many digits and a letter, which is no quantity."""
    request = create("digits")
    request.app.spec.container.resources.limits.add(name=1, value="1" * count + "x")
    return request.SerializeToString()


# ---- one request


@pytest.mark.parametrize(("dialect", "code"), [("standard", "OK"), ("flyte-oss", "UNAVAILABLE")])
def test_a_quantity_of_a_million_digits(dialect: str, code: str) -> None:
    """It is found invalid in one pass: 32,000 digits once took 25 s, four times as long for twice as many."""

    async def run() -> None:
        async with calling(dialect) as caller:
            started = time.process_time()
            assert await caller.code(CREATE, digits(MIB), [("content-type", PROTO)]) == code
            assert time.process_time() - started < 5

    asyncio.run(run())


def test_the_filters_of_projects_are_parsed_in_one_pass() -> None:
    """A text of a thousand spaces costs no more than one of a thousand letters; spaces around values don't count."""

    async def run() -> None:
        async with calling() as caller:
            path = "/flyteidl2.project.ProjectService/ListProjects"
            started = time.process_time()
            for _ in range(20):
                request = ListProjectsRequest(filters="eq(a," + " " * 1_000 + "(").SerializeToString()
                assert await caller.code(path, request, [("content-type", PROTO)]) == "INVALID_ARGUMENT"
            assert time.process_time() - started < 3
            given = ListProjectsRequest(filters="value_in( id ,  other ; demo )").SerializeToString()
            events = await caller.send(path, given, [("content-type", PROTO)])
            assert b"demo" in events[-1]["body"]

    asyncio.run(run())


def test_many_filters_read_a_field_once_an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred filters of one field read and parse each app once, also where the total is counted."""
    read: list[App] = []
    subject = getattr(filters, "_subject")  # noqa: B009 - private

    def reading(app: App) -> str:
        read.append(app)
        return subject(app)

    monkeypatch.setattr(filters, "_subject", reading)
    with FakeControlPlane(clock="manual", org="flyte") as plane:
        stub = plane.stub()
        for number in range(10):
            stub.create(create(f"a{number}", stopped=True))
        request = payload.ListRequest(org="flyte", include_total_count=True)
        for _ in range(filters.MAX_FILTERS):
            request.request.filters.add(field="created_by", function=Filter.CONTAINS, values=["a"])
        assert stub.list(request).total_count == 10
    assert len(read) == 10


# ---- the control API


def rules(count: int, glob: str) -> bytes:
    """Return an AddFaults of so many rules, each with another glob of a thousand characters."""
    request = control.AddFaultsRequest()
    for number in range(count):
        rule = request.faults.add(rpc="Get")
        rule.fail.code = "UNAVAILABLE"
        rule.app.name = glob * (990 // len(glob)) + f"{number:04d}"
    return request.SerializeToString()


CONTROLLING: dict[str, Callable[[], tuple[str, bytes]]] = {
    "globs of stars": lambda: ("AddFaults", rules(1_000, "*a")),
    "globs of sets": lambda: ("AddFaults", rules(1_000, "[a-z]")),
    "YAML of 500,000 elements": lambda: (
        "AddScenarios",
        control.AddScenariosRequest(text=f"a: [{'b,' * 500_000}]").SerializeToString(),
    ),
}


@pytest.mark.parametrize("what", CONTROLLING)
def test_a_large_request_to_the_control_api_holds_up_no_other(what: str) -> None:
    """Another client's Get is answered all the while."""
    method, body = CONTROLLING[what]()

    async def run() -> None:
        async with calling(control=True) as caller:
            kind, message = [("content-type", PROTO)], get("none").SerializeToString()
            for path, first in ((GET, message), (CONTROL + method, b"")):  # what is loaded for the first one isn't its
                await caller.code(path, first, kind)
            large = asyncio.create_task(caller.send(CONTROL + method, body, kind))
            longest, answered = 0.0, 0
            while not large.done():
                before = time.process_time()
                await caller.send(GET, message, kind)
                await asyncio.sleep(0)
                longest, answered = max(longest, time.process_time() - before), answered + 1
            assert answered > 1
            assert longest <= LOOP_SECONDS, f"a Get took {longest:.2f} s of CPU"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        (
            "AddFaults",
            control.AddFaultsRequest(faults=[control.Fault(rpc="G" * MIB, fail=control.Fault.Fail(code="x"))]),
        ),
        (
            "AddFaults",
            control.AddFaultsRequest(faults=[control.Fault(rpc="*", fail=control.Fault.Fail(code="x" * MIB))]),
        ),
        ("ListCalls", control.ListCallsRequest(select=control.CallSelector(rpc="G" * MIB))),
        ("ListCalls", control.ListCallsRequest(select=control.CallSelector(code="x" * MIB))),
        (
            "ListCalls",
            control.ListCallsRequest(
                select=control.CallSelector(where={"labels" + ".a" * 500_000: Value(string_value="x")})
            ),
        ),
        ("UseScenario", control.UseScenarioRequest(scenario="x" * MIB)),
        ("DropStreams", control.DropStreamsRequest(code="x" * MIB)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_texts_of_the_control_api_have_an_end(method: str, request_: control.AddFaultsRequest) -> None:
    """A name, code or path of a megabyte is INVALID_ARGUMENT before it is compared with anything."""

    async def run() -> None:
        async with calling(control=True) as caller:
            started = time.process_time()
            events = await caller.send(CONTROL + method, request_.SerializeToString(), [("content-type", PROTO)])
            assert "invalid_argument" in str(events) and "1000" in str(events), events
            assert time.process_time() - started < 2

    asyncio.run(run())


def test_a_query_of_recorded_calls_converts_only_what_it_compares() -> None:
    """To look at one value of 50 recorded calls of 9,000 values each takes a moment; a test of them has an end."""
    with FakeControlPlane(clock="manual", org="flyte", call_log=100) as plane:
        request = create("x")
        for _ in range(9_000):
            request.app.spec.inputs.items.add()
        for _ in range(50):
            with pytest.raises(Exception, match="invalid"):
                plane.stub().create(request)
        started = time.process_time()
        assert plane.calls.list("Create", where={"spec.inputs.items.3.name": "x"}) == []
        assert len(plane.calls.list("Create", limit=1, where={"app.spec.inputs.items.3.name": ""})) == 1
        assert time.process_time() - started < 0.5
        with pytest.raises(Exception, match=r"4,194,304 characters with .* of these 50 calls: select fewer"):
            plane.calls.as_test()


def test_thousands_of_waits_are_explained_at_once() -> None:
    """1,500 watchers of apps that start, and 1,500 of others: once 12 s, and four times as long for twice as many."""
    with FakeControlPlane(clock="manual", org="flyte") as plane:
        stub = plane.stub()
        for number in range(3_000):
            stub.create(create(f"a{number}", stopped=number % 2 == 0))
        requests = [payload.WatchRequest(app_id=get(f"a{number}").app_id) for number in range(3_000)]
        streams: list[Any] = [stub.watch(request) for request in requests]
        for stream in streams:
            next(iter(stream))
        started = time.process_time()
        assert "a0" in str(plane.clock.why(app="a0"))
        assert len(plane.clock.why()) == 1_000
        assert time.process_time() - started < 2
        for stream in streams:
            stream.close()


# ---- memory


def test_the_visibility_of_a_long_project_is_not_remembered() -> None:
    """A project's name of a megabyte leaves nothing behind in the cache of projects that a caller may see."""
    rights = principal.Rights("viewer", (), ("open-*",))
    before = getattr(principal, "_remembered").cache_info().currsize  # noqa: B009 - private
    for number in range(10):
        assert rights.may_see(f"open-{number}-" + "x" * MIB)
        assert not rights.may_see(f"{number}" + "x" * MIB)
    assert getattr(principal, "_remembered").cache_info().currsize == before  # noqa: B009 - private


def test_unread_watches_of_all_apps_hold_no_copies() -> None:
    """300 Watches of ten apps of a megabyte, of which nothing is read, take no megabyte each in flyte-oss."""
    with FakeControlPlane(clock="manual", org="flyte", dialect="flyte-oss", kubernetes="none") as plane:
        for number in range(10):
            request = create(f"a{number}")
            request.app.spec.container.env.add(key="X", value="x" * MIB)
            plane.stub().create(request)
        tracemalloc.start()
        try:
            subscriptions: list[Any] = [plane.stub().watch(payload.WatchRequest()) for _ in range(300)]
            assert tracemalloc.get_traced_memory()[0] < 40 * MIB
        finally:
            tracemalloc.stop()
        assert next(iter(subscriptions[0])).create_event.app.metadata.id.name == "a0"
        for each in subscriptions:
            each.close()


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_tails_of_many_replicas_hold_no_lines(dialect: str) -> None:
    """Ten readers of the logs of a hundred replicas, whose image has a megabyte: once 134 MB each."""
    lenient = "none" if dialect == "flyte-oss" else None  # no cluster that bounds an image
    with FakeControlPlane(clock="manual", org="flyte", dialect=dialect, kubernetes=lenient) as plane:
        request = create("a")
        request.app.spec.container.image = "x" * MIB
        request.app.spec.autoscaling.replicas.min = request.app.spec.autoscaling.replicas.max = 100
        plane.stub().create(request)
        plane.advance(60)
        tracemalloc.start()
        try:
            streams: list[Any] = [
                plane.logs_stub().tail_logs(TailLogsRequest(app_id=get("a").app_id)) for _ in range(10)
            ]
            for stream in streams:
                assert len(next(stream).replicas.replicas) == 100
                assert next(stream).batches.logs
            assert tracemalloc.get_traced_memory()[1] < 40 * MIB
        finally:
            tracemalloc.stop()
        for stream in streams:
            stream.close()


def test_many_loads_are_cleared_in_one_pass() -> None:
    """500 loads of 500 apps: each app was once looked up for each load, and all of them sorted."""
    with FakeControlPlane(clock="manual", org="flyte") as plane:
        for number in range(500):
            plane.stub().create(create(f"a{number}"))
            plane.loads.set("1rps", app=f"b{number}")
        started = time.process_time()
        assert len(plane.loads.clear()) == 500
        assert time.process_time() - started < 0.5


# ---- over sockets


def bomb() -> bytes:
    """Return 256 MiB of zeros, compressed."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join(compressor.compress(bytes(MIB)) for _ in range(256)) + compressor.flush()


def inputs(count: int) -> bytes:
    """Return a Create with that many empty inputs, two bytes each."""
    request = create("crowd")
    request.app.ClearField("spec")
    element = b"\x0a\0" * count
    for number in (App.DESCRIPTOR.fields_by_name["spec"].number, Spec.DESCRIPTOR.fields_by_name["inputs"].number)[::-1]:
        element = field(number, element)
    return field(1, request.app.SerializeToString() + element)


def unknown_fields(size: int, number: int) -> bytes:
    """Return a Get with an unknown field of so many bytes, which end with a number."""
    return get("a0").SerializeToString() + b"\xfa\xd5\x07" + varint(size) + number.to_bytes(size, "big")


def many(kind: str, count: int) -> bytes:
    """Return a List with so many filters or sort keys."""
    request = payload.ListRequest(org="flyte")
    for _ in range(count):
        if kind == "filters":
            request.request.filters.add(field="name", function=Filter.CONTAINS, values=["x"])
        else:
            request.request.sort_by_fields.add(key="name")
    return request.SerializeToString()


Sent = tuple[str, str, bytes, dict[str, str]]
"""Method, path with its query, body, headers."""
ZIPPED = {"content-encoding": "gzip"}


def attacks() -> Iterator[tuple[str, int, Sent]]:
    """Yield requests that once took a server down or held it up: what it is, its status, and the request."""
    labels = json.dumps({"app": {"metadata": {"labels": {f"{number:x}": "" for number in range(300_000)}}}}).encode()
    text = json.dumps({"app": {"metadata": {"labels": {"a": '",' * 1_000_000}}}}).encode()
    filters_ = json.dumps({"request": {"filters": [{}] * 200_000}}).encode()
    proto, in_json = {"content-type": PROTO}, {"content-type": JSON}
    yield "600 bytes of zipped JSON", 429, ("POST", CREATE, gzip.compress(crowd_in_json(200_000)), in_json | ZIPPED)
    yield "1,300,000 empty inputs", 429, ("POST", CREATE, inputs(1_300_000), proto)
    yield "300,000 labels in JSON", 429, ("POST", CREATE, labels, in_json)
    yield "a text of quotes and commas", 400, ("POST", CREATE, text, in_json)
    yield "a zipped GET", 429, ("GET", f"{LIST}?{by_get(filters_, 'json')}", b"", {})
    yield "a GET of another site's page", 403, ("GET", f"{LIST}?{by_get(filters_, 'json')}", b"", CROSS_SITE)
    yield "200,000 gzip members", 400, ("POST", GET, gzip.compress(b"") * 200_000, proto | ZIPPED)
    yield "256 MiB in 1 MiB", 429, ("POST", GET, bomb(), proto | ZIPPED)
    yield "200,000 filters", 429, ("POST", LIST, many("filters", 200_000), proto)
    yield "100 filters", 200, ("POST", LIST, many("filters", 100), proto)
    yield "100,000 sort keys", 429, ("POST", LIST, many("sort keys", 100_000), proto)
    yield "a quantity of a million digits", 200, ("POST", CREATE, digits(MIB), proto)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_each_known_attack_costs_by_its_bytes(kind: str) -> None:
    """CPU and memory of the server's processes, and the CPU that they use until another client's Get is answered."""
    with ServerProcess("--server", kind, "--quiet") as server:
        usage = Usage(server)
        for number in range(100):
            send(server, ("POST", CREATE, create(f"a{number}", stopped=True).SerializeToString(), PROTO_ONLY))
        for content_type, first in ((PROTO, b""), (JSON, b"{}")):  # what is loaded for the first one isn't its cost
            send(server, ("POST", CREATE, gzip.compress(first), {"content-type": content_type} | ZIPPED))
        with AnotherClient(server, usage) as other:
            for what, status, sent in attacks():
                usage.forget_peak()
                memory, started, asked = usage.peak(), usage.seconds(), len(other.waits)
                assert send(server, sent) == status, what
                seconds = usage.seconds() - started - 0.01 * (len(other.waits) - asked + 1)
                size = len(sent[1]) + len(sent[2])
                assert seconds <= allowed_seconds(size) + 0.05, f"{seconds:.2f} s of CPU: {what}"
                grown = usage.peak() - memory
                assert grown <= BASE_BYTES + 10 * size, f"{grown:,} bytes of memory: {what}"
            usage.forget_peak()
            memory = usage.peak()
            for number in range(40):
                answer = send(server, ("POST", GET, unknown_fields(4 * MIB - 100, number), PROTO_ONLY))
                assert answer == 200
            grown = usage.peak() - memory
            assert grown <= BASE_BYTES + 10 * 4 * MIB, f"{grown:,} bytes of memory: repeated Gets of 4 MiB"
        assert max(other.waits) <= 1.0, f"a Get waited for {max(other.waits):.2f} s of CPU"


def send(server: ServerProcess, sent: Sent) -> int:
    """Send a request, and return the status of its answer."""
    method, path, body, headers = sent
    return HTTP.request(method, server.url + path, content=body, headers=headers, timeout=120).status_code
