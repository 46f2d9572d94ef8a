"""What `plane.serve()` starts: the front on hypercorn in a thread with its own loop and, where it is there, grpcio."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Self

from flyteapps_fake.transports.asgi import AppOptions, Front
from flyteapps_fake.transports.listener import listening_socket
from flyteapps_fake.transports.page import Page
from flyteapps_fake.transports.portable import serve_front

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane
    from flyteapps_fake.transports.grpc_server import GrpcServer

HOST = "127.0.0.1"
PATIENCE = 10.0


class EmbeddedServer:
    """Two loopback ports over one plane, in this process.

    `port` speaks Connect, gRPC-Web and gRPC (the same front as `flyteapps
    serve`) and has its pages, those of the apps too; `grpc_port` is grpcio's own
    server (extra `grpc`). `url` and `grpc_target` are what clients take. Closing it, by `close()` or as a context
    manager, ends open streams with UNAVAILABLE; closing the plane closes it.
    """

    def __init__(self, plane: FakeControlPlane, page: Callable[[Front], Page]) -> None:
        sock = listening_socket(HOST, 0)
        self.port: int = sock.getsockname()[1]
        self._started: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._closed = False
        self._front = Front(plane, AppOptions(server="hypercorn", page=page))
        self._thread = threading.Thread(target=self._run, args=(sock,), name="flyteapps-server", daemon=True)
        self._grpc: GrpcServer | None = None
        if find_spec("grpc") is not None:
            from flyteapps_fake.transports.grpc_server import GrpcServer

            self._grpc = GrpcServer(plane, HOST)
        self._thread.start()
        try:
            self._started.result(PATIENCE)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The base URL for Connect clients."""
        return f"http://{HOST}:{self.port}"

    @property
    def grpc_port(self) -> int:
        """grpcio's port. RuntimeError where grpcio isn't installed; `port` speaks gRPC all the same."""
        if self._grpc is None:
            raise RuntimeError("grpcio is not installed: pip install 'flyteapps[grpc]'")
        return self._grpc.port

    @property
    def grpc_target(self) -> str:
        """The target for gRPC channels."""
        return f"{HOST}:{self.grpc_port}"

    def close(self) -> None:
        """End the streams and free the ports; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._grpc is not None:
            self._grpc.close(PATIENCE)
        self._thread.join(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, sock: socket.socket) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(serve_front(self._front, sock, self._stop.wait, lambda: self._started.set_result(None)))
        except BaseException as error:
            if not self._started.done():
                self._started.set_exception(error)
            else:
                raise
