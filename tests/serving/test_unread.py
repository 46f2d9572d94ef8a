"""Answers that their clients don't read: the memory that they take has a bound, and others are answered."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack

import grpc
import httpx
import pytest
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.app import app_service_pb2_grpc
from flyteidl2.app.app_service_connect import AppServiceClientSync
from google.protobuf.json_format import MessageToJson, Parse

from flyteapps_fake.http.protocol.wire import Event, Send
from flyteapps_fake.http.request_timeouts import CallAbandoned
from flyteapps_fake.http.streaming.client_sockets import shut_down
from flyteapps_fake.http.streaming.unread_answers import (
    FIRST_SLICE_BYTES,
    LARGE_BYTES,
    LATER_SLICE_BYTES,
    SERVER_BYTES,
    STALLED_SECONDS,
    UnreadAnswers,
)

from .messages import create, get, watch
from .raw_http2 import RawHttp2
from .server_process import HTTP, PATIENCE, ServerProcess, eventually
from .test_connections import answered, tasks
from .test_edges import GET, GRPC, JSON, PROTO, WATCH, WEB, frame
from .usage import Usage

ALICE, BOB = ("127.0.0.1", 1), ("127.0.0.1", 2)
REST_BYTES = 2 * FIRST_SLICE_BYTES
BODY = bytes(range(256)) * ((FIRST_SLICE_BYTES + LATER_SLICE_BYTES + REST_BYTES) // 256)
"""A first slice, a later one, and a half."""
MAX_BYTES = 3 * (len(BODY) + SERVER_BYTES)
MIB = 1024 * 1024
LARGE_APP_BYTES = 1_400_000


class Room:
    """A send whose client has room for so many bodies; `sent` has what was sent."""

    def __init__(self, bodies: int = 1_000) -> None:
        self.sent: list[Event] = []
        self._room = asyncio.Semaphore(bodies)

    async def __call__(self, event: Event) -> None:
        await self._room.acquire()
        self.sent.append(event)

    def make_room(self) -> None:
        self._room.release()


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def body_event(body: bytes, *, more: bool = False) -> Event:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def begun(answers: UnreadAnswers, send: Send, client: tuple[str, int], body: bytes) -> asyncio.Task[None]:
    """Begin to send a body, and return once it waits for room."""
    task = asyncio.ensure_future(answers.sliced(send, client)(body_event(body)))
    for _ in range(10):
        await asyncio.sleep(0)
    return task


def another() -> bytes:
    """Return a body that is equal to BODY, and not the same object."""
    return bytes(bytearray(BODY))


@pytest.mark.parametrize("more", [False, True])
async def test_a_large_body_is_sent_in_slices(more: bool) -> None:
    """The slices are the body, the end comes after the last of them; nothing is held afterwards."""
    answers, room = UnreadAnswers(), Room()
    await answers.sliced(room, ALICE)(body_event(BODY, more=more))
    assert b"".join(each["body"] for each in room.sent) == BODY
    slices = [FIRST_SLICE_BYTES, LATER_SLICE_BYTES, REST_BYTES]
    assert [len(each["body"]) for each in room.sent if each["body"]] == slices
    assert [each["more_body"] for each in room.sent] == [True] * 4 + [False] * (not more)
    assert answers.bytes == 0


async def test_a_small_body_is_sent_as_it_is() -> None:
    """A body below the limit, and any other event, passes unchanged."""
    answers, room = UnreadAnswers(), Room()
    events = [{"type": "http.response.start", "status": 200}, body_event(bytes(LARGE_BYTES - 1))]
    for event in events:
        await answers.sliced(room, ALICE)(event)
    assert room.sent == events


async def test_the_client_that_reads_nothing_for_the_longest_time_is_cut() -> None:
    """Beyond the bound, the first client loses its connection with all its answers, once it has read nothing."""
    closed: list[tuple[str, int]] = []
    clock = Clock()
    answers = UnreadAnswers(MAX_BYTES, closed.append, clock)
    waiting = [await begun(answers, Room(0), client, another()) for client in (ALICE, BOB, ALICE)]
    assert (answers.bytes, closed) == (MAX_BYTES, [])
    waiting.append(await begun(answers, Room(0), BOB, another()))
    answers.sweep()
    assert closed == []  # nobody has waited for long
    clock.seconds += STALLED_SECONDS
    answers.sweep()
    assert closed == [ALICE]
    assert answers.bytes == MAX_BYTES * 2 // 3
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert answers.bytes == 0


async def test_a_client_that_reads_is_not_cut() -> None:
    """A client that had room for a slice a moment ago comes after those that had none."""
    closed: list[tuple[str, int]] = []
    clock, room = Clock(), Room(0)
    answers = UnreadAnswers(MAX_BYTES, closed.append, clock)
    waiting = [await begun(answers, room, ALICE, another())]
    waiting += [await begun(answers, Room(0), BOB, another()) for _ in range(2)]
    clock.seconds += STALLED_SECONDS
    room.make_room()
    await asyncio.sleep(0)
    waiting.append(await begun(answers, Room(0), ("::1", 3), another()))
    assert closed == [BOB]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_larger_slice_counts() -> None:
    """The bytes of a slice that the server may hold count as long as it waits."""
    answers, room = UnreadAnswers(), Room(1)
    waiting = await begun(answers, room, ALICE, BODY)
    assert answers.bytes == len(BODY) + SERVER_BYTES + LATER_SLICE_BYTES - FIRST_SLICE_BYTES
    room.make_room()
    for _ in range(10):
        await asyncio.sleep(0)
    assert answers.bytes == len(BODY) + SERVER_BYTES + REST_BYTES - FIRST_SLICE_BYTES
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert answers.bytes == 0


async def test_an_event_for_many_streams_counts_once() -> None:
    """The bytes that streams share are held once."""
    answers = UnreadAnswers()
    waiting = [await begun(answers, Room(0), ALICE, BODY) for _ in range(3)]
    assert answers.bytes == len(BODY) + 3 * SERVER_BYTES
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert answers.bytes == 0


async def test_what_a_closed_connection_still_asks_for_is_not_held() -> None:
    """Requests of a client whose connection was closed end at once, and those of others don't."""
    clock = Clock()
    answers = UnreadAnswers(0, lambda _: None, clock)
    waiting = await begun(answers, Room(0), ALICE, BODY)
    clock.seconds += STALLED_SECONDS
    answers.sweep()
    with pytest.raises(CallAbandoned):
        await answers.sliced(Room(), ALICE)(body_event(BODY))
    await answers.sliced(Room(), BOB)(body_event(BODY))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.skipif(sys.platform == "win32", reason="no process can list its files")
@pytest.mark.parametrize(("address", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_connection_is_closed_by_the_address_of_its_client(address: str, family: socket.AddressFamily) -> None:
    """The client of that address and port reads the end, another one of the same server doesn't."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        try:
            listener.bind((address, 0))
        except OSError:
            pytest.skip(f"{address} is no address of this machine")
        listener.listen()
        clients = [stack.enter_context(socket.create_connection(listener.getsockname()[:2], 10)) for _ in range(2)]
        accepted = [stack.enter_context(listener.accept()[0]) for _ in clients]
        host, port = clients[0].getsockname()[:2]
        assert shut_down((host, port))
        assert clients[0].recv(1) == b""
        accepted[1].sendall(b"x")
        assert clients[1].recv(1) == b"x"
        assert not shut_down((host, 1))


# ---- served


def stored(server: ServerProcess, name: str) -> payload.GetResponse:
    """Create an app of LARGE_APP_BYTES; return it as an answer of Get."""
    request = create(name, stopped=True)
    request.app.metadata.labels["x"] = "y" * LARGE_APP_BYTES
    with AppServiceClientSync(server.url) as client:
        client.create(request)
        return client.get(get(name))


def test_a_large_app_over_every_wire(kind: str) -> None:
    """An app of more than a megabyte arrives whole: unary and in a stream, over each protocol, compressed or not."""
    with ServerProcess("--server", kind, "--quiet") as server:
        expected = stored(server, "large")
        question = get("large").SerializeToString()
        forms: list[tuple[str, bytes, Callable[[bytes], payload.GetResponse]]] = [
            (PROTO, question, payload.GetResponse.FromString),
            (
                JSON,
                MessageToJson(get("large")).encode(),
                lambda body: Parse(body, payload.GetResponse()),
            ),
            (WEB, frame(question), lambda body: payload.GetResponse.FromString(body[5 : 5 + expected.ByteSize()])),
        ]
        for content_type, body, read in forms:
            for accepted in ("identity", "gzip"):
                headers = {"content-type": content_type, "accept-encoding": accepted}
                answer = HTTP.post(server.url + GET, content=body, headers=headers)
                assert answer.status_code == 200
                assert read(answer.content) == expected, content_type
        options = [("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel:
            stub = app_service_pb2_grpc.AppServiceStub(channel)
            assert stub.Get(get("large")) == expected
            first = next(iter(stub.Watch(watch("large"))))
            assert first.create_event.app == expected.app
        with AppServiceClientSync(server.url) as client:
            assert next(iter(client.watch(watch("large")))).create_event.app == expected.app


def test_an_unread_snapshot_is_held_once(kind: str) -> None:
    """A Watch of an app that isn't read costs the app's bytes, and not several times them."""
    watchers = 40
    with ServerProcess("--server", kind, "--quiet") as server:
        stored(server, "large")
        usage = Usage(server)
        if sys.platform != "linux":
            pytest.skip("peak memory is read from /proc")
        usage.forget_peak()
        before = usage.peak()
        with RawHttp2(server.port, window=0) as raw:
            for _ in range(watchers):
                raw.asked(WATCH, GRPC, frame(watch("large").SerializeToString()))
            eventually(lambda: tasks(server) > watchers, "the watches are not open")
            assert answered(server)
            grown = usage.peak() - before
        eventually(lambda: tasks(server) < 20, "tasks of streams that are gone are left")
    assert grown < watchers * 2 * LARGE_APP_BYTES + 16 * MIB, f"{grown / MIB:.0f} MiB for {watchers} watchers"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("path", [GET, WATCH])
def test_answers_that_nobody_reads(kind: str, path: str) -> None:
    """3,000 requests for 4 GB that nobody reads: a bounded part of them is held, and another client is answered."""
    request = frame((get if path == GET else watch)("large").SerializeToString())
    with ServerProcess("--server", kind, "--quiet") as server:
        stored(server, "large")
        usage = Usage(server)
        usage.forget_peak()
        before = usage.peak()

        def ask() -> None:
            try:
                raw = RawHttp2(server.port, window=0)
                unread.append(raw)
                for _ in range(1_500):
                    raw.asked(path, GRPC, request)
            except OSError:
                return  # it was cut

        unread: list[RawHttp2] = []
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert answered(server)
        for thread in threads:
            thread.join(PATIENCE)
        assert answered(server)
        for raw in unread:
            raw.close()
        eventually(lambda: tasks(server) < 20, "tasks of streams that are gone are left")
        grown = usage.peak() - before
        assert "Traceback" not in server.output
    assert grown < 1_600 * MIB, f"{grown / MIB:.0f} MiB"


def test_an_app_that_is_read_slowly(kind: str) -> None:
    """A client that reads nothing for a while is answered to the end."""
    with ServerProcess("--server", kind, "--quiet") as server:
        expected = stored(server, "large")
        question = get("large").SerializeToString()
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            headers = {"content-type": PROTO, "accept-encoding": "identity"}
            with client.stream("POST", server.url + GET, content=question, headers=headers) as answer:
                assert answered(server)
                body = b"".join(answer.iter_raw())
        assert payload.GetResponse.FromString(body) == expected
