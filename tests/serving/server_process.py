"""A `flyteapps serve` in a process of its own, for tests and their programs: its ports, its output, a clean stop."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

PATIENCE = 150.0
"""Seconds until a wait fails: far more than a loaded machine needs."""
CUT_SECONDS = 60.0
"""Seconds until a connection is cut that sends no whole request: fewer than those that it may be idle between two."""
SOON_SECONDS = 2.0
BANNER = r"https?://localhost:(\d+)"
HTTP = httpx.Client(trust_env=False, verify=False, timeout=PATIENCE)
"""For plain HTTP: httpx's functions load the system's certificates for each call, which takes longer than the call."""


def eventually(true: Callable[[], bool], what: str) -> None:
    """Wait until `true()`; fail with `what` where it never is."""
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, what
        time.sleep(0.01)


class ServerProcess:
    """One running server."""

    def __init__(
        self,
        *arguments: str,
        reading: bool = True,
        shell: str = "",
        console_port: str | None = "0",
        banner: str = BANNER,
        **popen: Any,
    ) -> None:
        """Start the server and wait for its banner; after that its output is read only if `reading`.

        `shell`: commands that a shell runs first, in the process that becomes the server. `console_port` None:
        the option is left out. `banner`: how it names its ports. `popen`: more for subprocess.Popen.
        """
        started = time.monotonic()
        command = [sys.executable, "-P", "-m", "flyteapps_fake.cli.serve", "--port", "0"]
        command += [] if console_port is None else ["--console-port", console_port]
        command += arguments
        if shell:
            command = ["sh", "-c", f'{shell}; exec "$@"', "sh", *command]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0, **popen
        )
        self._lines: list[str] = []
        self._reading = reading
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        eventually(lambda: "Ctrl-C" in self.output or self.process.poll() is not None, "no banner")
        ports = re.findall(banner, self.output)
        assert len(ports) == 2, self.output
        self.port, self.console_port = int(ports[0]), int(ports[1])
        self.soon = SOON_SECONDS + 4 * (time.monotonic() - started)
        """Seconds in which it ends where nothing holds it up: its start takes as long as the machine is busy."""

    @property
    def output(self) -> str:
        return "".join(self._lines)

    @property
    def address(self) -> str:
        """http(s)://localhost:port, as it says itself."""
        return re.findall(r"API at (\S+)", self.output)[0]

    @property
    def trusted(self) -> str:
        """The file to trust, "" where it has no certificate of its own making."""
        return "".join(re.findall(r"caCertFilePath: (.+)", self.output)[:1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Signal it with its children, as Ctrl-C and service managers do; return its exit status and its seconds."""
        started = time.monotonic()
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        seconds = time.monotonic() - started
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status, seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)
            if not self._reading and "Ctrl-C" in line:
                return
