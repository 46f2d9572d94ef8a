"""Bodies in flight on a real server: their memory has a bound, however many clients send and stop."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, suppress

import pytest

from flyteapps_fake.http.request_timeouts import MAX_HELD_BYTES

from .server_process import ServerProcess
from .test_edges import CREATE, PROTO
from .test_limits import answered
from .usage import Usage

CLIENTS = 300
PART = bytes(4_000_000)
SERVERS_BYTES = 512 * 1024 * 1024
"""Bytes for the buffers of the server itself, and for parts on their way to a busy process."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_clients_that_send_and_stop(kind: str) -> None:
    """300 clients that send 4 MB each of a body, 1.2 GB in all, and stop: others are answered all the while."""
    head = (
        f"POST {CREATE} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {PROTO}\r\ncontent-length: {len(PART) + 9}\r\n\r\n"
    )
    with ServerProcess("--server", kind, "--quiet") as server, ExitStack() as stack:
        assert answered(server)
        usage = Usage(server)
        usage.forget_peak()
        before = usage.peak()
        for number in range(CLIENTS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.settimeout(60)
            with suppress(ConnectionError):
                client.sendall(head.encode() + PART)
            if number % 20 == 0:
                assert answered(server)
        assert answered(server)
        grown = usage.peak() - before
        assert grown <= MAX_HELD_BYTES + SERVERS_BYTES, f"{grown:,} bytes for bodies in flight"
