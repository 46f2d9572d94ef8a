"""Frames of HTTP/2 without end: each costs its sender's server microseconds of CPU, and no other client waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from flyteapps_fake.http.limits import CALLS_PER_CONNECTION

from .conftest import EACH_KIND
from .http2_frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Flood,
    call,
    frame,
    head,
    settings,
)
from .messages import get, watch
from .server_process import HTTP, PATIENCE, ServerProcess, eventually
from .test_edges import GET, PROTO, WATCH, open_streams
from .usage import Usage

pytestmark = pytest.mark.slow

FRAMES = 20_000
BASE_SECONDS = 1.0
SECONDS_PER_FRAME = 0.000_1
"""CPU of a server for a frame; its own are between 5 and 30 us."""
SECONDS_PER_CALL = 0.001
"""CPU of a server for a stream that is opened, and reset or refused."""
STREAMS = 1_000
"""Open streams of the connections on which frames concern all streams."""

GET_HEAD, WATCH_HEAD = head(GET), head(WATCH)
NONE, ABSENT = get("none").SerializeToString(), watch("absent").SerializeToString()


def watchers(count: int) -> bytes:
    return b"".join(call(number, WATCH_HEAD, ABSENT) for number in range(1, 2 * count, 2))


def numbered(one: Callable[[int], bytes], count: int, first: int = 1) -> bytes:
    return b"".join(one(number) for number in range(first, first + 2 * count, 2))


def reset(number: int) -> bytes:
    return frame(RST_STREAM, 0, number, b"\0\0\0\x08")


FLOODS: dict[str, Callable[[], bytes]] = {
    "PING": lambda: frame(PING, 0, 0, b"flyteapp") * FRAMES,
    "acknowledged PING": lambda: frame(PING, 1, 0, b"flyteapp") * FRAMES,
    "SETTINGS": lambda: settings() * FRAMES,
    "SETTINGS of the header table": lambda: frame(SETTINGS, 0, 0, b"\0\1\0\0\0\0\0\1\0\0\xff\xff") * FRAMES,
    "GOAWAY": lambda: frame(GOAWAY, 0, 0, bytes(8)) * FRAMES,
    "PRIORITY": lambda: numbered(lambda number: frame(PRIORITY, 0, number, b"\0\0\0\0\x10"), FRAMES),
    "unknown": lambda: frame(0x55, 0, 0, b"x") * FRAMES,
    "window updates": lambda: frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * FRAMES,
    "empty parts of a body": lambda: frame(HEADERS, END_HEADERS, 1, GET_HEAD) + frame(DATA, 0, 1) * FRAMES,
    "resets of one stream": lambda: call(1, GET_HEAD, NONE) + reset(1) * FRAMES,
    "empty CONTINUATION": lambda: frame(HEADERS, 0, 1, GET_HEAD) + frame(CONTINUATION, 0, 1) * FRAMES,
    "windows of many streams": lambda: (
        watchers(STREAMS) + (settings(window=65_535) + settings(window=65_534)) * (FRAMES // 2)
    ),
    "unknown settings": lambda: (
        b"".join(
            frame(SETTINGS, 0, 0, b"".join(number.to_bytes(2, "big") + bytes(4) for number in range(low, low + 2_000)))
            for low in range(0x1000, 0xF000, 2_000)
        )
        + settings() * FRAMES
    ),
    "window updates for many watchers": lambda: (
        settings(window=0) + watchers(STREAMS) + frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * FRAMES
    ),
}
"""The bytes of each flood."""


@pytest.fixture(scope="module", params=EACH_KIND)
def flooded(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A server that the floods share."""
    with ServerProcess("--server", request.param, "--quiet") as server:
        assert answered(server)
        yield server


def answered(server: ServerProcess) -> bool:
    return HTTP.post(server.url + GET, content=NONE, headers={"content-type": PROTO}).status_code == 404


@contextmanager
def others_are_answered(server: ServerProcess) -> Generator[Callable[[], float]]:
    """Make another client call all the while, and assert that it is answered; yield the CPU of the server besides."""
    usage = Usage(server)
    started = usage.seconds()
    done = threading.Event()
    answers: list[bool] = []

    def calls() -> None:
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            while not (done.is_set() and answers):
                answer = client.post(server.url + GET, content=NONE, headers={"content-type": PROTO})
                answers.append(answer.status_code == 404)
                done.wait(0.05)

    other = threading.Thread(target=calls)
    other.start()
    try:
        yield lambda: usage.seconds() - started - 0.005 * len(answers)
    finally:
        done.set()  # it makes one more call if there was none
        other.join(2 * PATIENCE)
    assert all(answers)


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_frames(flooded: ServerProcess, flood: str) -> None:
    """Frames that open no stream cost a bounded time each, also where they concern all streams of the connection."""
    with others_are_answered(flooded) as seconds, Flood(flooded.port) as connection:
        connection.send(FLOODS[flood]())
        connection.finish()
        assert seconds() < BASE_SECONDS + SECONDS_PER_FRAME * FRAMES + SECONDS_PER_CALL * STREAMS
    eventually(lambda: open_streams(flooded) == 0, "streams are left")
    assert answered(flooded)


@pytest.mark.parametrize("path", [GET, WATCH])
@pytest.mark.parametrize("watching", [0, 4_990])
def test_rapid_resets(flooded: ServerProcess, path: str, watching: int) -> None:
    """A stream that is opened and reset costs the same each time, also near the limit of open ones."""
    resets, unfinished = 3_000, CALLS_PER_CONNECTION if watching else 0
    with others_are_answered(flooded) as seconds, Flood(flooded.port) as connection:
        connection.send(watchers(watching))
        begun = 2 * watching + 1
        connection.send(numbered(lambda number: frame(HEADERS, END_HEADERS, number, GET_HEAD), unfinished, begun))
        eventually(lambda: open_streams(flooded) == watching, "the streams are not open")
        before = seconds()
        block, message = (GET_HEAD, NONE) if path == GET else (WATCH_HEAD, ABSENT)
        first = begun + 2 * unfinished
        connection.send(numbered(lambda number: call(number, block, message) + reset(number), resets, first))
        connection.finish()
        assert seconds() - before < BASE_SECONDS + SECONDS_PER_CALL * resets
    eventually(lambda: open_streams(flooded) == 0, "streams are left")


def test_a_flood_of_the_console(flooded: ServerProcess) -> None:
    """The console's port is no way around: its connections share the turns of the loop with those of the API."""
    resets = 3_000
    with others_are_answered(flooded) as seconds, Flood(flooded.console_port) as connection:
        connection.send(settings() * FRAMES)
        connection.send(numbered(lambda number: call(number, GET_HEAD, NONE) + reset(number), resets))
        connection.finish()
        assert seconds() < BASE_SECONDS + SECONDS_PER_FRAME * FRAMES + SECONDS_PER_CALL * resets


def test_many_connections_at_once(flooded: ServerProcess) -> None:
    """Another client's Get doesn't wait until the requests of hundreds of connections are all begun."""
    connections, streams = 150, 30
    usage = Usage(flooded)
    with ExitStack() as stack:
        floods = [stack.enter_context(Flood(flooded.port)) for _ in range(connections)]
        requests = watchers(streams)
        for each in floods:
            each.send(requests)
        longest = 0.0
        while open_streams(flooded) < connections * streams:
            before = usage.seconds()
            assert answered(flooded)
            longest = max(longest, usage.seconds() - before)
        assert longest < 1.5, f"a Get took {longest:.2f} s of CPU of the server"
    eventually(lambda: open_streams(flooded) == 0, "streams are left")


@pytest.mark.parametrize("flood", ["PING", "SETTINGS"])
def test_answers_that_are_not_read(flooded: ServerProcess, flood: str) -> None:
    """A client that reads no answers to its frames isn't read any more, instead of having the answers pile up."""
    usage = Usage(flooded)
    usage.forget_peak()
    before = usage.peak()
    with others_are_answered(flooded), Flood(flooded.port, reading=False) as connection:
        assert not all(connection.send(FLOODS[flood]() * 5, seconds=2.0) for _ in range(20))
    assert usage.peak() - before < 48 * 1024 * 1024
