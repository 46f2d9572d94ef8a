"""Writes that take time, on a disk that is slow or fails: each is answered once it is saved, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE

from ..driving import app_of
from .disks import FULL, Disk, eventually, mended, refused, saved, saver_of


@pytest.fixture
def disk() -> Iterator[Disk]:
    """The disk of the test's planes."""
    with Disk().under() as made:
        yield made


def write_of(plane: FakeControlPlane, name: str) -> Postponed:
    """Begin to create an app of the dialect whose writes take time."""
    with pytest.raises(Postponed) as begun:
        plane.call(Call(CREATE, rpc.CreateRequest(app=app_of("p", name, "", "", "img:1"))))
    return begun.value


def all_names(plane: FakeControlPlane) -> list[str]:
    """Return the names of all apps, where a List can't be of an org."""
    return [app.metadata.id.name for app in plane.stub().list(rpc.ListRequest()).apps]


def test_a_write_pending_is_saved_before_it_is_answered(disk: Disk, tmp_path: Path) -> None:
    """A write that takes time is answered once its change is safe; one whose change was undone is refused."""
    options: dict[str, Any] = {"dialect": "flyte-oss", "clock": "manual", "write_seconds": 1, "scenarios": ()}
    with saved(tmp_path, **options) as plane:
        disk.hold()
        first = write_of(plane, "a")
        plane.advance(1)
        assert first.left() != 0  # it waits for the disk
        disk.release()
        eventually(lambda: first.left() == 0, "the write was never saved")
        assert first.resume()
        second, third = write_of(plane, "b"), write_of(plane, "c")
        disk.hold()
        plane.advance(1)  # both have ended, and nobody has asked
        disk.fail(FULL)
        eventually(lambda: saver_of(plane).trouble, "the disk never failed")
        for each in (second, third):
            eventually(lambda each=each: each.left() == 0, "the write never ended")
            assert refused(each.resume) == "RESOURCE_EXHAUSTED"
        assert all_names(plane) == ["a"]
        mended(disk, plane)
    with saved(tmp_path, **options) as again:
        assert all_names(again) == ["a"]
