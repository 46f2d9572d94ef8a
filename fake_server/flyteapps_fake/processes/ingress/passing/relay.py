"""Bytes passed between two connections as they are, in both directions, each as fast as its receiver reads."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from flyteapps_fake.processes.ingress.limits import CLOSING_SECONDS


def reset(transport: asyncio.BaseTransport | None) -> None:
    """End a connection by a reset, so that its peer takes nothing that it has received for the whole."""
    if not isinstance(transport, asyncio.WriteTransport):
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):  # it is closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class End(asyncio.Protocol):
    """One of the two connections of a relay.

    `previous`: the protocol that had the connection before, which learns of its end.
    """

    def __init__(self, relay: Relay, previous: asyncio.BaseProtocol | None = None) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: End | None = None
        self.received = 0
        self._relay = relay
        self._previous = previous

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        peer = self._peer_transport()
        if peer is not None:
            peer.write(data)

    def eof_received(self) -> bool:
        return False  # which closes both: neither WebSockets nor HTTP/2 have use for half a connection

    def pause_writing(self) -> None:
        peer = self._peer_transport()
        if peer is not None:
            peer.pause_reading()

    def resume_writing(self) -> None:
        peer = self._peer_transport()
        if peer is not None:
            peer.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._relay.lost(self, exc)
        if self._previous is not None:
            self._previous.connection_lost(exc)

    def _peer_transport(self) -> asyncio.Transport | None:
        transport = self.peer.transport if self.peer is not None else None
        return None if transport is None or transport.is_closing() else transport


class Relay:
    """Two connections whose bytes are passed to each other until both are closed."""

    def __init__(
        self, client_before: asyncio.BaseProtocol | None = None, backend_before: asyncio.BaseProtocol | None = None
    ) -> None:
        self.client = End(self, client_before)
        self.backend = End(self, backend_before)
        self.client.peer, self.backend.peer = self.backend, self.client
        self._closed = asyncio.Event()
        self._closing: asyncio.TimerHandle | None = None

    def lost(self, end: End, exc: Exception | None) -> None:
        """Close the other connection: once what was received is sent, within a time; at once after a reset."""
        other = end.peer.transport if end.peer is not None else None
        if self._closing is not None:
            self._closing.cancel()
        if other is None:
            self._closed.set()
        elif exc is not None:
            reset(other)
        else:
            other.close()
            self._closing = asyncio.get_running_loop().call_later(CLOSING_SECONDS, reset, other)

    async def run(self) -> None:
        """Wait until both connections are closed. Cancelled while both are open, it resets them."""
        try:
            await self._closed.wait()
        finally:
            client, backend = self.client.transport, self.backend.transport
            if client is not None and backend is not None:
                reset(client)
                reset(backend)


def take_over(end: End, transport: asyncio.Transport) -> None:
    """Make a relay's end the protocol of a connection that is open already."""
    end.connection_made(transport)
    transport.set_protocol(end)
    transport.resume_reading()
