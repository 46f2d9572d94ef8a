"""Writers of the dialect flyte-oss wait for the end of their writes: on each clock, however they call."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import grpc
import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.app.app_service_pb2_grpc import AppServiceStub
from import_graph import ROOT

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.operations import CREATE
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.grpc.server import GrpcServer

from .api import new_app
from .writing import CONFLICT, PRESENT, create, got, listed, plane_of, update


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane whose writes take 10 s."""
    with plane_of(call_log=1_000) as fresh:
        yield fresh


class TestClocks:
    """The time of a write is the plane's."""

    @pytest.mark.parametrize("speed", [1, 100])
    def test_realtime(self, speed: float) -> None:
        """It takes 5 ms of real time, unless a number is given; a plane that nothing drives is moved by its callers."""
        now = 0.0
        settings = Settings(dialect="flyte-oss", clock="realtime", speed=speed, report_seconds=1e6)
        with FakeControlPlane.of(settings, real=lambda: now) as plane:
            writing = create(plane)
            assert writing.postponed is not None
            assert writing.postponed.left() == pytest.approx(0.005, abs=1e-6)
            now = 0.0051
            assert writing.is_over and writing.outcome == "OK"

    @pytest.mark.parametrize("clock", ["auto", "manual"])
    def test_none_by_default(self, clock: Any) -> None:
        """Elsewhere a write is over at once."""
        with FakeControlPlane(dialect="flyte-oss", clock=clock) as plane:
            assert create(plane).postponed is None

    def test_auto(self) -> None:
        """A waiting call moves the time, once others have had a moment to come; they meet then."""
        with FakeControlPlane(dialect="flyte-oss", clock="auto", write_seconds=10, seed=3) as plane:
            before = plane.now_ns()
            writing = create(plane)
            assert writing.postponed is not None and writing.postponed.real_seconds > 0
            other = create(plane, "img:2")
            assert sorted((writing.outcome, other.outcome)) == [PRESENT, "OK"]
            assert plane.now_ns() - before == pytest.approx(10e9, abs=1e6)

    def test_a_write_that_ends_before_the_expiry_of_an_answer(self) -> None:
        """On the auto clock time goes to the expiry of a cached answer, past the end of a write that drops it."""
        now = 0.0
        settings = Settings(dialect="flyte-oss", clock="auto", write_seconds=1, report_seconds=1e6)
        with FakeControlPlane.of(settings, real=lambda: now) as plane:
            assert create(plane).outcome == "OK"
            got(plane)
            writing = update(plane, "img:2")
            for _ in range(10):
                now += 0.1  # the client that polls lets the answer expire
                got(plane)
            assert writing.outcome == "OK"
            assert got(plane).spec.container.image == "img:2"

    def test_an_operators_report_on_the_auto_clock(self) -> None:
        """A report that is due during the write is made, and met."""
        settings = Settings(dialect="flyte-oss", clock="auto", write_seconds=0.1, report_seconds=0.05)
        with FakeControlPlane.of(settings, real=lambda: 0.0) as plane:
            assert create(plane).outcome == "OK"
            assert update(plane, "img:2").outcome == CONFLICT

    @pytest.mark.parametrize(
        ("dialect", "seconds", "message"),
        [
            ("flyte-oss", -1, "from 0 to 60 seconds, not -1"),
            ("flyte-oss", 61, "from 0 to 60 seconds, not 61"),
            ("flyte-oss", float("nan"), "write_seconds"),
            ("standard", 0.1, "is for the dialect flyte-oss"),
        ],
    )
    def test_other_times(self, dialect: str, seconds: float, message: str) -> None:
        """A number that is no time of a write is refused, and so is one for a dialect whose writes never meet."""
        with pytest.raises(ValueError, match=message):
            Settings(dialect=dialect, write_seconds=seconds)


class TestCallers:
    """Callers wait for the end of their writes, however they call."""

    def test_threads(self, plane: FakeControlPlane) -> None:
        """Each thread is answered once the clock is there."""
        with ThreadPoolExecutor(4) as threads:
            calls = [threads.submit(code_of, plane.stub(), f"img:{number}") for number in range(4)]
            begun(plane, 4)
            plane.advance(10)
            assert sorted(each.result(60) for each in calls) == ["INTERNAL"] * 3 + ["OK"]

    async def test_tasks_of_one_loop(self, plane: FakeControlPlane) -> None:
        """Tasks wait without holding up their loop."""
        stub = plane.async_stub()

        async def tried(number: int) -> str:
            try:
                await stub.create(rpc.CreateRequest(app=new_app(image=f"img:{number}")))
            except ConnectError as error:
                return error.code.name
            return "OK"

        tasks = [asyncio.ensure_future(tried(number)) for number in range(4)]
        while len(plane.clock.why()) < 4:
            await asyncio.sleep(0)
        plane.advance(10)
        assert sorted(await asyncio.gather(*tasks)) == ["INTERNAL"] * 3 + ["OK"]

    def test_over_a_wire(self, plane: FakeControlPlane) -> None:
        """Over HTTP, too; a reset ends the waits with a refusal."""
        host = plane.serve().url.removeprefix("http://")
        with ThreadPoolExecutor(4) as threads:
            calls = [threads.submit(status_of, host, f"img:{number}") for number in range(4)]
            begun(plane, 4)
            plane.advance(10)
            assert sorted(each.result(60) for each in calls) == [200, 500, 500, 500]
            calls = [threads.submit(status_of, host, f"img:1{number}") for number in range(4)]
            begun(plane, 4)
            plane.reset()
            assert [each.result(60) for each in calls] == [503] * 4

    def test_over_a_wire_in_gzip(self, plane: FakeControlPlane) -> None:
        """The official stub compresses each request: its writes meet all the same."""
        url = plane.serve().url

        def tried(image: str) -> str:
            with AppServiceClientSync(url) as stub:
                return code_of(stub, image)

        with ThreadPoolExecutor(4) as threads:
            calls = [threads.submit(tried, f"img:{number}") for number in range(4)]
            begun(plane, 4)
            plane.advance(10)
            assert sorted(each.result(60) for each in calls) == ["INTERNAL"] * 3 + ["OK"]

    def test_over_grpc(self, plane: FakeControlPlane) -> None:
        """In grpcio's server each write holds a thread of its pool."""
        server = GrpcServer(plane.shared(), ["127.0.0.1"])
        try:
            with ThreadPoolExecutor(2) as threads, grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                make = AppServiceStub(channel).Create

                def tried(image: str) -> str:
                    try:
                        make(rpc.CreateRequest(app=new_app(image=image)), timeout=60)
                    except grpc.RpcError as error:
                        return error.code().name
                    return "OK"

                calls = [threads.submit(tried, image) for image in ("img:1", "img:2")]
                begun(plane, 2)
                plane.advance(10)
                assert sorted(each.result(60) for each in calls) == ["INTERNAL", "OK"]
        finally:
            server.close(60)

    def test_a_deadline_shorter_than_the_write(self, plane: FakeControlPlane) -> None:
        """The caller doesn't learn how the write ended; it was under way, and is made."""
        with pytest.raises(ConnectError) as refused:
            plane.stub().create(rpc.CreateRequest(app=new_app()), timeout_ms=20)
        assert refused.value.code.name == "DEADLINE_EXCEEDED"
        assert listed(plane) == []
        plane.advance(10)
        assert listed(plane) == ["img:1"]


def test_the_page_of_the_dialect() -> None:
    """The examples of docs/flyte-oss.md run as they stand, tests on the plane that their marker asks for."""
    page = (ROOT / "docs" / "flyte-oss.md").read_text("utf-8")
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        names: dict[str, Any] = {}
        exec(compile(block, "docs/flyte-oss.md", "exec"), names)
        for test in (names[name] for name in names if name.startswith("test_")):
            [marker] = test.pytestmark
            with FakeControlPlane(clock="auto", **marker.kwargs) as plane:
                test(plane)


def code_of(stub: AppServiceClientSync, image: str) -> str:
    """Create the app, and return the code of the answer."""
    try:
        stub.create(rpc.CreateRequest(app=new_app(image=image)), timeout_ms=60_000)
    except ConnectError as error:
        return error.code.name
    return "OK"


def status_of(host: str, image: str) -> int:
    """Create the app by a request over HTTP, and return the status of the response."""
    connection = HTTPConnection(host, timeout=60)
    try:
        body = rpc.CreateRequest(app=new_app(image=image)).SerializeToString()
        connection.request("POST", CREATE.path, body, {"content-type": "application/proto"})
        return connection.getresponse().status
    finally:
        connection.close()


def begun(plane: FakeControlPlane, number: int) -> None:
    """Wait until so many writes are under way."""
    until = time.monotonic() + 60
    while sum("the end of its write" in each.awaited for each in plane.clock.why()) < number:
        assert time.monotonic() < until, "the writes have not begun"
        time.sleep(0.002)
