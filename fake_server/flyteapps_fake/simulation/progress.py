"""The progress of an app through the steps of a scenario, loops and choices included.

Its state is indices and counters alone, so that it can be written out and read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

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

    def next_step(self, allow: Allow, draw: Draw) -> Step | None:
        """Move to the next step and return it, with the waits of loops in its delay, or None at the end.

        `allow`: whether the app's bounds allow a size. `draw`: the draw of that number, in [0, 1).
        """
        wait = 0
        while True:
            frame, loop = self.frames[-1], self._enclosing()
            steps = self._innermost()
            if frame.index < len(steps):
                match block := steps[frame.index]:
                    case Step():
                        frame.index += 1
                        if allow(block.trip):
                            return self._rendered(block, wait, loop)
                    case Loop():
                        self.frames.append(Frame(round=1))
                        wait += block.wait(1)
                    case Choice():
                        self.draws += 1
                        self.frames.append(Frame(branch=drawn_branch(block.branches, draw(self.draws))))
            elif len(self.frames) == 1:
                return None
            else:
                wait += self._leave()

    def _leave(self) -> int:
        """Leave the innermost list, whose end is reached, or begin its next round; return the wait before that."""
        done, outer = self.frames.pop(), self.frames[-1]
        block = self._innermost()[outer.index]
        if isinstance(block, Loop) and (block.times is None or done.round < block.times):
            self.frames.append(Frame(round=done.round + 1))
            return block.wait(done.round + 1)
        outer.index += 1
        return 0

    def _innermost(self) -> Steps:
        """Return the list of the innermost frame."""
        steps = self.steps
        for outer, inner in zip(self.frames, self.frames[1:], strict=False):
            block = steps[outer.index]
            assert not isinstance(block, Step)
            steps = block.steps if isinstance(block, Loop) else block.branches[inner.branch].steps
        return steps

    def loops(self) -> Iterator[Loop]:
        """Yield the loops that the app is inside of, the outermost first."""
        for loop, _ in self._rounds():
            yield loop

    def _enclosing(self) -> tuple[Loop, int] | None:
        """Return the innermost loop and its round."""
        rounds = [*self._rounds()] if len(self.frames) > 1 else None
        return rounds[-1] if rounds else None

    def _rounds(self) -> Iterator[tuple[Loop, int]]:
        """Yield the loops that the app is inside of with their rounds, the outermost first."""
        steps = self.steps
        for outer, inner in zip(self.frames, self.frames[1:], strict=False):
            block = steps[outer.index]
            if isinstance(block, Loop):
                steps = block.steps
                yield block, inner.round
            else:
                assert isinstance(block, Choice)
                steps = block.branches[inner.branch].steps

    @staticmethod
    def _rendered(step: Step, wait: int, loop: tuple[Loop, int] | None) -> Step:
        """Return the step with the wait before it, and with the round of its loop in its message."""
        if loop is None:
            return step._replace(delay=step.delay + wait) if wait else step
        around, number = loop
        message = step.message
        if "{" in message:
            seconds = around.wait(number) / UNITS["s"]
            message = message.replace("{round}", str(number)).replace("{wait}", f"{seconds:g} s")
        return step._replace(delay=step.delay + wait, message=message)


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
