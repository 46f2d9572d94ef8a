"""The temporary folder of a server and its child while they start."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

MAX_PATH_BYTES = 75
"""Bound of the folder's path: a Unix socket's has at most 107 bytes on Linux, 103 on macOS."""
SHORT = "/tmp"
"""The base where TMPDIR is too long, as it may be under test runners and build systems."""


@contextlib.contextmanager
def run_folder() -> Generator[Path]:
    """Yield a new folder that only this user can enter, and remove it at the end. Raises OSError."""
    base: str | None = tempfile.gettempdir()
    if len(os.fsencode(base)) > MAX_PATH_BYTES:
        base = SHORT
    with tempfile.TemporaryDirectory(prefix="flyteapps-", dir=base, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def state_folder() -> Path:
    """Return the folder, by the rules of XDG. Raises ValueError where there is no home directory."""
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError:
        raise ValueError("there is no home directory to keep state in: set HOME or XDG_STATE_HOME") from None
    return Path(state) / "flyteapps"
