"""grpcio's threaded server over a plane, on a port of its own (extra `grpc`)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, cast

import grpc

from flyteapps_fake.core.plane import Plane
from flyteapps_fake.grpc.daemon_threads import DaemonThreads
from flyteapps_fake.grpc.servicer import SyncServicer
from flyteapps_fake.servers.listener import bound_sockets

THREADS = 256
GRACE = 0.5
OPTIONS = (
    ("grpc.so_reuseport", 0),
    # clients that ping each second, as some do to keep a connection through a NAT, are no attack here
    ("grpc.http2.min_ping_interval_without_data_ms", 1),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
)


class GrpcServer:
    """A started server; `port` is where it listens, on each of `addresses`."""

    def __init__(self, plane: Plane, addresses: Sequence[str]) -> None:
        self._servicer = SyncServicer(plane)
        self._pool = DaemonThreads(THREADS, "flyteapps-grpc")
        # one thread a call: further calls are refused by grpcio with RESOURCE_EXHAUSTED, not left waiting
        options = (*OPTIONS, ("grpc.max_receive_message_length", plane.request_limits.request_bytes))
        self._server = grpc.server(cast("Any", self._pool), options=options, maximum_concurrent_rpcs=THREADS)
        self._server.add_generic_rpc_handlers(self._servicer.handlers())
        self.port: int = self._listen(addresses)
        self._server.start()

    def _listen(self, addresses: Sequence[str]) -> int:
        """Bind one port of all addresses, which stays ours from the search for a free one until grpcio has it."""
        with ExitStack() as until_bound:
            socks = [until_bound.enter_context(sock) for sock in bound_sockets(addresses, 0)]
            port: int = socks[0].getsockname()[1]
            if sys.platform != "linux":
                until_bound.close()
            for address in addresses:
                self._server.add_insecure_port(f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
        return port

    def close(self, patience: float) -> None:
        """End the streams with UNAVAILABLE and free the port."""
        self._servicer.end("the server is shutting down")
        self._server.stop(GRACE).wait(patience)
        self._pool.shutdown(wait=True)

    def abandon(self) -> None:
        """End the server without waiting for it; a second call, or one after `close`, does nothing."""
        self._servicer.end("the server was dropped")
        self._server.stop(0)
        self._pool.shutdown(wait=False)
