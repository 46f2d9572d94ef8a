"""The steps of scenarios as messages of a plane's state. Many apps follow the same ones: both forms are shared."""

from __future__ import annotations

from functools import lru_cache

from flyteapps_control.v1.state_pb2 import BranchState, ChoiceState, LoopState, Place, StepBlock, StepList, StepState
from flyteapps_control.v1.state_pb2 import Frame as FrameState
from flyteapps_fake.simulation.progress import Frame, Progress
from flyteapps_fake.simulation.scenarios import Branch, Choice, Loop, Size, Step, Steps

MAX_KNOWN = 4_096
"""Lists of steps that are kept in both forms."""

_known: dict[int, tuple[Steps, bytes]] = {}
"""Encoded lists by the identity of what they encode, which is kept with them."""


def encoded_steps(steps: Steps) -> bytes:
    """Return a list of steps as an encoded StepList."""
    found = _known.get(id(steps))
    if found is None:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        found = _known[id(steps)] = steps, _list(steps).SerializeToString(deterministic=True)
    return found[1]


@lru_cache(maxsize=MAX_KNOWN)
def decoded_steps(encoded: bytes) -> Steps:
    """Return the list of steps in an encoded StepList. Raises ValueError, DecodeError."""
    return _steps(StepList.FromString(encoded))


def step_state(step: Step) -> StepState:
    """Return a step as a message."""
    return StepState(
        status=step.status,
        substate=step.substate,
        message=step.message,
        delay=step.delay,
        jitter=step.jitter,
        size=size_text(step.size),
        trip=step.trip.value if step.trip is not None else "",
        background=step.background,
        logs=step.logs,
    )


def step_of(state: StepState) -> Step:
    """Return the step in a message. Raises ValueError for a size that isn't known."""
    return Step(
        status=state.status,
        substate=state.substate,
        message=state.message,
        delay=state.delay,
        jitter=state.jitter,
        size=size_of(state.size),
        trip=Size(state.trip) if state.trip else None,
        background=state.background,
        logs=tuple(state.logs),
    )


def place_of(progress: Progress) -> Place:
    """Return the place of an app in its steps as a message."""
    frames = [FrameState(index=each.index, round=each.round, branch=each.branch) for each in progress.frames]
    return Place(steps=encoded_steps(progress.steps), frames=frames, draws=progress.draws)


def progress_of(place: Place) -> Progress:
    """Return the progress at the place in a message. Raises ValueError for a place that its steps don't have."""
    found = [Frame(each.index, each.round, each.branch) for each in place.frames[:]]
    try:
        if min([each.index | each.round | each.branch for each in found], default=-1) < 0:
            raise IndexError
        return Progress(decoded_steps(place.steps), found, place.draws)
    except (IndexError, AssertionError):
        raise ValueError("a run is at a place that its steps don't have") from None


def size_text(size: Size | int) -> str:
    """Return the text of a size of an app in its bounds."""
    return str(size) if isinstance(size, int) else size.value


def size_of(text: str) -> Size | int:
    """Return the size in a text. Raises ValueError for one that isn't known."""
    return int(text) if text.isdecimal() else Size(text)


def _list(steps: Steps) -> StepList:
    blocks: list[StepBlock] = []
    for block in steps:
        match block:
            case Step():
                blocks.append(StepBlock(step=step_state(block)))
            case Loop():
                loop = LoopState(steps=_list(block.steps), times=block.times, first=block.first, longest=block.longest)
                blocks.append(StepBlock(loop=loop))
            case Choice():
                branches = [BranchState(weight=each.weight, steps=_list(each.steps)) for each in block.branches]
                blocks.append(StepBlock(choice=ChoiceState(branches=branches)))
    return StepList(blocks=blocks)


def _steps(state: StepList) -> Steps:
    found: list[Step | Loop | Choice] = []
    for block in state.blocks:
        match block.WhichOneof("block"):
            case "step":
                found.append(step_of(block.step))
            case "loop":
                loop = block.loop
                times = loop.times if loop.HasField("times") else None
                found.append(Loop(_steps(loop.steps), times, loop.first, loop.longest))
            case "choice":
                found.append(Choice(tuple(Branch(each.weight, _steps(each.steps)) for each in block.choice.branches)))
            case _:
                raise ValueError("a step of a run is none that this version of flyteapps knows")
    return tuple(found)
