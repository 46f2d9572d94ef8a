"""The display of log lines: printed, or, on a terminal and with rich, the last few in place."""

from __future__ import annotations

import importlib.util
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from flyteapps.flows.logs import LogLine
from flyteapps.flows.operations import Emit, Flow, ItemFlow
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests


class View(Protocol):
    """A display of lines."""

    def show(self, line: str) -> None:
        """Show one more line."""
        ...

    def close(self) -> None:
        """Restore the terminal."""
        ...


class Printed:
    """A view that prints each line on standard output."""

    def show(self, line: str) -> None:
        """See View.show."""
        print(printable(line, sys.stdout), flush=True)

    def close(self) -> None:
        """See View.close."""


class Live:
    """A view of the last lines, in place."""

    def __init__(self, max_lines: int) -> None:
        from rich.live import Live as RichLive
        from rich.text import Text

        self._text: Callable[[str], Any] = Text
        self._lines: deque[str] = deque(maxlen=max(1, max_lines))
        self._live = RichLive(Text(""), refresh_per_second=20)
        self._stdout = sys.stdout  # rich replaces it by its own
        self._live.start()

    def show(self, line: str) -> None:
        """See View.show."""
        self._lines.append(printable(line, self._stdout))
        self._live.update(self._text("\n".join(self._lines)))

    def close(self) -> None:
        """See View.close."""
        self._live.stop()


def view_logs(flow: ItemFlow[LogLine], max_lines: int, show_ts: bool, raw: bool, filter_system: bool) -> Flow[None]:
    """Show the items of the flow, until it ends."""
    in_place = not raw and _is_terminal(sys.stdout) and importlib.util.find_spec("rich") is not None
    view: View = Live(max_lines) if in_place else Printed()
    try:
        answer: Any = None
        operation = next(flow, None)
        while operation is not None:
            if isinstance(operation, Emit):
                line: LogLine = operation.item
                if not (filter_system and is_system(line)):
                    view.show(formatted(line, show_ts))
                step = flow.send
                answer = None
            else:
                try:
                    answer = yield operation
                    step = flow.send
                except Exception as error:
                    answer, step = error, flow.throw
            try:
                operation = step(answer)
            except StopIteration:
                return
    finally:
        view.close()


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def printable(line: str, stream: TextIO | None) -> str:
    """Return the line with escapes for characters that the stream's encoding lacks, such as on a cp1252 console."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        return line.encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:  # a stream of the caller's own
        pass
    return line


def is_system(line: LogLine) -> bool:
    """Return whether the line is the platform's own. As in the SDK, the SDK's errors within an app are the app's."""
    return line.originator == "SYSTEM" or ("[flyte]" in line.message and "flyte.errors" not in line.message)


def formatted(line: LogLine, show_ts: bool) -> str:
    """Return the line as it is printed."""
    stamp = f"[{line.timestamp.isoformat()}] " if show_ts and line.timestamp is not None else ""
    return f"{stamp}{line}"
