"""Listening sockets, for every server and every check of a port. Nothing here serves."""

from __future__ import annotations

import socket


def listening_socket(address: str, port: int) -> socket.socket:
    """A bound socket, 0 for a free port. OSError where it can't be had.

    asyncio gives it TCP_NODELAY, which it does only where proto is TCP's own: else each call takes 42 ms.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(1024)
    except OSError:
        sock.close()
        raise
    return sock
