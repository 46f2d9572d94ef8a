"""The judge of concurrent histories: histories whose verdict is known, and all small ones against every order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyteapps_contract.model.linearizability import Call, contradiction

Register = tuple[str, int | None]
"""A register's request and its answer: ("write", 3), ("read", 3), ("add", what it was before); None is no answer."""


def register(state: int, what: Register) -> Iterator[int]:
    """Return a number that is read, written, and added one to, which answers what it was before."""
    verb, value = what
    if verb == "write":
        assert value is not None
        yield value
    elif value is None or value == state:
        yield state + 1 if verb == "add" else state


def call(start: int, end: int | None, verb: str, value: int | None) -> Call[Register]:
    return Call(start, end, (verb, value), reads=verb == "read")


KNOWN = {
    "nothing": ([], True),
    "one after the other": ([call(0, 1, "write", 1), call(2, 3, "read", 1)], True),
    "a stale read": ([call(0, 1, "write", 1), call(2, 3, "read", 0)], False),
    "a read beside a write, of what was before": ([call(0, 5, "write", 1), call(2, 3, "read", 0)], True),
    "a read beside a write, of what came": ([call(0, 5, "write", 1), call(2, 3, "read", 1)], True),
    "reads beside a write that go back": (
        [call(0, 9, "write", 1), call(1, 2, "read", 1), call(3, 4, "read", 0)],
        False,
    ),
    "calls that touch overlap": ([call(0, 1, "write", 1), call(1, 2, "read", 0)], True),
    "two writes at once, read in either order": (
        [call(0, 9, "write", 1), call(0, 9, "write", 2), call(10, 11, "read", 1)],
        True,
    ),
    "two readers that disagree on the order of two writes": (
        [
            call(0, 1, "write", 1),
            call(0, 1, "write", 2),
            call(2, 3, "read", 1),
            call(2, 3, "read", 2),
        ],
        False,
    ),
    "a write of what is there already, which takes effect later": (
        [
            call(0, 1, "write", 1),
            call(2, 9, "write", 1),
            call(3, 4, "write", 2),
            call(5, 6, "read", 2),
            call(7, 8, "read", 1),
        ],
        True,
    ),
    "an addition that is lost": ([call(0, 5, "add", 0), call(0, 5, "add", 0)], False),
    "additions at once": ([call(0, 5, "add", 1), call(0, 5, "add", 0), call(6, 7, "read", 2)], True),
    "no outcome, and it took effect": ([call(0, None, "write", 1), call(2, 3, "read", 1)], True),
    "no outcome, and it never took effect": ([call(0, None, "write", 1), call(2, 3, "read", 0)], True),
    "no outcome, and it took effect late": (
        [call(0, None, "write", 1), call(2, 3, "read", 0), call(4, 5, "read", 1)],
        True,
    ),
    "no outcome, and it took effect twice": (
        [call(0, None, "write", 1), call(1, 2, "read", 1), call(3, 4, "write", 2), call(5, 6, "read", 1)],
        False,
    ),
    "no outcome, and an effect before the call": ([call(0, 1, "read", 1), call(2, None, "write", 1)], False),
}


@pytest.mark.parametrize(("history", "holds"), KNOWN.values(), ids=KNOWN)
def test_known_verdicts(history: Sequence[Call[Register]], holds: bool) -> None:
    """Histories that are judged by thought."""
    assert (contradiction(history, 0, register) is None) is holds


def test_a_contradiction_says_where() -> None:
    """The answer that can't be, what might have been, and the calls beside it."""
    writing, reading = call(0, 9, "write", 1), call(3, 4, "read", 7)
    found = contradiction([call(0, 1, "write", 5), writing, reading], 0, register)
    assert found is not None
    assert found.call is reading
    assert set(found.states) <= {0, 1, 5} and 5 in found.states
    assert found.open == (writing,)


def test_many_calls_without_an_outcome_are_judged() -> None:
    """Forty of them are no 2**40 branches."""
    lost = [call(number, None, "write", number) for number in range(1, 41)]
    assert contradiction([*lost, call(50, 51, "read", 7), call(52, 53, "read", 9)], 0, register) is None
    assert contradiction([*lost, call(50, 51, "read", 41)], 0, register) is not None


def test_a_call_that_returned_before_it_was_made_is_refused() -> None:
    """The error names the call whose clock is wrong."""
    with pytest.raises(ValueError, match="call 0 returned at 1, before it was made at 2"):
        contradiction([call(2, 1, "read", 0)], 0, register)


def by_every_order(calls: Sequence[Call[Register]]) -> bool:
    """Return whether some order of some of the calls explains all answers: by trying them all."""
    known = [each for each in calls if each.returned is not None]
    lost = [each for each in calls if each.returned is None]
    for number in range(len(lost) + 1):
        for kept in itertools.combinations(lost, number):
            for order in itertools.permutations([*known, *kept]):
                if _in_time(order) and _explains(order):
                    return True
    return False


def _in_time(order: Sequence[Call[Register]]) -> bool:
    return all(
        later.returned is None or later.returned >= earlier.called
        for earlier, later in itertools.combinations(order, 2)
    )


def _explains(order: Sequence[Call[Register]]) -> bool:
    states = {0}
    for each in order:
        states = {after for state in states for after in register(state, each.what)}
    return bool(states)


@st.composite
def small_histories(draw: st.DrawFn) -> list[Call[Register]]:
    """Draw up to five calls on a register, with and without outcomes, right and wrong."""
    numbers = st.integers(0, 2)
    history: list[Call[Register]] = []
    for _ in range(draw(st.integers(1, 5))):
        called = draw(st.integers(0, 6))
        returned = draw(st.none() | st.integers(called, 8))
        verb = draw(st.sampled_from(["write", "read", "add"]))
        value = None if returned is None and verb != "write" else draw(numbers)
        history.append(call(called, returned, verb, value))
    return history


@settings(max_examples=400)
@given(small_histories())
def test_small_histories_are_judged_as_by_every_order(history: list[Call[Register]]) -> None:
    """The judge and the naive trial of all orders agree."""
    assert (contradiction(history, 0, register) is None) is by_every_order(history)
