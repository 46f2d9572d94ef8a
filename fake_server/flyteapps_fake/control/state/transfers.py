"""Files that are sent or received in parts, by ids: a whole one may be larger than one message."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from flyteapps_control.states import MAX_FILE_BYTES, PART_BYTES
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.validation import quoted

MAX_TRANSFERS = 8
"""Exports that are kept, and loads likewise: the oldest ones are forgotten, as clients may leave.

All of them together have at most the bytes of one file of the largest size, too.
"""


def _forget_oldest(kept: dict[str, bytes] | dict[str, bytearray], current: str) -> None:
    """Forget the oldest transfers but the current one, as long as there are too many, or too large ones."""
    for name in [each for each in kept if each != current]:
        if len(kept) <= MAX_TRANSFERS and sum(map(len, kept.values())) <= MAX_FILE_BYTES:
            return
        del kept[name]


def _unknown(what: str, name: str, kept: Mapping[str, object]) -> RpcError:
    those = f"there are {', '.join(kept)}" if kept else "there is none"
    return RpcError(
        Code.NOT_FOUND, f"there is no {what} {quoted(name)} any more ({those}): it is over, or too old; begin a new one"
    )


class Exports:
    """The files that are being sent. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, bytes] = {}
        self._count = 0

    def begin(self, content: bytes) -> str:
        """Keep a file until it is sent; return its id."""
        with self._lock:
            self._count += 1
            name = f"e{self._count}"
            self._kept[name] = content
            _forget_oldest(self._kept, name)
            return name

    def part(self, name: str, offset: int) -> tuple[bytes, int]:
        """Return the part of a file from an offset on, and the size of the whole; forget it with its last part.

        Raises RpcError.
        """
        with self._lock:
            content = self._kept.get(name)
            if content is None:
                raise _unknown("export", name, self._kept)
            if offset > len(content):
                raise RpcError(Code.INVALID_ARGUMENT, f"offset: the export has {len(content):,} bytes, not {offset:,}")
            if offset + PART_BYTES >= len(content):
                del self._kept[name]
            return content[offset : offset + PART_BYTES], len(content)


class Loads:
    """The files that are being received. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, bytearray] = {}
        self._count = 0

    def add(self, name: str, offset: int, part: bytes, size: int) -> tuple[str, bytes | None]:
        """Add a part to a file, to a new one without an id; return its id, and the file once it is whole.

        Raises RpcError, and the file stays as it was.
        """
        if size > MAX_FILE_BYTES:
            raise RpcError(
                Code.RESOURCE_EXHAUSTED, f"size: a file has at most {MAX_FILE_BYTES:,} bytes: use --seed-file, --state"
            )
        if not part:
            raise RpcError(Code.INVALID_ARGUMENT, "part: it is empty")
        with self._lock:
            content = self._kept.get(name) if name else bytearray()
            if content is None:
                raise _unknown("load", name, self._kept)
            if offset != len(content):
                raise RpcError(Code.INVALID_ARGUMENT, f"offset: the next part is that of {len(content):,}")
            if offset + len(part) > size:
                raise RpcError(Code.INVALID_ARGUMENT, f"part: with it, the file has more than its size, {size:,} bytes")
            content += part
            if len(content) == size:
                self._kept.pop(name, None)
                return "", bytes(content)
            if not name:
                self._count += 1
                name = f"l{self._count}"
                self._kept[name] = content
            _forget_oldest(self._kept, name)
            return name, None
