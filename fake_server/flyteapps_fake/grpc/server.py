"""grpcio's threaded server over a plane, on a port of its own (extra `grpc`)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, cast

import grpc

from flyteapps_fake.core.plane import Plane
from flyteapps_fake.grpc.daemon_threads import DaemonThreads
from flyteapps_fake.grpc.open_calls import MAX_CALLS, MAX_STREAMS, OpenCalls
from flyteapps_fake.grpc.servicer import SyncServicer
from flyteapps_fake.http.limits import KEEP_ALIVE_SECONDS, Limits
from flyteapps_fake.servers.listener import bound_sockets, max_connections

THREADS = MAX_STREAMS + MAX_CALLS + 64
"""One for each call, and some for those that are refused."""
GRACE = 0.5
SWEEP_SECONDS = 1.0
"""Time between two looks for calls that keep the server waiting."""
MAX_CONNECTION_CALLS = 2_000
"""Calls and streams of one connection that may be open, those reset by its client included until they are handled."""
MAX_WAITING_CALLS = 5_000
"""Calls that may wait for the one thread in which grpcio accepts them; it cancels some of those beyond."""
OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", MAX_CONNECTION_CALLS),
    ("grpc.server.max_pending_requests", MAX_WAITING_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", 2 * MAX_WAITING_CALLS),
    ("grpc.max_connection_idle_ms", round(KEEP_ALIVE_SECONDS * 1_000)),
    # clients that ping each second, as some do to keep a connection through a NAT, are no attack here
    ("grpc.http2.min_ping_interval_without_data_ms", 1),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
)


class GrpcServer:
    """A started server; `port` is where it listens, on each of `addresses`."""

    def __init__(self, plane: Plane, addresses: Sequence[str], limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self._servicer = SyncServicer(plane)
        self._calls = OpenCalls(limits.request_seconds)
        self._pool = DaemonThreads(THREADS, "flyteapps-grpc")
        # one thread a call: further calls are refused by grpcio with RESOURCE_EXHAUSTED, not left waiting
        options = (
            *OPTIONS,
            ("grpc.max_receive_message_length", plane.request_limits.request_bytes),
            ("grpc.server_handshake_timeout_ms", round(limits.head_seconds * 1_000)),
            # of each address; the other three quarters of the files are the HTTP server's
            ("grpc.max_allowed_incoming_connections", min(max_connections(console=True) // len(addresses), 2**31 - 1)),
        )
        self._server = grpc.server(cast("Any", self._pool), options=options, maximum_concurrent_rpcs=THREADS)
        self._server.add_generic_rpc_handlers(self._servicer.handlers(self._calls))
        self.port: int = self._listen(addresses)
        self._ended = threading.Event()
        # the thread must not keep this object: it may be dropped without being closed
        arguments = (self._calls, self._ended)
        threading.Thread(target=_sweep, args=arguments, name="flyteapps-grpc-sweeper", daemon=True).start()
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
        self._ended.set()
        self._servicer.end("the server is shutting down")
        self._server.stop(GRACE).wait(patience)
        self._pool.shutdown(wait=True)

    def abandon(self) -> None:
        """End the server without waiting for it; a second call, or one after `close`, does nothing."""
        self._ended.set()
        self._servicer.end("the server was dropped")
        self._server.stop(0)
        self._pool.shutdown(wait=False)


def _sweep(calls: OpenCalls, ended: threading.Event) -> None:
    while not ended.wait(SWEEP_SECONDS):
        calls.sweep()
