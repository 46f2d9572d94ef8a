"""The output of replicas: split into lines with times, kept in memory for readers, and on disk with rotation."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import threading
from collections import deque
from collections.abc import Callable
from io import FileIO
from itertools import islice, takewhile
from pathlib import Path

from flyteapps_fake.simulation.log_lines import BACKLOG, Line

MAX_LINE_BYTES = 16 * 1024
"""Bytes of one line: a longer one is split."""
MAX_LOG_BYTES = 4 * 1024 * 1024
"""Bytes of a replica's last lines that are kept in memory."""
MAX_LINES = 10 * BACKLOG
"""Lines that are kept in memory."""
FILE_BYTES = 8 * 1024 * 1024
"""Bytes of a log's file, before the next one is begun."""
OLD_FILES = 3
"""Full files that are kept beside it."""
READ_BYTES = 8_192
BYTES_A_TURN, LINES_A_TURN = 65_536, 500
"""Bytes and lines of one output, about, before the other work of the loop has its turn."""


class Log:
    """The last lines of one replica, the oldest first. One thread adds lines, and any may read them."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self._lock = threading.Lock()
        self._bytes = 0

    def add(self, at: int, text: str, *, system: bool = False) -> Line:
        """Append a line; its time is later than that of the one before."""
        lines = self._lines
        with self._lock:
            if lines and at <= lines[-1].at:
                at = lines[-1].at + 1
            line = Line(at, system, text)
            lines.append(line)
            self._bytes += len(text)
            while self._bytes > MAX_LOG_BYTES or len(lines) > MAX_LINES:
                self._bytes -= len(lines.popleft().text)
        return line

    def tail(self, count: int) -> list[str]:
        """Return the program's last lines, at most so many, since the platform's last one; the oldest first."""
        with self._lock:
            found = takewhile(lambda line: not line.system, islice(reversed(self._lines), count))
            return [line.text for line in found][::-1]

    def between(self, after: int, until: int) -> list[Line]:
        """Return the lines later than `after`, up to and including `until`, in order."""
        found: list[Line] = []
        with self._lock:
            for line in reversed(self._lines):
                if line.at <= after:
                    break
                if line.at <= until:
                    found.append(line)
        found.reverse()
        return found


class LogFile:
    """A file of log lines; a full one is renamed to NAME.1, and that to NAME.2, and so on.

    Where the disk is full, or the directory gone, lines are lost until it can be written again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._size = 0

    def write(self, lines: list[Line]) -> None:
        """Append lines, each with its time."""
        data = _text(lines)
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("ab", buffering=0)
                self._size = self._file.tell()
            if self._size >= FILE_BYTES:
                self._file = self._rotated()
            self._size += self._file.write(data)
        except OSError:
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _rotated(self) -> FileIO:
        """Begin a new file, and return it."""
        self.close()
        for number in range(OLD_FILES, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            with contextlib.suppress(FileNotFoundError):
                os.replace(newer, older)
        self._size = 0
        return self._path.open("ab", buffering=0)


def _text(lines: list[Line]) -> bytes:
    """Return the lines as the file has them."""
    texts: list[str] = []
    last, shown = -1, ""
    for line in lines:
        milliseconds = line.at // 1_000_000
        if milliseconds != last:
            last = milliseconds
            at = datetime.datetime.fromtimestamp(milliseconds / 1_000, datetime.UTC)
            shown = at.isoformat(timespec="milliseconds")
        texts.append(f"{shown} # {line.text}\n" if line.system else f"{shown} {line.text}\n")
    return "".join(texts).encode("utf-8", "replace")


class Splitter:
    """Bytes into lines: without line ends, in UTF-8, long ones split."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that these bytes complete."""
        *lines, rest = (self._rest + data).split(b"\n")
        texts = [text for line in lines for text in _decoded(line.removesuffix(b"\r"))]
        if len(rest) > MAX_LINE_BYTES:
            *pieces, rest = _pieces(rest)
            texts += [each.decode("utf-8", "replace") for each in pieces]
        self._rest = rest
        return texts

    def finish(self) -> list[str]:
        """Return the last line, which has no line end, if there is one."""
        rest, self._rest = self._rest, b""
        return _decoded(rest.removesuffix(b"\r")) if rest else []


def _decoded(line: bytes) -> list[str]:
    return [each.decode("utf-8", "replace") for each in _pieces(line)]


def _pieces(line: bytes) -> list[bytes]:
    """Return the line in pieces of at most MAX_LINE_BYTES, none of which ends within a character; at least one."""
    pieces: list[bytes] = []
    start = 0
    while len(line) - start > MAX_LINE_BYTES:
        end = start + MAX_LINE_BYTES
        while end > start + MAX_LINE_BYTES - 4 and line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[start:end])
        start = end
    pieces.append(line[start:])
    return pieces


class Output:
    """The reader of a program's output: `take` is called with its lines, until all who write it have ended."""

    def __init__(self, descriptor: int, take: Callable[[list[str]], None]) -> None:
        self._descriptor: int | None = descriptor
        self._take = take
        self._splitter = Splitter()
        self.ended = asyncio.Event()
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        assert self._descriptor is not None
        count = taken = 0
        while count < BYTES_A_TURN and taken < LINES_A_TURN:
            try:
                data = os.read(self._descriptor, READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            count += len(data)
            if lines := self._splitter.feed(data):
                taken += len(lines)
                self._take(lines)
            if len(data) < READ_BYTES:
                return

    def close(self) -> None:
        """Read no more; the last line without an end counts."""
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
            if lines := self._splitter.finish():
                self._take(lines)
            self.ended.set()
