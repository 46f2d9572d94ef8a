"""The lock of a directory: one process uses it at a time.

The lock is `flock`'s, so that the kernel releases it when the process ends, however it ends. A forked child closes its
copy of the descriptor: it neither holds the directory after its parent's end, nor releases it before.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from flyteapps_fake.core.time.forks import register_inherited
from flyteapps_fake.directory.errors import DirectoryInUse
from flyteapps_fake.directory.files import LOCK, host

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked
    fcntl = None  # type: ignore[assignment]


_named: int | None = None


def name_process(pid: int) -> None:
    """Let the locks of this process name another one: its parent, where that is the one that a signal stops."""
    global _named
    _named = pid


def _own_name() -> int:
    return os.getpid() if _named is None else _named


class DirectoryLock:
    """The lock of the directory `root`, held until `close`.

    Raises DirectoryInUse where another process holds it or moves the directory away meanwhile, and OSError where the
    file of the lock can't be opened. `user` and `advice` are for that message: what has the directory, and what to do.
    """

    def __init__(self, root: Path, *, user: str, advice: str) -> None:
        self._descriptor: int | None = None
        if fcntl is None:
            return
        descriptor = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, holder = _holder(descriptor)
            os.close(descriptor)
            raise DirectoryInUse(f"{root} is in use by {user}{holder}: {advice}", root, pid) from None
        except OSError:
            os.close(descriptor)
            raise
        if not _is_at(descriptor, root / LOCK):
            os.close(descriptor)
            raise DirectoryInUse(f"{root} was moved away or replaced while it was opened: try again", root)
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # a full disk: the lock is held, its holder isn't named
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{_own_name()} {host()}\n".encode(errors="replace"), 0)
        register_inherited(self)

    def forked(self) -> None:
        """Close the copy of a forked child, which leaves the parent's as it is."""
        self.close()

    def close(self) -> None:
        """Leave the directory to others."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is the one at a path: between its opening and its lock it may have been moved."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def _holder(descriptor: int) -> tuple[int | None, str]:
    """Return the process that holds a lock, and the words that name it."""
    found = re.fullmatch(r"(\d+) (\S+)\n", os.pread(descriptor, 1024, 0).decode(errors="replace"))
    if found is None:
        return None, ""
    pid = int(found[1])
    if found[2] != host():
        return pid, f" (process {pid} on {found[2]})"
    return pid, " (this process)" if pid == _own_name() else f" (process {pid})"
