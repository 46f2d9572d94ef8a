"""The progress of an app through the steps of a scenario, loops and choices included.

Its state is indices and counters alone, so that it can be written out and read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from flyteapps_control.durations import UNITS
from flyteapps_fake.simulation.scenarios import Branch, Choice, Loop, Size, Step, Steps

Allow = Callable[[Size | None], bool]
Draw = Callable[[int], float]


@dataclass(slots=True)
class Frame:
    """A place in a list of steps. `index`: of the next one. `round`: of the loop, from 1. `branch`: the drawn one."""

    index: int = 0
    round: int = 0
    branch: int = 0


@dataclass(slots=True)
class Progress:
    """The place of an app in its steps: a frame for these, and one for each loop or choice that it is inside of."""

    steps: Steps
    frames: list[Frame] = field(default_factory=lambda: [Frame()])
    draws: int = 0
    """The number of choices so far."""
    _lists: list[Steps] = field(init=False, repr=False, compare=False)
    """The list of steps of each frame, which follows from the frames."""

    def __post_init__(self) -> None:
        self._lists = [self.steps]
        for outer, inner in pairwise(self.frames):
            self._lists.append(_inside(self._lists[-1][outer.index], inner.branch))

    def next_step(self, allow: Allow, draw: Draw) -> Step | None:
        """Move to the next step and return it, with the waits of loops in its delay, or None at the end.

        `allow`: whether the app's bounds allow a size. `draw`: the draw of that number, in [0, 1).
        """
        wait = 0
        while True:
            frame, steps = self.frames[-1], self._lists[-1]
            if frame.index < len(steps):
                block = steps[frame.index]
                if isinstance(block, Step):
                    frame.index += 1
                    if block.trip is None or allow(block.trip):
                        return self._rendered(block, wait) if wait or len(self.frames) > 1 else block
                elif isinstance(block, Loop):
                    wait += block.wait(1)
                    self._enter(block, Frame(round=1))
                else:
                    self.draws += 1
                    self._enter(block, Frame(branch=drawn_branch(block.branches, draw(self.draws))))
            elif len(self.frames) == 1:
                return None
            else:
                wait += self._leave()

    def copied(self) -> Progress:
        """Return a progress that goes on from here by itself."""
        return Progress(self.steps, [Frame(each.index, each.round, each.branch) for each in self.frames], self.draws)

    def loops(self) -> Iterator[Loop]:
        """Yield the loops that the app is inside of, the outermost first."""
        for steps, outer in zip(self._lists, self.frames[:-1], strict=False):
            if isinstance(block := steps[outer.index], Loop):
                yield block

    def _enter(self, block: Loop | Choice, frame: Frame) -> None:
        self.frames.append(frame)
        self._lists.append(_inside(block, frame.branch))

    def _leave(self) -> int:
        """Leave the innermost list, whose end is reached, or begin its next round; return the wait before that."""
        inner, outer = self.frames[-1], self.frames[-2]
        block = self._lists[-2][outer.index]
        if isinstance(block, Loop) and (block.times is None or inner.round < block.times):
            inner.index = 0
            inner.round += 1
            return block.wait(inner.round)
        self.frames.pop()
        self._lists.pop()
        outer.index += 1
        return 0

    def _innermost(self) -> tuple[Loop, int] | None:
        """Return the innermost loop that the app is inside of, with its round."""
        for depth in range(len(self.frames) - 1, 0, -1):
            block = self._lists[depth - 1][self.frames[depth - 1].index]
            if isinstance(block, Loop):
                return block, self.frames[depth].round
        return None

    def _rendered(self, step: Step, wait: int) -> Step:
        """Return the step with the wait before it, and with the round of its loop in its message."""
        message = step.message
        if "{" in message and (found := self._innermost()) is not None:
            loop, number = found
            seconds = loop.wait(number) / UNITS["s"]
            message = message.replace("{round}", str(number)).replace("{wait}", f"{seconds:g} s")
        return step._replace(message=message, delay=step.delay + wait)


def _inside(block: Step | Loop | Choice, branch: int) -> Steps:
    """Return the list of steps inside of a loop, or of a choice of which a branch was drawn."""
    assert not isinstance(block, Step)
    return block.steps if isinstance(block, Loop) else block.branches[branch].steps


def drawn_branch(branches: tuple[Branch, ...], fraction: float) -> int:
    """Return the index of the branch that a fraction in [0, 1) falls on."""
    return drawn_index([branch.weight for branch in branches], fraction)


def drawn_index(weights: list[float], fraction: float) -> int:
    """Return the index that a fraction in [0, 1) falls on, each index as often as its weight says."""
    at = fraction * sum(weights)
    for index, weight in enumerate(weights):
        at -= weight
        if at < 0:
            return index
    return len(weights) - 1
