"""What `plane.serve()` starts: the front on hypercorn in a thread with its own loop, and grpcio's threaded server."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc

from flyteapps_fake.transports.asgi import AppOptions, Front, build_app
from flyteapps_fake.transports.grpc_sync import SyncServicer
from flyteapps_fake.transports.hypercorn_config import listening_socket, serve_front

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane

HOST = "127.0.0.1"
GRPC_THREADS = 256
PATIENCE = 10.0


class EmbeddedServer:
    """Two loopback ports over one plane, in this process.

    `port` speaks Connect, gRPC-Web and gRPC (the same front as `flyteapps
    serve`), `grpc_port` is grpcio's own server. `url` and `grpc_target` are what
    clients take. `close()` ends open streams with UNAVAILABLE.
    """

    def __init__(self, plane: FakeControlPlane) -> None:
        sock = listening_socket(HOST, 0)
        self.port: int = sock.getsockname()[1]
        self._started: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._closed = False
        self._front = build_app(plane, AppOptions(server="hypercorn", on_startup=self._on_startup))
        self._thread = threading.Thread(target=self._run, args=(sock,), name="flyteapps-server", daemon=True)
        self._servicer = SyncServicer(plane)
        self._pool = ThreadPoolExecutor(GRPC_THREADS, thread_name_prefix="flyteapps-grpc")
        self._grpc = grpc.server(self._pool, options=(("grpc.so_reuseport", 0),))
        self._grpc.add_generic_rpc_handlers(self._servicer.handlers())
        self.grpc_port: int = self._grpc.add_insecure_port(f"{HOST}:0")
        self._grpc.start()
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
    def grpc_target(self) -> str:
        """The target for gRPC channels."""
        return f"{HOST}:{self.grpc_port}"

    def close(self) -> None:
        """End the streams and free the ports; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._servicer.end("the server is shutting down")
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._grpc.stop(0.5).wait(PATIENCE)
        self._thread.join(PATIENCE)
        self._pool.shutdown(wait=True)

    async def _on_startup(self, front: Front) -> None:
        self._started.set_result(None)

    def _run(self, sock: socket.socket) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(serve_front(self._front, sock, self._stop.wait))
        except BaseException as error:
            if not self._started.done():
                self._started.set_exception(error)
            else:
                raise
