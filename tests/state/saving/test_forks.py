"""Forks of a process whose plane is saved: a child writes nothing, and waits for nothing of the parent's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyteapps_fake import FakeControlPlane

from .disks import FULL, Disk, eventually, mended
from .test_failures import create, disk_is_full, names, saved

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")

SECONDS = 120


@pytest.fixture
def disk() -> Iterator[Disk]:
    """The disk of the test's planes."""
    with Disk().under() as made:
        yield made


def in_child(run: Callable[[], bool]) -> bool:
    """Return whether `run` returned True in a forked child; False where it waits for ever there."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            import signal

            signal.alarm(SECONDS)
            status = 0 if run() else 2
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def goes_on(plane: FakeControlPlane) -> bool:
    """Write to a plane, read it, and close it; return whether it worked."""
    create(plane, "child")
    found = names(plane)
    plane.close()
    return "child" in found


def test_a_child_has_a_plane_in_memory(disk: Disk, tmp_path: Path) -> None:
    """A child's changes are its own, and at the end of the parent none of them is on the disk."""
    with saved(tmp_path) as plane:
        create(plane, "a")
        tried = disk.tried
        assert in_child(lambda: goes_on(plane))
        assert disk.tried == tried
        create(plane, "b")
    with saved(tmp_path) as again:
        assert names(again) == ["a", "b"]


def test_a_child_that_is_forked_while_a_batch_is_written_goes_on(disk: Disk, tmp_path: Path) -> None:
    """The lock of the thread that writes isn't held in the child, where that thread isn't."""
    with saved(tmp_path) as plane:
        disk.hold()
        tried = disk.tried
        thread = threading.Thread(target=create, args=(plane, "a"))
        thread.start()
        try:
            eventually(lambda: disk.tried > tried, "nothing is written")
            assert in_child(lambda: goes_on(plane))
        finally:
            disk.release()
            thread.join()
        assert names(plane) == ["a"]


def test_a_child_that_is_forked_while_nothing_can_be_saved_goes_on(disk: Disk, tmp_path: Path) -> None:
    """The trouble of the parent's disk is no trouble of the child's, which doesn't write."""
    with saved(tmp_path) as plane:
        create(plane, "a")
        disk_is_full(disk, plane)
        assert disk.error is FULL
        assert in_child(lambda: goes_on(plane))
        mended(disk, plane)
        create(plane, "b")


def test_a_child_refuses_nothing_and_keeps_no_images(disk: Disk, tmp_path: Path) -> None:
    """A child doesn't go on collecting what a batch would need."""
    with saved(tmp_path) as plane:
        create(plane, "a")

        def is_light() -> bool:
            create(plane, "b")
            return not plane._timeline.changes.on  # pyright: ignore[reportPrivateUsage]  # what no call shows

        assert in_child(is_light)
