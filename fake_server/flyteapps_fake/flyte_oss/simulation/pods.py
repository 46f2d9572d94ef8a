"""The pods of a service: name, start and log lines. No log is stored: lines are computed."""

from __future__ import annotations

from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import Spec

from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.simulation.log_lines import (
    BACKLOG,
    MAX_SHOWN_CHARACTERS,
    MAX_SLOTS_AHEAD,
    SLOT_NS,
    Line,
    request_in,
)

MAX_PODS = 100
"""Pods of one generation that have a name and logs, however many replicas are reported."""
_LISTENS_AFTER_NS = SECOND // 10
_SERVES_AFTER_NS = SECOND
_MAX_SLOTS = 4 * BACKLOG
"""Slots that are searched for the lines of a backlog: about every other slot has one."""


class Pod(NamedTuple):
    """One pod; its log is drawn from `seed`, and its first line shows the command `runs`."""

    name: str
    generation: int
    began: int
    seed: bytes
    runs: str


def runs(spec: Spec) -> str:
    """Return the command of a pod of that spec, or its image if it has none."""
    container = spec.container
    return (" ".join((*container.command, *container.args)) or container.image)[:MAX_SHOWN_CHARACTERS]


def lines_of(pod: Pod, after: int, until: int) -> list[Line]:
    """Return the pod's lines later than `after`, up to and including `until`: the last 1,000, in order."""
    lines = [Line(pod.began, False, f"Running {pod.runs}"), Line(pod.began + _LISTENS_AFTER_NS, False, "Listening")]
    serving = pod.began + _SERVES_AFTER_NS
    last = until // SLOT_NS
    for slot in range(max(max(serving, after) // SLOT_NS, last - _MAX_SLOTS), last + 1):
        line = request_in(pod.seed, slot)
        if line is not None and line.at >= serving:
            lines.append(line)
    return [line for line in lines if after < line.at <= until][-BACKLOG:]


def next_line(pod: Pod, after: int) -> int | None:
    """Return the time of the pod's next line, or None if it is too far ahead to search for."""
    if after < pod.began + _LISTENS_AFTER_NS:
        return pod.began + _LISTENS_AFTER_NS
    for slot in range(after // SLOT_NS, after // SLOT_NS + MAX_SLOTS_AHEAD):
        line = request_in(pod.seed, slot)
        if line is not None and line.at > after and line.at >= pod.began + _SERVES_AFTER_NS:
            return line.at
    return None
