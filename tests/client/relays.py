"""Relays between a client and a plane: a router that forgets connections, and proxies that tunnel."""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from .servers import Behaviour

PIECE = 65_536


class Router:
    """A behaviour for `servers.listening`: forwards to a port of this machine.

    After `forget`, what is sent on the connections until then is lost without a word, as behind a NAT whose entries
    have expired. `accepted`: how many connections there were.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._forgotten = 0
        self._changed = threading.Condition()
        self.accepted = 0

    def wait_for(self, count: int) -> None:
        """Wait until so many connections were accepted."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.accepted >= count, timeout=30)

    def forget(self) -> None:
        """Lose all that comes on the connections that there are."""
        self._forgotten = self.accepted

    def __call__(self, connection: socket.socket) -> None:
        with self._changed:
            self.accepted += 1
            number = self.accepted
            self._changed.notify_all()
        with (
            contextlib.suppress(ValueError),  # the connection was closed by the end of the test
            socket.create_connection(("127.0.0.1", self._port)) as upstream,
        ):
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                for source in select.select([connection, upstream], [], [])[0]:
                    piece = source.recv(PIECE)
                    if not piece:
                        return
                    if number > self._forgotten:
                        (upstream if source is connection else connection).sendall(piece)


def tunnelling(port: int, asked: list[bytes]) -> Behaviour:
    """Return a proxy, by CONNECT or SOCKS 5, that leads to this port for any target; `asked` gets the requests."""
    forward = Router(port)

    def behave(connection: socket.socket) -> None:
        first = connection.recv(PIECE)
        if first[:1] == b"\x05":
            connection.sendall(b"\x05\x00")
            asked.append(connection.recv(PIECE))
            connection.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        else:
            asked.append(first)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        forward(connection)

    return behave
