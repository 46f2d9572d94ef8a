"""The use of processes, by psutil: memory, ports that they listen on; and the processes that an earlier run left."""

from __future__ import annotations

import contextlib
import os
import socket
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import psutil

from flyteapps_fake.core.hostnames import is_loopback
from flyteapps_fake.processes.keeper import MARK
from flyteapps_fake.servers.listener import LOOPBACKS

ACCEPT_SECONDS = 1.0
"""The longest time to look whether a port accepts."""


class Usage(NamedTuple):
    """The memory of a replica's processes in bytes, and how many they are."""

    memory: int
    processes: int


def usage_of(limits: Mapping[int, int | None]) -> dict[int, Usage]:
    """Return the usage of each of these processes with all that descend from it, in one look at the machine.

    `limits`: their limits of memory. Pages that several of its processes share count once where that matters.
    """
    children: defaultdict[int, list[int]] = defaultdict(list)
    memory: dict[int, int] = {}
    for process in psutil.process_iter(["ppid", "memory_info"]):
        info: Mapping[str, object] = process.info  # type: ignore[attr-defined]  # process_iter sets it
        parent, used = info["ppid"], info["memory_info"]
        if isinstance(parent, int):
            children[parent].append(process.pid)
        memory[process.pid] = int(getattr(used, "rss", 0))
    found: dict[int, Usage] = {}
    for root, limit in limits.items():
        family = _family(root, children)
        used = sum(memory.get(pid, 0) for pid in family)
        if limit is not None and used > limit and len(family) > 1:
            used = sum(_proportional(pid, memory.get(pid, 0)) for pid in family)
        found[root] = Usage(used, len(family))
    return found


def _proportional(pid: int, otherwise: int) -> int:
    """Return the memory of a process with its part of the pages that it shares, which takes longer to read."""
    with contextlib.suppress(psutil.Error, OSError):
        return int(getattr(psutil.Process(pid).memory_full_info(), "pss", otherwise))
    return otherwise


def _family(root: int, children: Mapping[int, list[int]]) -> list[int]:
    family = [root]
    for pid in family:
        family.extend(children.get(pid, ()))
    return family


def listening_ports(root: int) -> set[int]:
    """Return the TCP ports on which a process and those that descend from it listen."""
    return {port for _, port in _listening(root)}


def exposed_addresses(root: int) -> list[str]:
    """Return where a process and those that descend from it listen for other machines, as ADDRESS:PORT."""
    return sorted({f"{address}:{port}" for address, port in _listening(root) if not is_loopback(address)})


def _listening(root: int) -> Iterator[tuple[str, int]]:
    """Yield the addresses and ports on which a process and those that descend from it listen."""
    with contextlib.suppress(psutil.Error, OSError):
        top = psutil.Process(root)
        for process in (top, *top.children(recursive=True)):
            yield from _listening_of(process)


def _listening_of(process: psutil.Process) -> Iterator[tuple[str, int]]:
    with contextlib.suppress(psutil.Error, OSError):
        for each in process.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN:
                yield each.laddr.ip, each.laddr.port


def stranger_on(port: int, root: int, mark: str) -> str:
    """Return the other program that listens on a port, "" where that is the replica's or can't be known.

    `root`: the replica's process; `mark`: that of all of its processes, those that have left it included.
    """
    if _listens(root, port) or port in listening_ports(root):
        return ""
    with contextlib.suppress(psutil.AccessDenied, OSError):
        listeners = [
            each.pid
            for each in psutil.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN and each.laddr[1:] == (port,)
        ]
        try:
            strangers = [psutil.Process(pid) for pid in listeners if pid is not None]
            strangers = [each for each in strangers if each.environ().get(MARK) != mark]
            if listeners:
                return f"{strangers[0].name()}, process {strangers[0].pid}" if strangers else ""
        except psutil.NoSuchProcess:
            pass
        return "" if _accepts(port) else "one that has just ended"
    return ""


def _accepts(port: int) -> bool:
    """Return whether a port still accepts, as one does that is forwarded by the system and has no listener here."""
    for host in LOOPBACKS:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=ACCEPT_SECONDS):
            return True
    return False


def _listens(pid: int, port: int) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return any(found == port for _, found in _listening_of(psutil.Process(pid)))
    return False


def sweep(prefix: str) -> list[int]:
    """Kill the processes whose mark begins so, which a server that was killed left behind; return their ids.

    Raises ValueError for an empty prefix, with which the marks of others begin, too.
    """
    if not prefix:
        raise ValueError("the prefix of marks is empty")
    swept: list[int] = []
    for pid in psutil.pids():
        if pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            mark = process.environ().get(MARK, "")
            if mark and mark.startswith(prefix):
                process.kill()
                swept.append(pid)
    return swept
