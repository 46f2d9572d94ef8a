"""One line per answered call: method, app, code, milliseconds; as text or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyteapps_fake.transports.asgi import AccessLine


def access_log(log_format: str, quiet: bool) -> Callable[[AccessLine], None] | None:
    """What writes the lines to standard output, None for a quiet server."""
    if quiet:
        return None

    def text(line: AccessLine) -> None:
        now = datetime.now().strftime("%H:%M:%S.%f")[:-3]
        sys.stdout.write(f"{now} {line.method} {line.app or '-'} {line.code} {line.ms:.1f}ms\n")
        sys.stdout.flush()

    def as_json(line: AccessLine) -> None:
        row = {
            "time": datetime.now().astimezone().isoformat(timespec="milliseconds"),
            "method": line.method,
            "app": line.app,
            "code": line.code,
            "ms": round(line.ms, 2),
        }
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()

    return as_json if log_format == "json" else text
