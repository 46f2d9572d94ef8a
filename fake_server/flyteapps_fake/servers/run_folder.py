"""The folder that a server and its child need while they start."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

MAX_PATH_BYTES = 75
"""Of the folder: a Unix socket's path has at most 107 bytes on Linux, 103 on macOS."""
SHORT = "/tmp"
"""For where TMPDIR is too long, as under test runners and build systems it may be."""


@contextlib.contextmanager
def run_folder() -> Generator[Path]:
    """A new folder that only this user can enter, removed at the end. Raises OSError where there can be none."""
    base: str | None = tempfile.gettempdir()
    if len(os.fsencode(base)) > MAX_PATH_BYTES:
        base = SHORT
    with tempfile.TemporaryDirectory(prefix="flyteapps-", dir=base, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
