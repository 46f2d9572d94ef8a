"""Clients of grpcio's port that send or read nothing: they hold a bounded part of it, and others are answered."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import cast

import grpc
import h2.exceptions
import psutil
import pytest

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.grpc.open_calls import (
    ARRIVING_SECONDS,
    CALL_BYTES,
    MAX_ARRIVING,
    MAX_CALLS,
    MAX_STREAMS,
    MAX_STREAMS_PER_CONNECTION,
    OpenCall,
    OpenCalls,
)
from flyteapps_fake.http.streaming.unread_answers import LARGE_BYTES, STALLED_SECONDS

from .grpcio_process import GrpcioProcess
from .messages import create, get, watch
from .raw_http2 import RawHttp2
from .server_process import eventually
from .test_edges import CREATE, GET, GRPC, WATCH, frame
from .usage import Usage

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
LARGE_APP_BYTES = 1_400_000
REQUEST_SECONDS = 60.0
UNREAD_BYTES = 3 * (LARGE_BYTES + CALL_BYTES)
ALICE, BOB = "ipv4:127.0.0.1:1", "ipv4:127.0.0.1:2"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")


class Context:
    """A call of that connection, which ends when it is cancelled."""

    def __init__(self, connection: str = ALICE) -> None:
        self.cancelled = False
        self._connection = connection
        self._callbacks: list[Callable[[], None]] = []

    def peer(self) -> str:
        return self._connection

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self._callbacks.append(callback)
        return not self.cancelled

    def cancel(self) -> None:
        self.cancelled = True
        self.end()

    def end(self) -> None:
        for callback in self._callbacks:
            callback()


class Calls:
    """The open calls of a server whose time passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.open = OpenCalls(REQUEST_SECONDS, UNREAD_BYTES, lambda: self.seconds)

    def added(self, *, streaming: bool = False, connection: str = ALICE, arrived: bool = False) -> OpenCall:
        context = cast("grpc.ServicerContext", Context(connection))
        call = self.open.add(context, streaming=streaming)
        if arrived:
            self.open.arrived(call)
        return call

    def answered(self, size: int = LARGE_BYTES) -> OpenCall:
        call = self.added(arrived=True)
        self.open.sending(call, size)
        self.open.release(call)
        return call


def context(call: OpenCall) -> Context:
    return cast("Context", call.context)


def cancelled(calls: list[OpenCall]) -> list[bool]:
    return [context(call).cancelled for call in calls]


def test_a_request_that_does_not_arrive_in_time() -> None:
    """The call is cancelled, and no call whose request is there."""
    calls = Calls()
    waiting = [calls.added(), calls.added(arrived=True), calls.added(streaming=True)]
    calls.seconds += REQUEST_SECONDS - 1
    waiting.append(calls.added())
    calls.open.sweep()
    assert cancelled(waiting) == [False] * 4
    calls.seconds += 1
    calls.open.sweep()
    assert cancelled(waiting) == [True, False, True, False]


def test_many_requests_that_arrive_slowly() -> None:
    """Beyond a number, those that have taken a while are cancelled for the next call, the longest first."""
    calls = Calls()
    waiting = [calls.added() for _ in range(MAX_ARRIVING + 2)]
    assert cancelled(waiting) == [False] * len(waiting)
    calls.seconds += ARRIVING_SECONDS
    waiting.append(calls.added())
    assert cancelled(waiting) == [True] * 3 + [False] * MAX_ARRIVING


def test_a_call_too_many_replaces_the_slowest_request() -> None:
    """While a request of the same kind arrives, its call is cancelled for a further one, however young."""
    calls = Calls()
    stream, slow = calls.added(streaming=True), calls.added()
    for _ in range(MAX_CALLS - 1):
        calls.added(arrived=True)
    calls.added(arrived=True)
    assert cancelled([stream, slow]) == [False, True]


def test_a_call_too_many_is_refused() -> None:
    """With all threads at work the next call is RESOURCE_EXHAUSTED, until one is answered; a stream isn't."""
    calls = Calls()
    working = [calls.added(arrived=True) for _ in range(MAX_CALLS)]
    with pytest.raises(RpcError, match=f"{MAX_CALLS} calls are under way") as refused:
        calls.added()
    assert refused.value.code is Code.RESOURCE_EXHAUSTED
    calls.added(streaming=True)
    calls.open.release(working[0])
    calls.added()


def test_a_stream_too_many_is_refused() -> None:
    """One connection has its own limit, all have one together; neither keeps calls out; a closed stream makes room."""
    calls = Calls()
    streams = [calls.added(streaming=True, arrived=True) for _ in range(MAX_STREAMS_PER_CONNECTION)]
    with pytest.raises(RpcError, match="open another connection"):
        calls.added(streaming=True)
    for number in range(MAX_STREAMS - MAX_STREAMS_PER_CONNECTION):
        streams.append(calls.added(streaming=True, connection=f"other {number % 2}", arrived=True))
    with pytest.raises(RpcError, match=f"{MAX_STREAMS} streams are open"):
        calls.added(streaming=True, connection=BOB)
    calls.added()
    calls.open.release(streams[0])
    calls.added(streaming=True)


def test_answers_that_are_not_read() -> None:
    """Beyond the bound those that have been unread for the longest time are cancelled, but none that is new."""
    calls = Calls()
    unread = [calls.answered() for _ in range(4)]
    assert cancelled(unread) == [False] * 4
    calls.seconds += STALLED_SECONDS
    unread.append(calls.answered())
    assert cancelled(unread) == [True, True, False, False, False]
    assert calls.open.unread_bytes == UNREAD_BYTES
    for call in unread:
        context(call).end()
    assert calls.open.unread_bytes == 0


def test_an_unread_message_of_a_stream() -> None:
    """A large message counts until it is read, here and in grpcio; a small one is the thread's alone."""
    calls = Calls()
    call = calls.added(streaming=True, arrived=True)
    calls.open.sending(call, LARGE_BYTES - 1)
    assert calls.open.unread_bytes == 0
    calls.open.sent(call)
    calls.open.sending(call, LARGE_BYTES)
    assert calls.open.unread_bytes == 2 * LARGE_BYTES + CALL_BYTES
    calls.open.sent(call)
    assert calls.open.unread_bytes == 0


def test_a_call_that_ended_before_its_answer() -> None:
    """A client that left while its call was under way holds nothing."""
    calls = Calls()
    call = calls.added(arrived=True)
    context(call).end()
    calls.open.sending(call, LARGE_BYTES)
    assert calls.open.unread_bytes == 0


# ---- served


@pytest.fixture(scope="module")
def plane() -> Iterator[GrpcioProcess]:
    """A plane with an app of more than a megabyte, `large`."""
    process = GrpcioProcess()
    request = create("large", stopped=True)
    request.app.metadata.labels["x"] = "y" * LARGE_APP_BYTES
    with process.stub() as stub:
        stub.Create(request)
    yield process
    assert "Traceback" not in process.stop()


class Others:
    """A client that sends one Get after the other: each is answered."""

    def __init__(self, plane: GrpcioProcess) -> None:
        self._plane = plane
        self._done = threading.Event()
        self._failures: list[grpc.RpcError] = []
        self._count = 0
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with self._plane.stub() as stub:
            while not self._done.is_set():
                try:
                    stub.Get(get("none"), timeout=60)
                except grpc.RpcError as error:
                    if error.code() is not grpc.StatusCode.NOT_FOUND:
                        self._failures.append(error)
                self._count += 1
                self._done.wait(0.02)

    def __enter__(self) -> Others:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        count = self._count
        eventually(lambda: self._count > count + 1, "another client has no answer")
        self._done.set()
        self._thread.join()
        assert not self._failures


def unread(plane: GrpcioProcess, path: str, request: bytes, number: int) -> RawHttp2:
    raw = RawHttp2(plane.port, window=0)
    for _ in range(number):
        raw.asked(path, GRPC, frame(request))
    return raw


def test_heads_without_a_body(plane: GrpcioProcess) -> None:
    """Calls and streams that send a head and no more hold threads that others need: those are answered."""
    usage = Usage(plane)
    started = usage.seconds()
    with RawHttp2(plane.port) as raw, Others(plane):
        for _ in range(MAX_CALLS + 100):
            raw.request(CREATE, GRPC)
        for _ in range(MAX_STREAMS + 100):
            raw.request(WATCH, GRPC)
    assert usage.seconds() - started < 10


def test_bodies_without_an_end(plane: GrpcioProcess) -> None:
    """Of 200 requests of 4 MiB that lack their last byte all but a few are cancelled soon."""
    body = frame(bytes(4 * MIB - 100))[:-1]
    with RawHttp2(plane.port) as raw, Others(plane):
        for _ in range(200):
            number = raw.request(CREATE, GRPC)
            with suppress(h2.exceptions.StreamClosedError):  # it was cancelled
                raw.send(number, body, end=False)
        raw.until(lambda: raw.open_streams <= MAX_ARRIVING, "bodies are held")


@LINUX
@pytest.mark.parametrize(("path", "number"), [(GET, 1_000), (WATCH, MAX_STREAMS_PER_CONNECTION)])
def test_answers_of_a_large_app_that_are_not_read(plane: GrpcioProcess, path: str, number: int) -> None:
    """Requests for a large app whose answers aren't read: a bounded part is held, and another client is answered."""
    request = (get if path == GET else watch)("large").SerializeToString()
    usage = Usage(plane)
    usage.forget_peak()
    before = usage.peak()
    with unread(plane, path, request, number), unread(plane, path, request, number), Others(plane):
        pass  # another client is answered
    assert usage.peak() - before < 1_000 * MIB


def test_streams_that_are_reset_at_once(plane: GrpcioProcess) -> None:
    """20,000 of them leave others their answers."""
    usage = Usage(plane)
    started = usage.seconds()
    with RawHttp2(plane.port) as raw, Others(plane):
        for _ in range(20_000):
            raw.reset(raw.request(WATCH, GRPC))
    assert usage.seconds() - started < 20


def test_a_call_without_a_request(plane: GrpcioProcess) -> None:
    """A call that ends without a message is INVALID_ARGUMENT, one of more than 4 MiB RESOURCE_EXHAUSTED."""
    with RawHttp2(plane.port) as raw:
        assert raw.answer(raw.asked(GET, GRPC, b"")).grpc_status == "3"
        assert raw.answer(raw.asked(WATCH, GRPC, b"")).grpc_status == "3"
        assert raw.answer(raw.asked(CREATE, GRPC, frame(bytes(4 * MIB + 1)))).grpc_status == "8"


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of files")
def test_more_connections_than_files() -> None:
    """Idle connections leave the process three quarters of its files; those beyond are closed at once."""
    plane = GrpcioProcess("ulimit -n 200")
    try:
        with ExitStack() as stack:
            connections = [
                stack.enter_context(socket.create_connection(("127.0.0.1", plane.port), 60)) for _ in range(250)
            ]
            assert connections[-1].recv(1) == b""
            if sys.platform == "linux":
                assert psutil.Process(plane.process.pid).num_fds() < 100
    finally:
        plane.stop()
