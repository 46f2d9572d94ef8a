"""Log lines of the standard dialect's replicas, computed from the app's conditions, the replica's seed and the time.

The lines of steps of scenarios are handed in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Condition, Status

from flyteapps_fake.core.lifecycle import short_name, substate_name, traits_of
from flyteapps_fake.core.time.clock import from_timestamp
from flyteapps_fake.simulation.log_lines import (
    BACKLOG,
    MAX_SHOWN_CHARACTERS,
    MAX_SLOTS_AHEAD,
    SLOT_NS,
    Line,
    request_in,
)
from flyteapps_fake.simulation.step_logs import StepLog, StepLogs
from flyteapps_fake.standard.apps import AppRecord
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

    def between(self, record: AppRecord, replicas: Sequence[Replica], after: int, until: int) -> list[Iterator[Line]]:
        """Return each replica's lines later than `after`, up to and including `until`, in order."""
        shared = lines_of_app(record.parse(), self._steps.of(record.key))
        return [lines_between(each, shared, after, until) for each in replicas]

    def next_at(self, record: AppRecord, replicas: Sequence[Replica], after: int) -> int | None:
        """Return when one of the replicas logs its next line, None where that is unknown."""
        app = record.parse()
        times = [at for each in replicas if (at := next_request(each, app, after)) is not None]
        return min(times, default=None)


class AppLines(NamedTuple):
    """The lines that the replicas of an app share, which are made once for all of them."""

    revision: int
    starts: Sequence[tuple[bool, str]]
    """The first lines of a replica of that revision, each with whether it is the platform's."""
    conditions: Sequence[Line]
    with_steps: Collection[StepLog]
    app: App


def lines_of_app(app: App, steps: Collection[StepLog]) -> AppLines:
    """Return the lines that replicas share. `steps`: those that steps of the app's scenario have let replicas log."""
    container = app.spec.container
    command = " ".join((*container.command, *container.args))
    starts = [(True, f"Image {container.image[:MAX_SHOWN_CHARACTERS]}")] if container.image else []
    starts += [(False, f"Running {command[:MAX_SHOWN_CHARACTERS]}")] if command else []
    return AppLines(app.metadata.revision, starts, [*_of_conditions(app, steps)], tuple(steps), app)


def lines_between(replica: Replica, shared: AppLines, after: int, until: int) -> Iterator[Line]:
    """Yield the replica's lines later than `after`, up to and including `until`: the last BACKLOG ones, in order.

    Requests are computed when they are read: a stream that isn't read holds none.
    """
    first, last = max(after + 1, replica.life.began), min(until, replica.life.ended or until)
    lines = [line for line in _of_life(replica, shared) if first <= line.at <= last]
    lines.sort(key=lambda line: line.at)
    periods, count = _periods(replica, _serving(shared.app.status.conditions, last), first, last)
    both = merge(lines, _requests(replica, periods), key=lambda line: line.at)
    return islice(both, max(0, len(lines) + count - BACKLOG), None)


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


def _of_life(replica: Replica, shared: AppLines) -> Iterator[Line]:
    """Yield the lines of the replica's start, of its steps, of the app's conditions, and its final ones."""
    began, revision = replica.life.began, replica.life.revision
    yield Line(began, True, f"Replica {replica.name} of revision {revision} starts")
    if revision == shared.revision:
        for system, text in shared.starts:
            yield Line(began, system, text)
    for step in shared.with_steps:
        yield from step.lines(replica.life.number)
    yield from shared.conditions


def _of_conditions(app: App, steps: Collection[StepLog]) -> Iterator[Line]:
    """Yield the lines of the app's conditions, and the final ones of containers that died."""
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


class _Period(NamedTuple):
    """Slots, and the times between which their requests count."""

    slots: range
    low: int
    high: int


def _periods(
    replica: Replica, serving: Iterator[tuple[int, int]], first: int, last: int
) -> tuple[Sequence[_Period], int]:
    """Return the parts of these periods that have the last requests, the latest first, and how many there are."""
    periods: list[_Period] = []
    count = 0
    for begin, end in serving:
        if end < first or count == BACKLOG:
            break
        low, high = max(begin, first), min(end, last)
        slot, lowest = high // SLOT_NS, low // SLOT_NS
        while slot >= lowest and count < BACKLOG:
            line = request_in(replica.seed, slot)
            count += line is not None and low <= line.at <= high
            slot -= 1
        periods.append(_Period(range(slot + 1, high // SLOT_NS + 1), low, high))
    return periods, count


def _requests(replica: Replica, periods: Sequence[_Period]) -> Iterator[Line]:
    """Yield the requests in these periods, the earliest first."""
    for period in reversed(periods):
        for slot in period.slots:
            line = request_in(replica.seed, slot)
            if line is not None and period.low <= line.at <= period.high:
                yield line
