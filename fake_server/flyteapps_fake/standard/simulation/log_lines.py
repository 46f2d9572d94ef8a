"""Log lines of the standard dialect's replicas, computed from the app's conditions, the replica's seed and the time.

The lines of steps of scenarios are handed in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from flyteidl2.app.app_definition_pb2 import App, Condition, Status

from flyteapps_fake.core.lifecycle import short_name, substate_name, traits_of
from flyteapps_fake.core.time.clock import from_timestamp
from flyteapps_fake.simulation.log_lines import BACKLOG, MAX_SLOTS_AHEAD, SLOT_NS, Line, request_in
from flyteapps_fake.simulation.step_logs import StepLog, StepLogs
from flyteapps_fake.standard.apps import AppKey
from flyteapps_fake.standard.replicas import Replica

_IDLE_SUBSTATES = (Status.SCALED_TO_ZERO, Status.SCALING_FROM_ZERO)

FINAL_LINES: dict[int, tuple[str, ...]] = {
    Status.CRASH_LOOP: (
        "Traceback (most recent call last):",
        '  File "/app/main.py", line 12, in <module>',
        "    serve()",
        "RuntimeError: the app gave up",
    ),
    Status.OOM_KILLED: ("Loading the model into memory", "Killed"),
}
"""The last lines of a container that dies, by the substate that its death leads to."""


class SimulatedLines:
    """The log lines of simulated replicas."""

    def __init__(self, steps: StepLogs) -> None:
        self._steps = steps

    def between(self, replica: Replica, app: App, after: int, until: int) -> list[Line]:
        """Return the replica's lines later than `after`, up to and including `until`, in order."""
        return lines_between(replica, app, self._steps.of(AppKey.of(app.metadata.id)), after, until)

    def next_at(self, replica: Replica, app: App, after: int) -> int | None:
        """Return when the replica logs its next line, None where that is unknown."""
        return next_request(replica, app, after)


def lines_between(replica: Replica, app: App, steps: Collection[StepLog], after: int, until: int) -> list[Line]:
    """Return the replica's lines later than `after`, up to and including `until`: the last BACKLOG ones, in order.

    `steps`: the lines that steps of the app's scenario have let replicas log.
    """
    first, last = max(after + 1, replica.life.began), min(until, replica.life.ended or until)
    lines = [line for line in _of_life(replica, app, steps) if first <= line.at <= last]
    lines += _requests(replica, _serving(app.status.conditions, last), first, last)
    lines.sort(key=lambda line: line.at)
    return lines[-BACKLOG:]


def next_request(replica: Replica, app: App, after: int) -> int | None:
    """Return the time of the replica's next request if nothing changes, or None if it serves none."""
    if replica.life.ended is not None or not _serves(app.status.conditions[-1]):
        return None
    slot = after // SLOT_NS
    for number in range(slot, slot + MAX_SLOTS_AHEAD):
        line = request_in(replica.seed, number)
        if line is not None and line.at > after:
            return line.at
    return None


def _of_life(replica: Replica, app: App, steps: Collection[StepLog]) -> Iterator[Line]:
    """Yield the lines of the replica's start, of its steps, of the app's conditions, and its final ones."""
    yield Line(replica.life.began, True, f"Replica {replica.name} of revision {replica.life.revision} starts")
    if replica.life.revision == app.metadata.revision:
        container = app.spec.container
        if container.image:
            yield Line(replica.life.began, True, f"Image {container.image}")
        command = " ".join((*container.command, *container.args))
        if command:
            yield Line(replica.life.began, False, f"Running {command[:1_000]}")
    for step in steps:
        yield from step.lines(replica.life.number)
    with_lines = {step.condition for step in steps}
    for condition in app.status.conditions:
        at = from_timestamp(condition.last_transition_time)
        for text in FINAL_LINES.get(condition.substate, ()) if condition.revision not in with_lines else ():
            yield Line(at, False, text)
        yield Line(at, True, _transition(condition))


def _transition(condition: Condition) -> str:
    name = short_name(condition.deployment_status)
    if condition.substate:
        name += f"/{substate_name(condition.substate)}"
    return f"{name}: {condition.message}"


def _serves(condition: Condition) -> bool:
    return traits_of(condition.deployment_status).serves and condition.substate not in _IDLE_SUBSTATES


def _serving(conditions: Sequence[Condition], until: int) -> Iterator[tuple[int, int]]:
    """Yield the periods in which the app served, the latest first."""
    end = until
    for condition in reversed(conditions):
        at = from_timestamp(condition.last_transition_time)
        if at < end and _serves(condition):
            yield at, end
        end = min(end, at)


def _requests(replica: Replica, serving: Iterator[tuple[int, int]], first: int, last: int) -> list[Line]:
    """Return the last requests in these periods."""
    lines: list[Line] = []
    for begin, end in serving:
        if end < first:
            break
        low, high = max(begin, first), min(end, last)
        for slot in range(high // SLOT_NS, low // SLOT_NS - 1, -1):
            line = request_in(replica.seed, slot)
            if line is not None and low <= line.at <= high:
                lines.append(line)
                if len(lines) == BACKLOG:
                    return lines
    return lines
