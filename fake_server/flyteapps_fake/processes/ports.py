"""The ports of replicas, and of apps at the ingress. A port is looked at before it is given: others may have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flyteapps_fake.servers.listener import LOOPBACKS, is_taken
from flyteapps_fake.standard.ingress import drawn_port

REPLICA_PORTS = range(11_000, 20_000)
"""The ports of replicas that don't have the one of their container."""
FIRST_UNPRIVILEGED = 1_024


def free_app_port(is_apps: Callable[[int], bool], key: Any) -> int:
    """Return a port for an app: no other app's, and no other program's. Raises RpcError if there is none."""
    return drawn_port(lambda port: is_apps(port) or any(is_taken(address, port) for address in LOOPBACKS), key)


class ReplicaPorts:
    """The ports that replicas have, or are to open."""

    def __init__(self) -> None:
        self._given: set[int] = set()
        self._next = REPLICA_PORTS.start

    def take(self, wanted: int) -> int:
        """Return the wanted port if it is free, else another one. Raises OSError if there is none."""
        if wanted >= FIRST_UNPRIVILEGED and wanted not in self._given and is_free(wanted):
            self._given.add(wanted)
            return wanted
        for _ in range(len(REPLICA_PORTS)):
            port, self._next = self._next, self._next + 1
            if self._next == REPLICA_PORTS.stop:
                self._next = REPLICA_PORTS.start
            if port not in self._given and is_free(port):
                self._given.add(port)
                return port
        raise OSError(f"no port from {REPLICA_PORTS.start} to {REPLICA_PORTS.stop - 1} is free")

    def release(self, port: int) -> None:
        """Take a port back."""
        self._given.discard(port)


def is_free(port: int) -> bool:
    """Return whether no program has that port on any address that an app may listen on."""
    return not any(is_taken(address, port) for address in ("0.0.0.0", *LOOPBACKS))
