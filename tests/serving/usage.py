"""The CPU and, on Linux, the peak memory of a server's processes, whatever else the machine does."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import psutil

from .messages import get
from .server_process import HTTP, ServerProcess


class Running(Protocol):
    """A server in a process."""

    process: subprocess.Popen[str]


class Usage:
    """CPU seconds and peak memory of a server's processes."""

    def __init__(self, server: Running) -> None:
        parent = psutil.Process(server.process.pid)
        self._processes = [parent, *parent.children(recursive=True)]

    def seconds(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._processes)

    def forget_peak(self) -> None:
        for process in self._processes:
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """Return the bytes since `forget_peak`."""
        return sum(_peak(process.pid) for process in self._processes)


class AnotherClient:
    """A client that sends one Get after the other; `waits`: the CPU seconds of the server until each was answered."""

    def __init__(self, server: ServerProcess, usage: Usage) -> None:
        self.waits: list[float] = []
        self._server = server
        self._usage = usage
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        content = get("none").SerializeToString()
        url, headers = f"{self._server.url}/flyteidl2.app.AppService/Get", {"content-type": "application/proto"}
        while not self._done.is_set():
            before = self._usage.seconds()
            answer = HTTP.post(url, content=content, headers=headers, timeout=120)
            assert answer.json()["code"] == "not_found"
            self.waits.append(self._usage.seconds() - before)
            self._done.wait(0.02)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(120)


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0
