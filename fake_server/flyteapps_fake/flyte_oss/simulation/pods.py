"""The pods of a service: their names, when they began, and what they log. Nothing of a log is stored."""

from __future__ import annotations

from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import Spec

from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.simulation.log_lines import BACKLOG, MAX_SLOTS_AHEAD, SLOT_NS, Line, request_in

_LISTENS_AFTER = SECOND // 10
_SERVES_AFTER = SECOND
_MOST_SLOTS = 4 * BACKLOG
"""Slots of time that are looked through for the lines of a backlog: about every other one has one."""


class Pod(NamedTuple):
    """One pod; `seed` is what its log is drawn from, `runs` what its first line says that it runs."""

    name: str
    generation: int
    began: int
    seed: bytes
    runs: str


def runs(spec: Spec) -> str:
    """What a pod of that spec runs, in a few words."""
    container = spec.container
    return " ".join((*container.command, *container.args))[:1_000] or container.image


def lines_of(pod: Pod, after: int, until: int) -> list[Line]:
    """What it logs later than `after`, up to and with `until`: the last 1,000 lines, in order."""
    lines = [Line(pod.began, False, f"Running {pod.runs}"), Line(pod.began + _LISTENS_AFTER, False, "Listening")]
    serving = pod.began + _SERVES_AFTER
    last = until // SLOT_NS
    for slot in range(max(max(serving, after) // SLOT_NS, last - _MOST_SLOTS), last + 1):
        line = request_in(pod.seed, slot)
        if line is not None and line.at >= serving:
            lines.append(line)
    return [line for line in lines if after < line.at <= until][-BACKLOG:]


def next_line(pod: Pod, after: int) -> int | None:
    """When it logs its next line; None where that is too far to be looked for."""
    if after < pod.began + _LISTENS_AFTER:
        return pod.began + _LISTENS_AFTER
    for slot in range(after // SLOT_NS, after // SLOT_NS + MAX_SLOTS_AHEAD):
        line = request_in(pod.seed, slot)
        if line is not None and line.at > after and line.at >= pod.began + _SERVES_AFTER:
            return line.at
    return None
