"""The access log: one line per answered call with method, app, code and milliseconds, and notices; as text or JSON.

A thread of its own writes it: the reader of the output may be slow or have stopped, and calls must not wait for it.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from flyteapps_fake.cli.output import warn, write_line
from flyteapps_fake.core.dialect import Notice

if TYPE_CHECKING:
    from flyteapps_fake.http.options import AccessLine

MAX_QUEUED_LINES = 10_000
"""Lines that wait for the output; further ones are dropped, and their number is reported later."""


def access_log(log_format: str, quiet: bool) -> AccessLog | None:
    """Return the log to standard output, or None for a quiet server."""
    return None if quiet else AccessLog(_as_json if log_format == "json" else _as_text)


class AccessLog:
    """A log that accepts lines from any thread without waiting. Once standard output is closed, it drops them."""

    def __init__(self, form: Callable[[datetime, AccessLine | Notice], str]) -> None:
        self._form = form
        self._lines: queue.Queue[tuple[datetime, AccessLine | Notice]] = queue.Queue(MAX_QUEUED_LINES)
        self._dropped = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def __call__(self, line: AccessLine | Notice) -> None:
        """Queue a line for writing."""
        if self._closed:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="flyteapps-access-log", daemon=True)
            self._thread.start()
        try:
            self._lines.put_nowait((datetime.now(), line))
        except queue.Full:
            self._dropped += 1

    def flush(self, seconds: float) -> None:
        """Wait until all lines are written, for at most that many seconds."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, seconds)

    def _run(self) -> None:
        while True:
            moment, line = self._lines.get()
            try:
                if not self._closed:
                    self._closed = not write_line(self._form(moment, line), flush=self._lines.empty())
                if self._dropped:
                    dropped, self._dropped = self._dropped, 0
                    why = "standard output is read too slowly: read it faster, or use --quiet"
                    warn(f"{dropped} access lines were dropped: {why}")
            finally:
                self._lines.task_done()


def _as_text(moment: datetime, line: AccessLine | Notice) -> str:
    stamp = moment.strftime("%H:%M:%S.%f")[:-3]
    if isinstance(line, Notice):
        return f"{stamp} {_plain(line.app)}: {_printable(line.message)}"
    return f"{stamp} {_plain(line.method)} {_plain(line.app) or '-'} {line.code} {line.ms:.1f}ms"


def _as_json(moment: datetime, line: AccessLine | Notice) -> str:
    stamp = moment.astimezone().isoformat(timespec="milliseconds")
    if isinstance(line, Notice):
        return json.dumps({"time": stamp, "app": line.app, "notice": line.message})
    row = {
        "time": stamp,
        "method": line.method,
        "app": line.app,
        "code": line.code,
        "ms": round(line.ms, 2),
        "request_id": line.request_id,
    }
    return json.dumps(row)


def _plain(text: str) -> str:
    """Return a client's text with spaces, line breaks and control characters escaped."""
    return _printable(text).replace(" ", "\\x20")


def _printable(text: str) -> str:
    """Return a sentence with line breaks and control characters escaped."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()
