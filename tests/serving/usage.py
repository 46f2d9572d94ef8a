"""The CPU and, on Linux, the peak memory of a server's processes, whatever else the machine does."""

from __future__ import annotations

from pathlib import Path

import psutil

from .server_process import ServerProcess


class Usage:
    """CPU seconds and peak memory of a server's processes."""

    def __init__(self, server: ServerProcess) -> None:
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


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0
