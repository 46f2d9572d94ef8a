"""Disks whose writes tests hold back, and let fail: what a state directory writes to, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from connectrpc.errors import ConnectError

from flyteapps_control.api import ControlError
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.directory.errors import DirectoryLost, DiskFull, ReadOnly, StateError
from flyteapps_fake.directory.state_directory import Change, StateDirectory
from flyteapps_fake.saving import saver as saver_module
from flyteapps_fake.saving.saver import Saver

from ..driving import new_plane

PATIENCE_SECONDS = 30.0
HELD_SECONDS = 60.0
"""Time for which a write is held back, at most."""
RETRY_SECONDS = 0.01
NOWHERE = Path("/state")
FULL, READ_ONLY, LOST = DiskFull(NOWHERE, "planted"), ReadOnly(NOWHERE, "planted"), DirectoryLost(NOWHERE, "planted")
CODES: dict[StateError, str] = {
    FULL: "RESOURCE_EXHAUSTED",
    READ_ONLY: "FAILED_PRECONDITION",
    LOST: "FAILED_PRECONDITION",
}
"""The errors of disks, each with the code of calls that are refused because of it."""


class Disk:
    """The disk of the planes of a test. `error`: that of each write, None for writes that work."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.written = 0
        """Number of writes that worked."""
        self.tried = 0
        """Number of writes that were begun."""
        self._allowed: int | None = None
        self._free = threading.Condition()

    def hold(self) -> None:
        """Let each write wait from now on."""
        self._allowed = 0

    def release(self, number: int | None = None) -> None:
        """Let writes go on: so many more, or all."""
        with self._free:
            self._allowed = number
            self._free.notify_all()

    def _wait(self) -> None:
        with self._free:
            assert self._free.wait_for(lambda: self._allowed != 0, HELD_SECONDS), "a write was held for too long"
            if self._allowed is not None:
                self._allowed -= 1

    def fail(self, error: Exception) -> None:
        """Let each write fail from now on."""
        self.error = error
        self.release()

    def mend(self) -> None:
        """Let writes work again."""
        self.error = None
        self.release()

    @contextmanager
    def under(self) -> Generator[Disk]:
        """Be the disk of all state directories of this process, which is mended at the end."""
        write = StateDirectory.write

        def held(directory: StateDirectory, changes: Iterable[Change], position: int) -> None:
            self.tried += 1
            self._wait()
            if self.error is not None:
                raise self.error
            write(directory, changes, position)
            self.written += 1

        with patch.object(StateDirectory, "write", held), patch.object(saver_module, "RETRY_SECONDS", RETRY_SECONDS):
            try:
                yield self
            finally:
                self.mend()


def saver_of(plane: FakeControlPlane) -> Saver:
    """Return the saver of a plane."""
    saver = plane._saver  # pyright: ignore[reportPrivateUsage]  # what no call shows
    assert saver is not None
    return saver


def eventually(true: Callable[[], Any], what: str) -> None:
    """Wait until `true()`; fail with `what` where it never is."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < until, what
        time.sleep(0.002)


def mended(disk: Disk, plane: FakeControlPlane) -> None:
    """Mend a disk, and wait until the plane takes changes again."""
    disk.mend()
    saver = saver_of(plane)
    eventually(lambda: not saver.trouble, "the plane never recovered")
    with plane.shared().locked():  # which the recovery ends under
        pass


def refused(call: Callable[[], object]) -> str:
    """Return the code that a call is refused with, "" where it isn't."""
    try:
        call()
    except (ConnectError, RpcError) as error:
        return error.code.name
    except ControlError as error:
        return error.code
    return ""


def saved(path: Path, **options: Any) -> FakeControlPlane:
    """Return a plane that keeps its state in a directory."""
    kept: dict[str, Any] = {"state": path / "state", "state_sync": "group", **options}
    return new_plane(**kept)
