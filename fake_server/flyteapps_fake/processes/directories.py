"""The directories of the data plane: one for each replica and app, the logs, and the uploaded files.

DIRECTORY/
  lock              held by the one server that uses the directory
  id                the beginning of the marks of its replicas, the same in each run
  apps/APP/REPLICA  the working directory of a replica
  data/APP          the app's raw data
  logs/APP/         REPLICA.log
  uploads/          what was uploaded: code bundles and files
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shutil
import tempfile
from pathlib import Path

from flyteapps_control.selection import AppName
from flyteapps_fake.directory.lock import DirectoryLock

PREFIX_BYTES = 6


def is_prefix(text: str) -> bool:
    """Return whether a text is the beginning of marks: by anything shorter, the processes of others would be ended."""
    return re.fullmatch(rf"[0-9a-f]{{{2 * PREFIX_BYTES}}}-", text) is not None


class Directories:
    """The directories under `root`; a temporary one, which `close` removes, where that is None."""

    def __init__(self, root: str | None) -> None:
        self.is_temporary = root is None
        self.root = Path(tempfile.mkdtemp(prefix="flyteapps-")) if root is None else Path(root)
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _locked(self.root)
        self.uploads = self.root / "uploads"
        try:
            self.prefix = self._prefix()
            self.uploads.mkdir(exist_ok=True)
        except OSError:
            self.close()
            raise
        shutil.rmtree(self.root / "apps", ignore_errors=True)  # of an earlier run, whose processes have ended

    def _prefix(self) -> str:
        """Return the prefix of an earlier run, or a new one where there is none, or the file isn't whole."""
        file = self.root / "id"
        with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
            if is_prefix(prefix := file.read_text(encoding="ascii")):
                return prefix
        prefix = f"{secrets.token_hex(PREFIX_BYTES)}-"
        file.write_text(prefix, encoding="ascii")
        return prefix

    def path_of_replica(self, app: AppName, replica: str) -> Path:
        """Return the path of a working directory, which may not be there."""
        return self._of(app, "apps") / replica

    def data(self, app: AppName) -> Path:
        """Return the directory of an app's raw data."""
        directory = self._of(app, "data")
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def log(self, app: AppName, replica: str) -> Path:
        """Return the path of a replica's log."""
        return self._of(app, "logs") / f"{replica}.log"

    def remove(self, app: AppName) -> None:
        """Remove the files of a deleted app."""
        for kind in ("apps", "data", "logs"):
            shutil.rmtree(self._of(app, kind), ignore_errors=True)

    def _of(self, app: AppName, kind: str) -> Path:
        """Return an app's directory: its name, as far as it can be one, and a digest of all of it."""
        digest = hashlib.blake2b(repr(tuple(app)).encode("utf-8", "replace"), digest_size=6).hexdigest()
        name = re.sub(r"[^A-Za-z0-9_-]", "_", app.name)[:64]
        return self.root / kind / f"{name}-{digest}"

    def close(self) -> None:
        """Leave the directory to others; a temporary one is removed."""
        self._lock.close()
        if self.is_temporary:
            shutil.rmtree(self.root, ignore_errors=True)


def check_unused(root: Path) -> None:
    """Check that no other server uses a directory. Raises DirectoryInUse."""
    _locked(root).close()


def _locked(root: Path) -> DirectoryLock:
    advice = "stop it, or give this one another directory (--app-directory)"
    return DirectoryLock(root, user="another server that runs apps", advice=advice)
