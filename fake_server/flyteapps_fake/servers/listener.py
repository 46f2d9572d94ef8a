"""Sockets for every server, of one port on all of its addresses. Nothing here serves.

A bound socket keeps its port from programs that look for a free one. On Linux, Envoy, which binds its own, still can.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any

LOOPBACKS = ("127.0.0.1", "::1")
"""The addresses of `localhost`; many clients try ::1 first."""
BACKLOG = 1_024
"""Connections that may wait to be accepted."""
OTHER_FILES = 48
"""Files that a server needs besides those of its connections."""
SETTLING_TURNS = 5
"""Turns of the event loop within which asyncio has made each connection that it has accepted."""
MAX_TRIES = 50
"""Free ports of one address that are tried on the others, too."""


class AddressTaken(OSError):  # noqa: N818  # reads as what happened
    """A port of `address` that another program has."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(errno.EADDRINUSE, f"port {port} of {address} is taken by another program")
        self.address = address
        self.port = port


def loopbacks() -> tuple[str, ...]:
    """Return the loopback addresses of this machine: a container may have no IPv6."""
    found: list[str] = []
    for address in LOOPBACKS:
        try:
            bound_socket(address, 0).close()
        except OSError:
            continue
        found.append(address)
    return tuple(found) or LOOPBACKS[:1]


def is_taken(address: str, port: int) -> bool:
    """Return whether a program has that port; False for an address that this machine doesn't have."""
    try:
        bound_socket(address, port).close()
    except AddressTaken:
        return True
    except OSError:
        return False
    return False


def abandon_sockets(socks: Iterable[Any]) -> None:
    """Let go of sockets in a forked child, without an effect on the parent's.

    Their numbers stay in use, by the null device: the objects in the child close them later, and might otherwise close
    another file.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (sock.fileno() for sock in socks):
        if number >= 0:
            os.dup2(nowhere, number, inheritable=False)
    os.close(nowhere)


async def start_servers(
    socks: Sequence[socket.socket], start: Callable[[socket.socket], Awaitable[asyncio.Server]]
) -> list[asyncio.Server]:
    """Start a server on each socket; all are closed where one can't be started, or the task is cancelled meanwhile."""
    servers: list[asyncio.Server] = []
    try:
        for sock in socks:
            servers.append(await start(sock))
    except BaseException:
        for sock in socks:
            with contextlib.suppress(NotImplementedError):  # Windows' loop accepts in another way
                asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        raise
    return servers


async def close_servers(servers: Sequence[asyncio.Server]) -> None:
    """Accept no more connections, and close the servers' sockets, also where the task is cancelled meanwhile.

    asyncio forgets to close a connection that it accepts as its server closes: its client would wait for good.
    """
    try:
        with contextlib.suppress(NotImplementedError):  # Windows' loop accepts in another way
            for server in servers:
                for sock in server.sockets:
                    asyncio.get_running_loop().remove_reader(sock.fileno())
        for _ in range(SETTLING_TURNS):
            await asyncio.sleep(0)
    finally:
        for server in servers:
            server.close()


def raise_file_limit() -> None:
    """Raise the number of files that this process may open to its hard limit: many systems start with 1,024."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):  # macOS accepts less than it reports
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def max_connections(*, console: bool = False) -> int:
    """Return how many connections a server, or its console, may have, by the files that this process may open."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    quarter = max(4, (limit - OTHER_FILES) // 4)
    return quarter if console else 3 * quarter


def bound_sockets(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """Return a socket for each address, of one port; 0 for one that is free on all. Raises AddressTaken, OSError."""
    for _ in range(MAX_TRIES - 1):
        try:
            return _bound(addresses, port)
        except AddressTaken:
            if port:
                raise
    return _bound(addresses, port)


def listening_sockets(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """Return listening sockets, as `bound_sockets` binds them. Raises AddressTaken, OSError."""
    socks = bound_sockets(addresses, port)
    for sock in socks:
        try:
            sock.listen(BACKLOG)
        except OSError:
            taken = sock.getsockname()[:2]
            for each in socks:
                each.close()
            raise AddressTaken(*taken) from None
    return socks


def bound_socket(address: str, port: int) -> socket.socket:
    """Return a socket bound to that address and port, 0 for a free one. Raises AddressTaken, OSError.

    asyncio sets TCP_NODELAY only on a socket whose proto is TCP's own: without it each call takes 42 ms.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would share a port that is taken
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address != "::")
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressTaken(address, port) from None
        raise
    return sock


def _bound(addresses: Sequence[str], port: int) -> list[socket.socket]:
    with ExitStack() as undo:
        socks: list[socket.socket] = []
        for address in addresses:
            sock = undo.enter_context(bound_socket(address, port))
            port = sock.getsockname()[1]
            socks.append(sock)
        undo.pop_all()
        return socks
