"""A wait on a manual clock that is not moved is reported after a second: who waits for what, and what to do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest
from flyteidl2.app.app_definition_pb2 import App, Identifier
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest, WatchRequest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.dialect import Notice
from flyteapps_fake.core.operations import CREATE, GET, WATCH
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.http.loop_driver import LoopDriver

IDENTIFIER = Identifier(project="p", domain="d", name="hello")


class Bench:
    """A plane on the manual clock whose real time is moved by hand, and its notices about the clock."""

    def __init__(self, dialect: str) -> None:
        self.real = 0.0
        self.plane = FakeControlPlane.of(Settings(dialect=dialect, clock="manual"), real=lambda: self.real)
        self.notices: list[Notice] = []
        self.plane.notify(self._receive)

    def _receive(self, notice: Notice) -> None:
        if "manual" in notice.message:
            self.notices.append(notice)

    def later(self, seconds: float) -> int:
        """Let real time pass, and return how many notices came; the plane looks no earlier than it asks for."""
        before, end = len(self.notices), self.real + seconds
        while (wait := self.plane.next_due()) is not None and self.real + wait <= end:
            self.real += wait
            self.plane.run_due()
        self.real = end
        self.plane.run_due()
        return len(self.notices) - before

    def create(self) -> None:
        app = App()
        app.metadata.id.CopyFrom(IDENTIFIER)
        app.spec.container.image = "image"
        self.plane.call(Call(CREATE, CreateRequest(app=app)))

    def watch(self) -> OpenStream:
        """Open a Watch, and read what is there."""
        stream = self.plane.open(Call(WATCH, WatchRequest(app_id=IDENTIFIER)))
        while stream.take() is not None:
            pass
        return stream


@pytest.fixture(params=["standard", "flyte-oss"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A plane of each dialect."""
    made = Bench(request.param)
    with made.plane:
        yield made


def test_a_watch_that_waits_is_reported_once(bench: Bench) -> None:
    """After a second, with what would end the wait; again after the clock was moved, and for a further client."""
    bench.create()
    assert bench.later(60) == 0
    stream = bench.watch()
    assert (bench.later(0.9), bench.later(0.1), bench.later(60)) == (0, 1, 0)
    message = bench.notices[0].message
    assert message.startswith("Watch of p/d/hello (by direct, since 2026-01-01 00:00:00.0")
    assert "waits for its next event: the " in message and "in 50ms" in message
    assert message.endswith("move it by plane.clock.advance() or `flyteapps control clock advance`")
    bench.plane.advance(0.001)
    assert (bench.later(0.9), bench.later(0.1), bench.later(60)) == (0, 1, 0)
    other = bench.watch()
    assert bench.later(1) == 1 and ", and 1 more. The plane's clock is manual" in bench.notices[-1].message
    stream.close()
    other.close()


def test_a_clock_that_is_moved_is_not_reported(bench: Bench) -> None:
    """Each move begins the second anew; an app at rest, and a stream that is closed, wait for no clock."""
    bench.create()
    stream = bench.watch()
    for _ in range(5):
        assert bench.later(0.9) == 0
        bench.plane.advance(0.001)
    bench.plane.advance(60)
    while stream.take() is not None:
        pass
    bench.plane.advance(3_600)
    while stream.take() is not None:
        pass
    assert bench.later(60) == 0
    stream.close()
    assert bench.later(60) == 0


def test_a_write_gives_a_watch_something_to_wait_for(bench: Bench) -> None:
    """A Watch that was open before is reported a second after the write."""
    if bench.plane.settings.dialect == "flyte-oss":
        pytest.skip("a Watch of an app that doesn't exist is refused there")
    stream = bench.watch()
    assert bench.later(60) == 0
    bench.create()
    while stream.take() is not None:
        pass
    assert (bench.later(0.9), bench.later(0.1)) == (0, 1)
    stream.close()


def test_a_delayed_call_is_reported(bench: Bench) -> None:
    """A call that a fault delays waits for the plane's time, too."""
    bench.create()
    bench.plane.faults.delay("Get", seconds=30)
    with pytest.raises(Postponed) as delayed:
        bench.plane.call(Call(GET, GetRequest(app_id=IDENTIFIER)))
    bench.real += 1
    assert delayed.value.left() is None
    assert bench.notices[0].message.startswith("Get of p/d/hello (by direct, since ")
    delayed.value.abandon()


@pytest.mark.parametrize("clock", ["auto", "realtime"])
def test_other_clocks_are_not_reported(clock: str) -> None:
    """They move by themselves."""
    real, notices = 0.0, list[Notice]()
    settings = Settings(clock=clock)  # type: ignore[arg-type]  # one of the modes
    with FakeControlPlane.of(settings, real=lambda: real) as plane:
        plane.notify(notices.append)
        stream = plane.open(Call(WATCH, WatchRequest(org=plane.org)))
        real = 60.0
        plane.run_due()
        assert notices == []
        stream.close()


def test_in_process_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A plane without a terminal logs it, while a client of it blocks."""
    bench = Bench("standard")
    with FakeControlPlane.of(Settings(clock="manual"), real=lambda: bench.real) as plane:
        app = App()
        app.metadata.id.CopyFrom(IDENTIFIER)
        app.spec.container.image = "image"
        stub = plane.stub()
        stub.create(CreateRequest(app=app))
        stream = stub.watch(WatchRequest(app_id=IDENTIFIER))
        next(iter(stream))
        bench.real = 1.0
        with pytest.raises(TimeoutError), caplog.at_level(logging.WARNING, logger="flyteapps_fake"):
            stream.receive(timeout=0.01)  # type: ignore[attr-defined]  # of the transport in process
        stream.close()  # type: ignore[attr-defined]  # likewise
    [record] = caplog.records
    assert record.name == "flyteapps_fake" and record.getMessage().startswith("Watch of p/d/hello (by direct, since ")


def test_a_server_reports_it_by_its_loop(bench: Bench) -> None:
    """The driver of a server's clock looks on time, without a call that comes."""

    async def run() -> None:
        driver = LoopDriver(bench.plane)
        driver.start()
        bench.create()
        stream = bench.watch()
        bench.real = 1.0  # the loop has not looked yet, and finds that it is time
        while not bench.notices:
            await asyncio.sleep(0)
        stream.close()
        driver.stop()

    asyncio.run(asyncio.wait_for(run(), 60))
    assert len(bench.notices) == 1
