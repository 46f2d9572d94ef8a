"""The operator of examples/ with a log: the apps that it deploys, and the one at which it got stuck.

Run as: logging_operator.py URL CLUSTER LOG [STUCK_AFTER]. After so many apps it is stuck, and holds leases.
"""

from __future__ import annotations

import asyncio
import runpy
import sys
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[2] / "examples" / "app_operator.py"
Operator: Any = runpy.run_path(str(EXAMPLE))["Operator"]


class Logging(Operator):
    """Writes a line for each deployment."""

    def __init__(self, url: str, cluster: str, log: str, stuck_after: str = "") -> None:
        super().__init__(url, cluster)
        self.log = Path(log)
        self.stuck_after = int(stuck_after) if stuck_after else None

    def note(self, word: str, app: Any) -> None:
        """Append a line, so that it is there even if the process is killed."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{word} {app.metadata.id.name}\n")

    async def work_on(self, app: Any) -> None:
        if self.stuck_after is not None and len(self.deployed) >= self.stuck_after:
            self.note("stuck", app)
            await asyncio.Event().wait()
        await super().work_on(app)

    def deploy(self, app: Any) -> None:
        self.note("deployed", app)
        super().deploy(app)


if __name__ == "__main__":
    asyncio.run(Logging(*sys.argv[1:]).run())
