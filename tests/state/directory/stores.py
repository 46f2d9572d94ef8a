"""State directories for tests: opened, copied, and with content that a test knows."""

from __future__ import annotations

import shutil
from pathlib import Path

from flyteapps_fake.directory.database import Sync
from flyteapps_fake.directory.state_directory import StateDirectory

Content = dict[tuple[str, bytes], bytes]


def opened(path: Path, sync: Sync = "never", *, dialect: str = "standard", create: bool = True) -> StateDirectory:
    """Open a directory."""
    return StateDirectory.open(path, dialect=dialect, sync=sync, create=create)


def content(directory: StateDirectory) -> Content:
    """Return all entries; none is there twice."""
    listed = list(directory.entries())
    found: Content = {(section, key): value for section, key, value in listed}
    assert len(found) == len(listed) == directory.count()
    return found


def filled(path: Path, count: int = 100, size: int = 500) -> Content:
    """Make a directory with so many entries of about that size, and close it."""
    entries: Content = {("apps", b"app-%d" % n): bytes([n % 256]) * size for n in range(count)}
    with opened(path) as directory:
        directory.write([(section, key, value) for (section, key), value in entries.items()], 1)
    return entries


def copied(path: Path, to: Path) -> Path:
    """Copy the files of a directory that is open, as a power loss would leave them."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    for name in ("state.db", "state.db-wal"):
        if (path / name).exists():
            shutil.copyfile(path / name, to / name)
    return to


def listing(path: Path) -> dict[str, bytes]:
    """Return the files under a path with their content."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
