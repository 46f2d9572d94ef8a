"""Standard output of a server, which whoever reads it may close: that must end neither its log nor the server."""

from __future__ import annotations

import contextlib
import os
import sys


def write_line(text: str, *, flush: bool = True) -> bool:
    """Whether the line could be written. Where it couldn't, whatever is written from now on goes nowhere."""
    stream = sys.stdout
    try:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        if flush:
            stream.flush()
    except (OSError, ValueError):  # a closed pipe, a full disk, a closed file
        with contextlib.suppress(OSError, ValueError):  # else Python would fail at its exit, by what it holds back
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        return False
    return True


def keep_standard_files() -> None:
    """Opens standard input, output and error where they are closed: else a socket would be in their place."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    # Python has None for those that were closed
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as it runs
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
