"""The servers behind `plane.serve()`: the front on hypercorn in a thread with its own loop and, on demand, grpcio."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.time.forks import short_lock
from flyteapps_fake.http.builtin.upload_files import upload_files
from flyteapps_fake.http.front import Front
from flyteapps_fake.http.options import FrontOptions
from flyteapps_fake.http.page import Page
from flyteapps_fake.servers.hypercorn.server import serve_front
from flyteapps_fake.servers.listener import listening_sockets, loopbacks

if TYPE_CHECKING:
    from flyteapps_fake.grpc.server import GrpcServer

HOST = "127.0.0.1"
PATIENCE_SECONDS = 10.0
"""Time that a start, or a close, may take."""


class EmbeddedServer:
    """Two ports of the loopback, 127.0.0.1 and ::1, over one plane, in this process.

    `port` speaks Connect, gRPC-Web and gRPC (the same front as `flyteapps serve`) and has its pages, those of the apps
    too; `grpc_port` is grpcio's own server (extra `grpc`), started when the port is first read. Clients take `url` and
    `grpc_target`. Closing it, by `close()` or as a context manager, ends open streams with UNAVAILABLE; closing the
    plane closes it, and so does dropping both.
    """

    def __init__(self, plane: Plane, page: Callable[[Front], Page], uploads: Path | None = None) -> None:
        self._addresses = loopbacks()
        self._sockets = listening_sockets(self._addresses, 0)
        self.port: int = self._sockets[0].getsockname()[1]
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._closed = False
        self._lock = short_lock()
        # the thread must not keep this object or the plane: both may be dropped without being closed
        self._served = plane.shared()
        front = Front(
            self._served, FrontOptions(server="hypercorn", page=page, uploads=upload_files(plane.settings, uploads))
        )
        started: Future[None] = Future()
        arguments = (front, self._sockets, self._loop, self._stop, started)
        self._thread = threading.Thread(target=_run, args=arguments, name="flyteapps-server", daemon=True)
        self._grpc: list[GrpcServer] = []
        """grpcio's server, once started; a list that outlives this object."""
        weakref.finalize(self, _abandon, self._process, self._loop, self._stop, self._grpc).atexit = False
        self._thread.start()
        try:
            started.result(PATIENCE_SECONDS)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The base URL for Connect clients."""
        return f"http://{HOST}:{self.port}"

    @property
    def grpc_port(self) -> int:
        """The port of grpcio's server, which the first use starts.

        Raises RuntimeError where grpcio isn't installed (`port` speaks gRPC all the same), and for a closed server.
        """
        with self._lock:
            if not self._grpc:
                self._grpc.append(self._start_grpc())
            return self._grpc[0].port

    def _start_grpc(self) -> GrpcServer:
        if self._closed or self._process != os.getpid():
            raise RuntimeError("the server was closed, or is another process's: call plane.serve() again")
        if find_spec("grpc") is None:
            raise RuntimeError("grpcio is not installed: pip install 'flyteapps[grpc]'")
        from flyteapps_fake.grpc.server import GrpcServer

        return GrpcServer(self._served, self._addresses)

    @property
    def grpc_target(self) -> str:
        """The target for gRPC channels."""
        return f"{HOST}:{self.grpc_port}"

    def close(self) -> None:
        """End the streams and free the ports; at once where no call is open. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._process != os.getpid():  # its thread, and grpcio's, are the parent's
            for sock in self._sockets:
                sock.close()
            return
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        for server in self._grpc:
            server.close(PATIENCE_SECONDS)
        self._thread.join(PATIENCE_SECONDS)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a server can be neither pickled nor copied: pass its URL, server.url, to other processes")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _run(
    front: Front,
    socks: Sequence[socket.socket],
    loop: asyncio.AbstractEventLoop,
    stop: asyncio.Event,
    started: Future[None],
) -> None:
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve_front(front, socks, stop.wait, lambda: started.set_result(None)))
    except BaseException as error:
        if not started.done():
            started.set_exception(error)
        else:
            raise


def _abandon(process: int, loop: asyncio.AbstractEventLoop, stop: asyncio.Event, grpc: Sequence[GrpcServer]) -> None:
    """End a server that was dropped without being closed; return before it has ended."""
    if process != os.getpid():
        return
    with contextlib.suppress(RuntimeError):  # it was closed, too
        loop.call_soon_threadsafe(stop.set)
    for server in grpc:
        server.abandon()
