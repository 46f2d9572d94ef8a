"""Moves of the clock that fire many timers: in parts, with progress, and not to the end where they are interrupted."""

from __future__ import annotations

import asyncio
import datetime
import re
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from flyteapps.testing import connect_control
from flyteapps_control.api import ControlError
from flyteapps_control.clock import MAX_TIMERS
from flyteapps_control.selection import NO_APP
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli.control.clock import Report
from flyteapps_fake.cli.control.main import main
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE
from flyteapps_fake.core.time.moves import PART_TIMERS
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.http.front import Front
from flyteapps_fake.http.options import AccessLine, FrontOptions

from .calls import create

STEP = 1_000_000
"""Nanoseconds between two ticks."""
PATH = "/flyteapps.control.v1.ControlService/AdvanceClock"


class Ticking:
    """A plane of whose timers one is due each millisecond. `on_tick`: gets the number of each that fires."""

    def __init__(self) -> None:
        self.plane = FakeControlPlane(clock="manual")
        self.ticks = 0
        self.on_tick: Callable[[int], object] = lambda number: None
        self._timeline = self.plane._timeline  # pyright: ignore[reportPrivateUsage]  # no call has a timer like this
        self._timeline.handle("tick", self._tick, "it ticks", lambda _: NO_APP)
        self._schedule(self.plane.now_ns())

    def _schedule(self, now: int) -> None:
        self._timeline.timers.schedule(now + STEP, "tick", "tick", progress=False)

    def _tick(self, timer: Timer) -> None:
        self._schedule(timer.due)
        self.on_tick(self.ticks + 1)
        self.ticks += 1


@pytest.fixture
def ticking() -> Iterator[Ticking]:
    """A plane that ticks."""
    made = Ticking()
    with made.plane:
        yield made


def milliseconds_since(began: datetime.datetime, plane: FakeControlPlane) -> int:
    """Return how far the clock was moved."""
    return round((plane.clock.now - began).total_seconds() * 1_000)


def test_a_long_move_fires_all_and_reports(ticking: Ticking) -> None:
    """Each timer fires once, and progress comes with growing time and number."""
    began, seen = ticking.plane.clock.now, list[tuple[datetime.datetime, int]]()
    ticking.plane.clock.advance("5s", progress=lambda now, fired: seen.append((now, fired)))
    assert ticking.ticks == 5_000 and milliseconds_since(began, ticking.plane) == 5_000
    assert [fired for _, fired in seen] == [MAX_TIMERS, 2 * MAX_TIMERS]
    assert seen == sorted(seen) and seen[-1][0] < ticking.plane.clock.now


def test_a_limit_leaves_the_rest(ticking: Ticking) -> None:
    """The response has the request that goes on; sent until there is none, it makes the same move."""
    request, answers, began = (
        pb.AdvanceClockRequest(max_timers=40),
        list[pb.AdvanceClockResponse](),
        ticking.plane.now_ns(),
    )
    request.duration.FromMilliseconds(100)
    api = ticking.plane.clock._api  # pyright: ignore[reportPrivateUsage]  # as a client over the wire
    while not answers or answers[-1].HasField("rest"):
        answers.append(api.call("AdvanceClock", answers[-1].rest if answers else request, pb.AdvanceClockResponse))
    assert [each.fired for each in answers] == [40, 40, 20]
    assert [each.rest.duration.ToMilliseconds() for each in answers] == [60, 20, 0]
    assert ticking.plane.now_ns() == began + 100 * STEP


def test_moves_at_once_add_up(ticking: Ticking) -> None:
    """A move by another thread during a move is added to it."""
    began = ticking.plane.clock.now
    other = threading.Thread(target=ticking.plane.clock.advance, args=("1s",))

    def start(number: int) -> None:
        if number == PART_TIMERS // 2:
            other.start()

    ticking.on_tick = start
    ticking.plane.clock.advance("2s")
    other.join()
    assert ticking.ticks == 3_000 and milliseconds_since(began, ticking.plane) == 3_000


MOVES: dict[str, Callable[[FakeControlPlane], object]] = {
    "plane": lambda plane: plane.advance(86_400),
    "clock": lambda plane: plane.clock.advance("100d"),
    "until": lambda plane: plane.clock.advance_until(app="demo", status="FAILED"),
}


@pytest.mark.parametrize("move", MOVES)
def test_ctrl_c_ends_a_move_between_two_timers(ticking: Ticking, move: str) -> None:
    """The timer in which the signal comes is completed, time stands at the last one, and the plane goes on."""
    began, plane = ticking.plane.clock.now, ticking.plane
    plane.call(Call(CREATE, create()))

    def interrupt(number: int) -> None:
        if number == 150:
            signal.raise_signal(signal.SIGINT)

    ticking.on_tick = interrupt
    before_test = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            MOVES[move](plane)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before_test)
    assert 150 <= ticking.ticks <= 150 + PART_TIMERS
    assert milliseconds_since(began, plane) == ticking.ticks
    before = ticking.ticks
    plane.clock.advance("10ms")
    assert ticking.ticks == before + 10


def test_a_signal_handler_of_the_program_is_called(ticking: Ticking) -> None:
    """A handler that raises nothing lets the move go on; it is called once a signal."""
    came: list[int] = []
    ticking.on_tick = lambda number: signal.raise_signal(signal.SIGINT) if number in (5, 950) else None
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        ticking.plane.advance(1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert came == [signal.SIGINT, signal.SIGINT] and ticking.ticks == 1_000


async def _send(
    front: Front, request: pb.AdvanceClockRequest, left: asyncio.Event, *, polled: bool, **headers: str
) -> None:
    """Send a move to a front; once `left` is set, receive() says that the client has left."""
    body = [{"type": "http.request", "body": request.SerializeToString(), "more_body": False}]
    given = {"host": "localhost", "content-type": "application/proto", **headers}
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": PATH,
        "root_path": "",
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "extensions": {},
    }

    async def receive() -> Any:
        if body:
            return body.pop()
        if polled and not left.is_set():
            return {"type": "http.request", "body": b"", "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(event: Any) -> None: ...

    await front(scope, receive, send)


def long_move() -> pb.AdvanceClockRequest:
    """Return a move that fires eight billion timers."""
    request = pb.AdvanceClockRequest()
    request.duration.FromSeconds(100 * 86_400)
    return request


@pytest.mark.parametrize("server", ["hypercorn", "pyvoy"])
def test_other_calls_are_answered_and_a_client_may_leave(ticking: Ticking, server: Any) -> None:
    """A move over the wire lets other tasks run between its parts, and ends once its client has left."""
    lines: list[AccessLine] = []

    async def run() -> None:
        front = Front(ticking.plane, FrontOptions(server=server, access_log=lines.append, control=True))
        left, turns = asyncio.Event(), 0
        moving = asyncio.create_task(_send(front, long_move(), left, polled=server == "pyvoy"))
        while ticking.ticks < 5 * PART_TIMERS:
            await asyncio.sleep(0)
            turns += 1
        assert turns > 3
        left.set()
        await moving

    asyncio.run(asyncio.wait_for(run(), 60))
    assert [line.code for line in lines] == ["CANCELED"]
    assert ticking.ticks > 0


def test_a_deadline_ends_a_move(ticking: Ticking) -> None:
    """The error says so, and the clock stands at the last timer."""
    began, lines = ticking.plane.clock.now, list[AccessLine]()
    front = Front(ticking.plane, FrontOptions(server="hypercorn", access_log=lines.append, control=True))
    asyncio.run(_send(front, long_move(), asyncio.Event(), polled=False, connect_timeout_ms="50"))
    assert [line.code for line in lines] == ["DEADLINE_EXCEEDED"]
    assert milliseconds_since(began, ticking.plane) == ticking.ticks > 0


def test_over_the_wire_it_takes_as_many_requests_as_it_needs(ticking: Ticking) -> None:
    """No timeout of a request bounds a move: each is for some thousand timers. A client in between is answered."""
    control = connect_control(ticking.plane.serve().url, timeout=30)
    began, seen = ticking.plane.clock.now, list[int]()
    control.clock.advance("5s", progress=lambda now, fired: seen.append(fired))
    assert ticking.ticks == 5_000 and seen == [MAX_TIMERS, 2 * MAX_TIMERS]
    assert milliseconds_since(began, ticking.plane) == 5_000


def test_a_client_that_goes_away_ends_its_move(ticking: Ticking) -> None:
    """The connection of a long move is closed: the server gives the move up, and its clock can be moved again."""
    url = ticking.plane.serve().url
    host, port = url.rpartition("/")[2].split(":")
    body = long_move().SerializeToString()
    started = threading.Event()
    ticking.on_tick = lambda number: started.set()
    with socket.create_connection((host, int(port))) as connection:
        head = (f"POST {PATH} HTTP/1.1", "host: localhost", "content-type: application/proto")
        connection.sendall("\r\n".join((*head, f"content-length: {len(body)}", "", "")).encode() + body)
        assert started.wait(60)
    code = re.compile("CANCELED.*AdvanceClock")
    until = time.monotonic() + 60
    while not code.search(urllib.request.urlopen(f"{url}/metrics").read().decode()):
        assert time.monotonic() < until
    before = ticking.plane.clock.now
    ticking.plane.clock.advance("1s")
    assert milliseconds_since(before, ticking.plane) == 1_000


def test_the_command_reports_progress_on_a_terminal(
    ticking: Ticking, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard error has the time and the number; the result has the sum of all requests."""
    monkeypatch.setenv("FLYTEAPPS_ENDPOINT", ticking.plane.serve().url)
    monkeypatch.setattr("flyteapps_fake.cli.control.clock.is_terminal", lambda: True)
    assert main(["clock", "advance", "5s"]) == 0
    out, err = capsys.readouterr()
    assert out.endswith("5000 timer(s) fired\n") and "4,000 timers fired" in err


def test_the_command_can_be_interrupted(
    ticking: Ticking, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends it with the status of a signal, and says where the clock stands."""
    monkeypatch.setenv("FLYTEAPPS_ENDPOINT", ticking.plane.serve().url)

    def interrupt(self: Report, now: datetime.datetime, fired: int) -> None:
        self.last = f"{fired} timers fired"
        raise KeyboardInterrupt

    monkeypatch.setattr(Report, "__call__", interrupt)
    assert main(["clock", "advance", "100d"]) == 130
    assert "interrupted at 2000 timers fired: the clock stands" in capsys.readouterr().err


def test_a_refused_move_moves_nothing(ticking: Ticking) -> None:
    """A negative number of timers is refused."""
    request, before = pb.AdvanceClockRequest(max_timers=-1, next_timer=True), ticking.plane.now_ns()
    with suppress(ControlError):
        ticking.plane.clock._api.call("AdvanceClock", request, pb.AdvanceClockResponse)  # pyright: ignore[reportPrivateUsage]  # as above
    assert ticking.plane.now_ns() == before
