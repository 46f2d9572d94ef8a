"""Uploaded files on disk: where each is kept, by its name in the request for a location.

They are kept for apps that really run, and in the directory of a plane's state, where one server after another finds
them: the directory is the index of its files.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from flyteapps_fake.core.settings import Settings

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
"""A part of a name that is kept as it is."""


_ARRIVING = ".arriving-"
_SECRET = ".secret"
SECRET_BYTES = 32


def upload_files(settings: Settings, directory: Path | None) -> UploadFiles | None:
    """Return the files that a plane keeps, None where it drops them. `directory`: that of apps that really run."""
    if settings.state is not None:
        return UploadFiles(Path(settings.state) / "uploads", durable=settings.state_sync != "never")
    return UploadFiles(directory) if directory is not None else None


class UploadFiles:
    """The files under a directory. Raises OSError where the disk doesn't take them.

    `durable`: whether a file that was kept survives a power loss.
    """

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.directory = directory
        self.durable = durable

    @staticmethod
    def place(key: str) -> str:
        """Return where the file of that key is kept, relative to the directory: files of one folder stay in one."""
        return "/".join(_part(part) for part in key.split("/"))

    def path(self, place: str) -> Path:
        """Return the path of a place."""
        return self.directory / place

    def secret(self) -> bytes:
        """Return the secret that signs URLs, made by the first server that keeps files here."""
        path = self.directory / _SECRET
        with contextlib.suppress(FileNotFoundError):
            if len(found := path.read_bytes()) == SECRET_BYTES:
                return found
        upload = self.begin()
        upload.write(made := secrets.token_bytes(SECRET_BYTES))
        upload.keep(path)
        return made

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield the place and the size of each file; remove those of a process before that never became whole."""
        mine = f"{_ARRIVING}{os.getpid()}-"
        for folder, _, names in os.walk(self.directory):
            for name in names:
                path = Path(folder, name)
                if name.startswith(_ARRIVING) and not name.startswith(mine):
                    path.unlink(missing_ok=True)
                elif not name.startswith("."):
                    with contextlib.suppress(OSError):
                        yield path.relative_to(self.directory).as_posix(), path.stat().st_size

    def begin(self) -> Upload:
        """Return a file that is about to be written."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / f"{_ARRIVING}{os.getpid()}-{secrets.token_hex(8)}"
        return Upload(path, self.directory if self.durable else None)


class Upload:
    """A file that is being written: it is there for others when it is whole.

    `root`: the directory of all files, where it has to survive a power loss, too.
    """

    def __init__(self, path: Path, root: Path | None) -> None:
        self._path = path
        self._root = root
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO | None = os.fdopen(descriptor, "wb")

    def write(self, data: bytes) -> None:
        """Append bytes."""
        assert self._file is not None
        self._file.write(data)

    def keep(self, path: Path) -> None:
        """Put the whole file where it belongs."""
        if self._root is not None and self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._close()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.replace(self._path, path)
        if self._root is not None:
            for folder in (path.parent, *path.parent.parents):
                _sync(folder)
                if folder == self._root:
                    break

    def drop(self) -> None:
        """Remove a file that isn't whole; nothing happens to one that was kept."""
        with contextlib.suppress(OSError):
            self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


def _sync(folder: Path) -> None:
    """Let the names in a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _part(part: str) -> str:
    """Return a part of a name that is safe as a file's name, the same for the same part."""
    if _PLAIN.fullmatch(part):
        return part
    digest = hashlib.blake2b(part.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{digest}-{re.sub(r'[^A-Za-z0-9._-]', '_', part)[-60:]}"
