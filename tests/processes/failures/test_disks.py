"""Disks that are full, and directories that are read-only or gone: the app says so, the others and the plane go on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from disks import fill, small_disk

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.directory.errors import DirectoryInUse
from flyteapps_fake.processes.directories import Directories
from flyteapps_fake.processes.usage import sweep

from ..running import FOREVER, SERVE, Apps, body, descriptors, runs, script, until

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def test_a_disk_that_an_app_fills(disk: Path) -> None:
    """The app ends by its own error; the others answer, their lines are in memory, and all goes on once it is gone."""
    with Apps(directory=str(disk)) as apps:
        other = apps.started("other")
        text = "import signal\nfile = open('filling', 'wb', buffering=0)\nwhile True: file.write(b'x' * 4096)"
        apps.create(text=text)
        assert "No space left on device" in apps.reaches("FAILED").message
        assert body(other) == b"ok"
        app = apps.create(text=SERVE).watch()
        assert body(app) == b"ok"


def test_a_full_disk(disk: Path) -> None:
    """An app that needs a directory has FAILED with the system's reason, and runs as soon as there is room."""
    with Apps(directory=str(disk)) as apps:
        app = apps.started(text=f"import os\nos.write(1, b'x' * 70_000)\n{SERVE}")
        filling = fill(disk)
        apps.create("noisy", f"print('much', flush=True)\n{SERVE}")
        assert body(app) == b"ok"
        apps.create("other", command=["./nothing"])
        assert apps.reaches("FAILED", "other").message
        filling.unlink()
        apps.reaches("ACTIVE", "noisy")
        assert body(apps.create("other", SERVE).watch()) == b"ok"


def test_a_disk_that_is_full_from_the_start(disk: Path) -> None:
    """No file is left open, and the next start, with room, doesn't take what is there for whole."""
    filling = fill(disk)
    before = descriptors()
    with pytest.raises(OSError, match="No space"):
        Directories(str(disk))
    assert descriptors() == before
    filling.unlink()
    directories = Directories(str(disk))
    assert len(directories.prefix) == 13
    directories.close()


@pytest.mark.parametrize("content", ["", "\n", "abc", "0123456789ab", "x" * 13, "ü"])
def test_an_id_that_is_not_whole_is_replaced(content: str, tmp_path: Path) -> None:
    """By a shorter one, the processes of others would be ended."""
    (tmp_path / "id").write_text(content)
    directories = Directories(str(tmp_path))
    assert len(directories.prefix) == 13
    directories.close()
    again = Directories(str(tmp_path))
    assert again.prefix == directories.prefix
    again.close()


def test_a_sweep_needs_a_prefix() -> None:
    """Each process would match an empty one."""
    with pytest.raises(ValueError, match="empty"):
        sweep("")
    assert sweep("no-such-mark") == []


@pytest.mark.parametrize("kind", ["apps", "data", "logs"])
def test_a_directory_that_cannot_be_made(kind: str, tmp_path: Path) -> None:
    """A file is in its place: without a log an app runs, without its own directory it says what is wrong."""
    with Apps(directory=str(tmp_path)) as apps:
        (tmp_path / kind).write_text("")
        app = apps.create()
        if kind == "logs":
            assert body(app.watch()) == b"ok"
            return
        message = apps.reaches("FAILED").message
        assert message.startswith("Can't be prepared: ")
        assert str(tmp_path / kind) in message
        (tmp_path / kind).unlink()
        apps.reaches("ACTIVE")
        assert body(app) == b"ok"


def test_a_directory_that_is_deleted_while_apps_run(tmp_path: Path) -> None:
    root = tmp_path / "root"
    with Apps(directory=str(root)) as apps:
        app = apps.started()
        shutil.rmtree(root)
        assert body(app) == b"ok"
        assert body(apps.started("other")) == b"ok"
        apps.stop()


def test_an_app_that_deletes_its_own_directory(apps: Apps) -> None:
    """It runs, and the next start has a new one."""
    app = apps.started(text=f"import os\nos.rmdir(os.getcwd())\n{SERVE}")
    pid = apps.pid()
    assert body(app) == b"ok"
    apps.stop()
    app.activate(wait=True)
    assert body(app) == b"ok"
    assert not runs(pid)


def test_a_directory_that_cannot_be_removed(apps: Apps, disk: Path) -> None:
    """Another disk is mounted in it: the app is stopped all the same."""
    app = apps.started(text=f"import os\nos.mkdir('mounted')\nprint(os.getcwd(), flush=True)\n{SERVE}")
    [folder] = until(apps.lines)
    subprocess.run(["mount", "--bind", str(disk), f"{folder}/mounted"], check=True)
    try:
        apps.stop()
    finally:
        subprocess.run(["umount", "-l", f"{folder}/mounted"], check=True)
    app.activate(wait=True)
    assert body(app) == b"ok"


def test_a_directory_of_another_server(tmp_path: Path) -> None:
    """Both would end each other's apps."""
    with Apps(directory=str(tmp_path)), pytest.raises(DirectoryInUse, match="is in use by another server"):
        FakeControlPlane(data_plane="processes", processes={"directory": str(tmp_path)})
    with Apps(directory=str(tmp_path)):
        pass


def test_symbolic_links_are_not_followed(apps: Apps, tmp_path: Path) -> None:
    """The target of an app's link is not removed with its directory."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    apps.started(command=script(f"import os, sys\nos.symlink(sys.argv[1], 'link')\n{SERVE}", str(tmp_path / "kept")))
    apps.stop()
    apps.client.apps.delete("web")
    assert (tmp_path / "kept" / "file").exists()


def test_the_directory_of_a_replica_is_its_own(apps: Apps) -> None:
    """It is empty at each start, and not that of another app."""
    text = f"import os\nprint(os.listdir(), os.getcwd(), flush=True)\nopen('file', 'w')\n{FOREVER}"
    apps.create(text=text)
    apps.create("second", text)
    first, second = until(apps.lines)[0], until(lambda: apps.lines("second"))[0]
    assert first.startswith("[] ")
    assert second.startswith("[] ")
    assert first != second
