"""grpcio's threaded server over a plane, on a loopback port of its own (extra `grpc`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc

from flyteapps_fake.transports.grpc_sync import SyncServicer

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane

THREADS = 256
GRACE = 0.5


class GrpcServer:
    """A started server; `port` is where it listens."""

    def __init__(self, plane: FakeControlPlane, host: str) -> None:
        self._servicer = SyncServicer(plane)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="flyteapps-grpc")
        # one thread a call: more than there are is refused by grpcio with RESOURCE_EXHAUSTED, not left to wait for ever
        options = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", plane.intake.request_bytes))
        self._server = grpc.server(self._pool, options=options, maximum_concurrent_rpcs=THREADS)
        self._server.add_generic_rpc_handlers(self._servicer.handlers())
        self.port: int = self._server.add_insecure_port(f"{host}:0")
        self._server.start()

    def close(self, patience: float) -> None:
        """Ends the streams with UNAVAILABLE and frees the port."""
        self._servicer.end("the server is shutting down")
        self._server.stop(GRACE).wait(patience)
        self._pool.shutdown(wait=True)

    def abandon(self) -> None:
        """Has it end by itself; a second call, or one after `close`, does nothing."""
        self._servicer.end("the server was dropped")
        self._server.stop(0)
        self._pool.shutdown(wait=False)
