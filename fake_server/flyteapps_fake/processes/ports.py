"""The ports of replicas, and of apps at the ingress. A port is looked at before it is given: others may have it.

It takes a while until a program has opened the port that it was given. Meanwhile other planes of this machine, as in
parallel tests, know that it is given by a claim: a Unix socket without a file, whose name has the port's number. The
system releases it with the process.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

from flyteapps_fake.servers.listener import LOOPBACKS, AddressTaken, is_taken
from flyteapps_fake.standard.ingress import drawn_port

REPLICA_PORTS = range(11_000, 20_000)
"""The ports of replicas that don't have the one of their container."""
FIRST_UNPRIVILEGED = 1_024
MAX_UNOPENED = 256
"""Claims of ports of apps that were created, and are not open yet; the oldest ones are given up."""


class AppPorts:
    """The ports of apps at the ingress, from their choice until they are open."""

    def __init__(self) -> None:
        self._claims: dict[int, socket.socket | None] = {}

    def choose(self, is_apps: Callable[[int], bool], key: Any) -> int:
        """Return a port for an app: no other app's, and no other program's. Raises RpcError if there is none."""
        return drawn_port(lambda port: is_apps(port) or not self._claim(port), key)

    def _claim(self, port: int) -> bool:
        if any(is_taken(address, port) for address in LOOPBACKS):
            return False
        if port in self._claims:
            return True
        try:
            self._claims[port] = claim(port)
        except AddressTaken:
            return False
        while len(self._claims) > MAX_UNOPENED:
            self.opened(next(iter(self._claims)))
        return True

    def opened(self, port: int) -> None:
        """Give up the claim of a port that is open."""
        _close(self._claims.pop(port, None))

    def close(self) -> None:
        """Give up all claims."""
        while self._claims:
            _close(self._claims.popitem()[1])


class ReplicaPorts:
    """The ports that replicas have, or are to open."""

    def __init__(self) -> None:
        self._claims: dict[int, socket.socket | None] = {}
        self._next = REPLICA_PORTS.start

    def take(self, wanted: int) -> int:
        """Return the wanted port if it is free, else another one. Raises OSError if there is none."""
        if wanted >= FIRST_UNPRIVILEGED and self._claim(wanted):
            return wanted
        for _ in range(len(REPLICA_PORTS)):
            port, self._next = self._next, self._next + 1
            if self._next == REPLICA_PORTS.stop:
                self._next = REPLICA_PORTS.start
            if self._claim(port):
                return port
        raise OSError(f"no port from {REPLICA_PORTS.start} to {REPLICA_PORTS.stop - 1} is free")

    def _claim(self, port: int) -> bool:
        if port in self._claims or not is_free(port):
            return False
        try:
            self._claims[port] = claim(port)
        except AddressTaken:
            return False
        return True

    def release(self, port: int) -> None:
        """Take a port back."""
        _close(self._claims.pop(port, None))


def is_free(port: int) -> bool:
    """Return whether no program has that port on any address that an app may listen on."""
    return not any(is_taken(address, port) for address in ("0.0.0.0", *LOOPBACKS))


def claim(port: int) -> socket.socket | None:
    """Return a claim of a port, None where the system has none. Raises AddressTaken: another plane has claimed it."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:  # this process has too many open files
        return None
    try:
        sock.bind(f"\0flyteapps-port-{port}")
    except OSError:
        sock.close()
        raise AddressTaken(f"claim {port}", port) from None
    return sock


def _close(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()
