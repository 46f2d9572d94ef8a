"""Standard output and error of a server. Their reader may close them at any time; log and server go on."""

from __future__ import annotations

import contextlib
import os
import sys


def write_line(text: str, *, flush: bool = True) -> bool:
    """Write a line to standard output; return False if it is closed, and discard all output from then on."""
    stream = sys.stdout
    try:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        if flush:
            stream.flush()
    except (OSError, ValueError):  # a closed pipe, a full disk, a closed file
        with contextlib.suppress(OSError, ValueError):  # without this, Python's flush at exit fails
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        return False
    return True


def warn(message: str) -> None:
    """Write a message to standard error; do nothing if it is closed."""
    with contextlib.suppress(OSError, ValueError):
        print(f"flyteapps: {message}", file=sys.stderr, flush=True)


def keep_standard_files() -> None:
    """Open standard input, output and error if they are closed: otherwise a socket would get their number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    # Python has None for those that were closed
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the exit
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the exit
