"""The line of a log that says best why its program has ended."""

from __future__ import annotations

from collections.abc import Sequence

TRACEBACK = "traceback (most recent call last)"
"""The head of a Python traceback, in lower case: the Flyte SDK shows filtered ones."""


def last_words(lines: Sequence[str]) -> str:
    """Return the last line of the last traceback, else the last line that isn't empty, "" for none."""
    for number in range(len(lines) - 1, -1, -1):
        if TRACEBACK in lines[number].lower():
            if error := _error(lines[number], lines[number + 1 :]):
                return error
            break
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _error(head: str, lines: Sequence[str]) -> str:
    """Return the line below a traceback's frames, which are further to the right than its head."""
    margin = len(head) - len(head.lstrip())
    has_frames = False
    for line in lines:
        if not line.strip():
            continue
        if len(line) - len(line.lstrip()) <= margin:
            return line.strip() if has_frames else ""
        has_frames = True
    return ""
