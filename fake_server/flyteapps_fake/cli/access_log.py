"""One line per answered call: method, app, code, milliseconds; as text or as JSON. And what no client is told.

Written by a thread of its own: whoever reads the output may be slow, or have stopped; the calls must not wait for it.
"""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from flyteapps_fake.cli.output import write_line
from flyteapps_fake.core.dialect import Notice

if TYPE_CHECKING:
    from flyteapps_fake.http.options import AccessLine

LONGEST_QUEUE = 10_000
"""Lines that wait for the output; those that come after are dropped, and their number is said later."""


def access_log(log_format: str, quiet: bool) -> AccessLog | None:
    """What writes the lines to standard output, None for a quiet server."""
    return None if quiet else AccessLog(_as_json if log_format == "json" else _as_text)


class AccessLog:
    """Takes lines from any thread, never waits. Once standard output is closed, lines are dropped."""

    def __init__(self, form: Callable[[datetime, AccessLine | Notice], str]) -> None:
        self._form = form
        self._lines: queue.Queue[tuple[datetime, AccessLine | Notice]] = queue.Queue(LONGEST_QUEUE)
        self._dropped = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def __call__(self, line: AccessLine | Notice) -> None:
        """Has the line written."""
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
        """Waits until all lines are written, no longer than that."""
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
                    with contextlib.suppress(OSError, ValueError):
                        print(f"flyteapps: {dropped} access lines were dropped, nobody read them", file=sys.stderr)
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
    """A client's word without what would end the line or its field, or move a terminal's cursor."""
    return _printable(text).replace(" ", "\\x20")


def _printable(text: str) -> str:
    """The same of a sentence, whose spaces are its own."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()
