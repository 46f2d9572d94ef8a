"""What a replica has logged: computed from what happened to its app, its own draws and the time. Nothing is stored.

The same question gives the same lines, with the same times: nanoseconds since 1970.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Condition, Status

from flyteapps_fake.core.lifecycle import ACTIVE, short_name, substate_name
from flyteapps_fake.core.time.clock import MILLISECOND, SECOND, from_timestamp
from flyteapps_fake.standard.replicas import Replica

BACKLOG = 1_000
"""Lines of one replica that can still be read."""
SLOT = 60 * SECOND
"""In each, a replica that serves logs one request, or none."""
FAR = 1_000
"""Slots ahead in which a next request is looked for."""

_ROUTES = ("/", "/health", "/predict", "/items/7", "/docs")
_QUIET = (Status.SCALED_TO_ZERO, Status.SCALING_FROM_ZERO)

LAST_WORDS: dict[int, tuple[str, ...]] = {
    Status.CRASH_LOOP: (
        "Traceback (most recent call last):",
        '  File "/app/main.py", line 12, in <module>',
        "    serve()",
        "RuntimeError: the app gave up",
    ),
    Status.OOM_KILLED: ("Loading the model into memory", "Killed"),
}
"""What a container says before it dies, by the substate that its death leads to."""


class Line(NamedTuple):
    """One line; `system` is the platform's word, else the app's own."""

    at: int
    system: bool
    text: str


def lines_between(replica: Replica, app: App, after: int, until: int) -> list[Line]:
    """The replica's lines later than `after`, up to and with `until`: the last ones, in order."""
    first, last = max(after + 1, replica.life.began), min(until, replica.life.ended or until)
    lines = [line for line in _of_life(replica, app) if first <= line.at <= last]
    lines += _requests(replica, _serving(app.status.conditions, last), first, last)
    lines.sort(key=lambda line: line.at)
    return lines[-BACKLOG:]


def next_request(replica: Replica, app: App, after: int) -> int | None:
    """When the replica, if all stays as it is, logs its next request; None where it serves none."""
    if replica.life.ended is not None or not _serves(app.status.conditions[-1]):
        return None
    slot = after // SLOT
    for number in range(slot, slot + FAR):
        line = request_in(replica.seed, number)
        if line is not None and line.at > after:
            return line.at
    return None


def _of_life(replica: Replica, app: App) -> Iterator[Line]:
    """The lines of its start, of what became of the app, and its last words."""
    yield Line(replica.life.began, True, f"Replica {replica.name} of revision {replica.life.revision} starts")
    if replica.life.revision == app.metadata.revision:
        container = app.spec.container
        if container.image:
            yield Line(replica.life.began, True, f"Image {container.image}")
        command = " ".join((*container.command, *container.args))
        if command:
            yield Line(replica.life.began, False, f"Running {command[:1_000]}")
    for condition in app.status.conditions:
        at = from_timestamp(condition.last_transition_time)
        for text in LAST_WORDS.get(condition.substate, ()):
            yield Line(at, False, text)
        yield Line(at, True, _transition(condition))


def _transition(condition: Condition) -> str:
    name = short_name(condition.deployment_status)
    if condition.substate:
        name += f"/{substate_name(condition.substate)}"
    return f"{name}: {condition.message}"


def _serves(condition: Condition) -> bool:
    return condition.deployment_status == ACTIVE and condition.substate not in _QUIET


def _serving(conditions: Sequence[Condition], until: int) -> Iterator[tuple[int, int]]:
    """The times in which the app served, the latest first."""
    end = until
    for condition in reversed(conditions):
        at = from_timestamp(condition.last_transition_time)
        if at < end and _serves(condition):
            yield at, end
        end = min(end, at)


def _requests(replica: Replica, serving: Iterator[tuple[int, int]], first: int, last: int) -> list[Line]:
    """The last requests in these times."""
    lines: list[Line] = []
    for begin, end in serving:
        if end < first:
            break
        low, high = max(begin, first), min(end, last)
        for slot in range(high // SLOT, low // SLOT - 1, -1):
            line = request_in(replica.seed, slot)
            if line is not None and low <= line.at <= high:
                lines.append(line)
                if len(lines) == BACKLOG:
                    return lines
    return lines


def request_in(seed: bytes, slot: int) -> Line | None:
    """The request that a replica of that seed logs in that slot of time, if it does."""
    drawn = hashlib.blake2b(slot.to_bytes(8, "big"), key=seed, digest_size=8).digest()
    if drawn[0] & 1:
        return None
    at = slot * SLOT + int.from_bytes(drawn[1:4], "big") * 3 * MILLISECOND % SLOT
    return Line(at, False, f"GET {_ROUTES[drawn[4] % len(_ROUTES)]} 200 in {drawn[5] % 90 + 2} ms")
