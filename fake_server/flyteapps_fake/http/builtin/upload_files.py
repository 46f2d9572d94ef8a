"""Uploaded files on disk, for apps that really run: where each is kept, by its name in the request for a location."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import BinaryIO

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
"""A part of a name that is kept as it is."""


class UploadFiles:
    """The files under a directory. Raises OSError where the disk doesn't take them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, key: str) -> Path:
        """Return where the file of that key is kept: files of one folder stay in one folder."""
        return self.directory.joinpath(*(_part(part) for part in key.split("/")))

    def begin(self) -> Upload:
        """Return a file that is about to be written."""
        self.directory.mkdir(parents=True, exist_ok=True)
        return Upload(self.directory / f".arriving-{secrets.token_hex(8)}")


class Upload:
    """A file that is being written: it is there for others when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = path.open("wb")

    def write(self, data: bytes) -> None:
        """Append bytes."""
        assert self._file is not None
        self._file.write(data)

    def keep(self, path: Path) -> None:
        """Put the whole file where it belongs."""
        self._close()
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self._path, path)

    def drop(self) -> None:
        """Remove a file that isn't whole; nothing happens to one that was kept."""
        with contextlib.suppress(OSError):
            self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


def _part(part: str) -> str:
    """Return a part of a name that is safe as a file's name, the same for the same part."""
    if _PLAIN.fullmatch(part):
        return part
    digest = hashlib.blake2b(part.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{digest}-{re.sub(r'[^A-Za-z0-9._-]', '_', part)[-60:]}"
