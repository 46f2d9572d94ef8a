"""The file of `--call-log`: each finished call as one line of JSON, appended by a thread of its own."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from flyteapps_control.calls import plain_call
from flyteapps_fake.cli.background_writer import BackgroundWriter
from flyteapps_fake.cli.output import warn
from flyteapps_fake.control.call_log import Record
from flyteapps_fake.control.calls.record_form import recorded

MAX_QUEUED_CALLS = 10_000
"""Calls that wait for the file; further ones are dropped, and their number is reported later."""


def _size(record: Record) -> int:
    return record.size


class CallLogFile(BackgroundWriter[Record]):
    """A file to which calls are appended. Once it can't be written, one warning says so, and calls are dropped.

    Raises OSError if it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        super().__init__("flyteapps-call-log", self._append, MAX_QUEUED_CALLS, self._dropped_message, _size)
        self._path = path
        self._file = path.open("a", encoding="utf-8")

    def _append(self, record: Record, last: bool) -> bool:
        try:
            self._file.write(json.dumps(plain_call(recorded(record)), separators=(",", ":")) + "\n")
            if last:
                self._file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):  # which flushes once more
                self._file.close()
            warn(f"--call-log {self._path}: can't be written any more: {error.strerror}; no further calls are logged")
            return False
        return True

    def _dropped_message(self, dropped: int) -> str:
        return f"--call-log {self._path}: {dropped} calls were dropped, as the file is written too slowly"
