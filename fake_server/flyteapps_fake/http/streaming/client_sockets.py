"""The sockets of clients in this process, whichever server has them.

No server lets its application close a connection: pyvoy keeps even the end of an answer back until its client has read
what is before it. A socket that is shut down, its server closes as if the client had left.
"""

from __future__ import annotations

import os
import socket
import stat

FILES = "/dev/fd"
"""The open files of a process, on Linux and macOS."""
MAPPED = "::ffff:"
"""The beginning of an IPv4 address as a socket for both kinds of addresses has it."""


def shut_down(client: tuple[str, int]) -> bool:
    """Shut down the connection from that address and port; return whether there is one."""
    try:
        descriptors = [int(name) for name in os.listdir(FILES)]
    except OSError:  # Windows
        return False
    return any(_shut_down(descriptor, client) for descriptor in descriptors)


def _shut_down(descriptor: int, client: tuple[str, int]) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        # a copy remains the same connection if another thread closes the descriptor meanwhile
        with socket.socket(fileno=os.dup(descriptor)) as sock:
            if sock.family not in (socket.AF_INET, socket.AF_INET6):
                return False
            host, port = sock.getpeername()[:2]
            if (host.removeprefix(MAPPED), port) != (client[0].removeprefix(MAPPED), client[1]):
                return False
            sock.shutdown(socket.SHUT_RDWR)
            return True
    except OSError:  # closed meanwhile, or not connected
        return False
