"""The lines that steps of scenarios let replicas log: nothing else is stored of logs, the rest is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass

from flyteapps_fake.simulation.log_lines import BACKLOG, Line


@dataclass(slots=True)
class StepLog:
    """The lines of one step: when, of which replicas, and the number of the condition that the step led to."""

    at: int
    replicas: Collection[Hashable]
    texts: tuple[str, ...]
    condition: int = 0

    def lines(self, replica: Hashable) -> Iterator[Line]:
        """Yield the lines of a replica."""
        if replica in self.replicas:
            for text in self.texts:
                yield Line(self.at, False, text)


class StepLogs:
    """The last lines of each app, about as many as a replica's log has."""

    def __init__(self) -> None:
        self._logs: dict[Hashable, deque[StepLog]] = {}

    def add(self, app: Hashable, log: StepLog) -> None:
        """Add the lines of a step."""
        logs = self._logs.setdefault(app, deque())
        logs.append(log)
        while len(logs) > 1 and sum(len(each.texts) for each in logs) > BACKLOG:
            logs.popleft()

    def of(self, app: Hashable) -> Collection[StepLog]:
        """Return the lines of an app's steps, the oldest first."""
        return self._logs.get(app, ())

    def put(self, app: Hashable, logs: Collection[StepLog]) -> None:
        """Replace the lines of an app's steps."""
        self.drop(app)
        if logs:
            self._logs[app] = deque(logs)

    def drop(self, app: Hashable) -> None:
        """Forget a removed app."""
        self._logs.pop(app, None)
