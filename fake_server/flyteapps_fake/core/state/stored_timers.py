"""Timers as messages of a plane's state. What a timer is about is its dialect's."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from flyteapps_control.v1.state_pb2 import TimerState
from flyteapps_fake.core.state.numbers import MAX_COUNT, check_counts, check_times
from flyteapps_fake.core.time.timers import Timer


def timer_state(timer: Timer) -> TimerState:
    """Return a timer as a message, without its owner and its arguments."""
    return TimerState(
        kind=timer.kind,
        due=timer.due,
        sequence=timer.sequence,
        progress=timer.progress,
        last=timer.last,
        call=timer.call,
    )


def check_timer(timer: Timer) -> None:
    """Check the numbers of a timer in a document. Raises ValueError."""
    if timer.due < 0 or not 0 <= timer.sequence | timer.call <= MAX_COUNT:
        check_times(due=timer.due)
        check_counts(sequence=timer.sequence, call=timer.call)


def timer_of(state: TimerState, owner: Hashable, arguments: tuple[Any, ...] = ()) -> Timer:
    """Return the timer in a message."""
    return Timer(state.due, state.sequence, owner, state.kind, arguments, state.progress, state.last, state.call)
