"""Scenarios as data: the steps of an app that starts, stops, goes idle or receives a request.

Built-in ones and users' come from files of one format: files/ has it, and its parser. No code depends on a scenario's
name, but for the default one. Nothing is guessed from a spec: an app names its scenario by a label or a variable, or a
scenario says by `when` which apps get it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flyteapps_control.selection import Glob
from flyteapps_fake.simulation.responses import Responses

LABEL = "flyteapps.dev/scenario"
VARIABLE = "FLYTEAPPS_SCENARIO"
HEALTHY = "healthy"
"""The scenario of apps without any other."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""The names of scenarios: what a label can hold."""


class Size(enum.Enum):
    """A number of replicas, relative to an app's autoscaling bounds."""

    NONE = "none"
    START = "start"
    FULL = "max"


class Step(NamedTuple):
    """One report of the cluster, `delay` after the step before, plus or minus up to `jitter`, both in nanoseconds.

    `size`: a number is clipped to the app's bounds. `trip` is the size that the step scales to, or back from; the step
    is left out if the app's bounds exclude that size. A `background` step happens by itself: no client can wait for
    it. `logs`: lines that the app's replicas log then.
    """

    status: int
    substate: int
    message: str
    delay: int
    jitter: int = 0
    size: Size | int = Size.NONE
    trip: Size | None = None
    background: bool = False
    logs: tuple[str, ...] = ()


class Loop(NamedTuple):
    """Steps that are repeated: `times` rounds, or without an end, then in the background.

    `first`: nanoseconds before the first round; twice as long before each further one, up to `longest`.
    """

    steps: Steps
    times: int | None
    first: int
    longest: int

    def wait(self, number: int) -> int:
        """Return the nanoseconds before that round; the first is number 1."""
        doublings = min(number - 1, 62)
        return min(self.first << doublings, self.longest)


class Branch(NamedTuple):
    """One of the branches of a choice, and its share in the draws."""

    weight: float
    steps: Steps


class Choice(NamedTuple):
    """Steps of which one branch happens, as drawn from the seed."""

    branches: tuple[Branch, ...]


Steps = tuple[Step | Loop | Choice, ...]


class When(NamedTuple):
    """The apps that get a scenario without naming it: globs, and the number of the start, 0 for each."""

    name: Glob = Glob("")
    project: Glob = Glob("")
    domain: Glob = Glob("")
    image: Glob = Glob("")
    command: Glob = Glob("")
    labels: Mapping[str, Glob] = {}
    start: int = 0


class Scenario(NamedTuple):
    """One scenario. `after`: the one of the app's next start, "" for itself.

    `steps`: none in a file means those of `healthy`, which a plane fills in. `responses`: those of the app at its URL.
    `conflicts`: writes to each version of an app that collide with one of the operator's, in dialects that have such.
    `dialect`: the only one that has it, "" for all. `place`, `after_place`: where it and its `after` were defined, such
    as "scenarios.yaml:3:5". `data`: its fields as in a file.
    """

    name: str
    summary: str
    steps: Steps
    when: When | None = None
    weight: float = 1.0
    after: str = ""
    conflicts: int = 0
    dialect: str = ""
    place: str = ""
    after_place: str = ""
    data: Mapping[str, Any] = {}
    responses: Responses = ()


def each_step(steps: Steps) -> Iterator[Step]:
    """Yield the steps, those of loops once, and those of all branches."""
    for block in steps:
        match block:
            case Step():
                yield block
            case Loop():
                yield from each_step(block.steps)
            case Choice():
                for branch in block.branches:
                    yield from each_step(branch.steps)
