"""The access log: one line per answered call, notices, and output of apps, as text or JSON.

The line of a call has its method, app, code and milliseconds, and behind them the message of a refusal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, Union

from flyteapps_fake.cli.background_writer import BackgroundWriter
from flyteapps_fake.cli.output import write_line
from flyteapps_fake.core.dialect import Notice
from flyteapps_fake.core.validation import plain, printable

if TYPE_CHECKING:
    from flyteapps_fake.http.options import AccessLine

MAX_QUEUED_LINES = 10_000
"""Lines that wait for the output; further ones are dropped, and their number is reported later."""
MAX_NOTICE_CHARACTERS = 1_000
"""Characters of a notice; those of an access line are bounded where it is made."""
MAX_APP_CHARACTERS = 100
"""Characters of the app of a notice."""


class AppOutput(NamedTuple):
    """A line that an app has written."""

    app: str
    text: str


Entry: TypeAlias = Union["AccessLine", Notice, AppOutput]


def access_log(log_format: str, quiet: bool) -> AccessLog | None:
    """Return the log to standard output, or None for a quiet server."""
    return None if quiet else AccessLog.of(log_format)


class AccessLog(BackgroundWriter[tuple[datetime, Entry]]):
    """A log that accepts lines from any thread without waiting. Once standard output is closed, it drops them."""

    def __init__(self, form: Callable[[datetime, Entry], str]) -> None:
        super().__init__("flyteapps-access-log", self._print, MAX_QUEUED_LINES, _dropped)
        self._form = form

    @classmethod
    def of(cls, log_format: str) -> AccessLog:
        """Return a log of that form, text or json."""
        return cls(_as_json if log_format == "json" else _as_text)

    def __call__(self, line: Entry) -> None:
        """Queue a line for writing."""
        if not self.closed:
            self.put((datetime.now(), _cut(line)))

    def _print(self, item: tuple[datetime, Entry], last: bool) -> bool:
        return write_line(self._form(*item), flush=last)


def _cut(line: Entry) -> Entry:
    """Return the line with a bounded length: it may wait for a slow reader."""
    if isinstance(line, Notice):
        return Notice(line.app[:MAX_APP_CHARACTERS], line.message[:MAX_NOTICE_CHARACTERS])
    return AppOutput(line.app, line.text[:MAX_NOTICE_CHARACTERS]) if isinstance(line, AppOutput) else line


def _dropped(lines: int) -> str:
    why = "standard output is read too slowly: read it faster, or use --quiet"
    return f"{lines} access lines were dropped: {why}"


def _as_text(moment: datetime, line: Entry) -> str:
    stamp = moment.strftime("%H:%M:%S.%f")[:-3]
    if isinstance(line, AppOutput):
        return f"{stamp} [{plain(line.app)}] {printable(line.text)}"
    if isinstance(line, Notice):
        about = f"{plain(line.app)}: " if line.app else ""
        return f"{stamp} {about}{printable(line.message)}"
    shown = f"{stamp} {plain(line.method)} {plain(line.app + line.path) or '-'} {line.code} {line.ms:.1f}ms"
    return f"{shown} {printable(line.message)}" if line.message else shown


def _as_json(moment: datetime, line: Entry) -> str:
    stamp = moment.astimezone().isoformat(timespec="milliseconds")
    if isinstance(line, AppOutput):
        return json.dumps({"time": stamp, "app": line.app, "output": line.text})
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
    if line.path:
        row["path"] = line.path
    if line.message:
        row["message"] = line.message
    return json.dumps(row)
