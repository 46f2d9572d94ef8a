"""Linearizability of one object: whether concurrent calls are explained by some order, one call after the other.

Pure, and knows neither apps nor planes: a `Step` says what one call does to a state. Objects that don't share state are
judged one by one, each with its own calls (Herlihy and Wing, "Linearizability", 1990, theorem 1: locality).

The history is read once, in time. All that may have happened so far is kept: each way is a state and the open calls
that have taken effect already. A call takes effect as late as it may, when it or one that needs it returns (Lowe,
"Testing for linearizability", 2017), so that calls which overlap with few others cost little, however many there are.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

EFFORT = 300_000
"""Looks at a state that are made of one history; a second or two."""

C = TypeVar("C")
S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True, eq=False)
class Call(Generic[C]):
    """One call of a history: when it was made and when it returned, in any unit that orders them.

    `returned` is None where the outcome is unknown: it may have taken effect at any time since, or never will.
    `what` is the request and, where it is known, the answer. `reads`: it leaves any state as it is.
    """

    called: int
    returned: int | None
    what: C
    reads: bool = False


Step = Callable[[S, C], Iterable[S]]
"""The states that a call may lead to from a state: none where the answer can't be. Without an answer, all of them."""


@dataclass(frozen=True, slots=True)
class Contradiction(Generic[C, S]):
    """The point where a history can't be continued.

    `call`: it returned, and nothing that may have happened explains its answer. `states`: those that were possible
    before it, at most 10 of them. `open`: the calls that it overlaps with, and which might have explained it.
    """

    call: Call[C]
    states: tuple[S, ...]
    open: tuple[Call[C], ...]


class Undecided(Exception):  # noqa: N818  # no fault
    """Too many possible orders of the history to examine each."""


class _Branches(Generic[S]):
    """A set of possible pasts: states, each with the open calls that have taken effect to get there.

    Of two branches that differ only in a call without an outcome, the one without it can do all that the other can: the
    other is left out. Else k such calls would make 2**k branches.
    """

    def __init__(self) -> None:
        self._lost: dict[tuple[S, frozenset[int]], list[frozenset[int]]] = {}

    def add(self, state: S, done: frozenset[int], lost: frozenset[int]) -> bool:
        """Return whether it is new. `done` and `lost`: calls that took effect, those without an outcome apart."""
        others = self._lost.setdefault((state, done), [])
        if any(other <= lost for other in others):
            return False
        others[:] = [other for other in others if not lost <= other]
        others.append(lost)
        return True

    def __bool__(self) -> bool:
        return bool(self._lost)

    def __iter__(self) -> Iterator[tuple[S, frozenset[int], frozenset[int]]]:
        for (state, done), others in self._lost.items():
            for lost in others:
                yield state, done, lost


def contradiction(
    calls: Sequence[Call[C]], initial: S, step: Step[S, C], *, effort: int = EFFORT
) -> Contradiction[C, S] | None:
    """Return the first answer that no order of the calls explains; None where there is an order that explains them all.

    Calls that touch (one returns at the very time at which another is made) overlap.
    Raises ValueError for a call that returned before it was made.

    Calls without an outcome are first thought to take effect only right before a call that can't be explained without
    one of them; mostly that explains all there is. Where it doesn't, they are tried wherever they may be: that takes
    long where there are many. Raises Undecided after `effort` looks at a state.
    """
    looks = itertools.count()
    for lazy in (True, False):
        found = _first_contradiction(calls, initial, step, lazy=lazy, looks=looks, effort=effort)
        if found is None:
            return None
    return found


def _first_contradiction(
    calls: Sequence[Call[C]], initial: S, step: Step[S, C], *, lazy: bool, looks: Iterator[int], effort: int
) -> Contradiction[C, S] | None:
    branches = _Branches[S]()
    branches.add(initial, frozenset(), frozenset())
    pending: dict[int, Call[C]] = {}
    for _, ends, number in sorted(_events(calls)):
        if not ends:
            pending[number] = calls[number]
            continue
        after = _explained(branches, number, pending, step, lazy=lazy, looks=looks, effort=effort)
        call = pending.pop(number)
        if not after:
            states = tuple(dict.fromkeys(state for state, _, _ in branches))[:10]
            return Contradiction(call, states, tuple(pending.values()))
        branches = after
    return None


def _events(calls: Sequence[Call[C]]) -> Iterator[tuple[int, bool, int]]:
    for number, call in enumerate(calls):
        yield call.called, False, number
        if call.returned is not None:
            if call.returned < call.called:
                raise ValueError(f"call {number} returned at {call.returned}, before it was made at {call.called}")
            yield call.returned, True, number


def _explained(
    branches: _Branches[S],
    returning: int,
    pending: dict[int, Call[C]],
    step: Step[S, C],
    *,
    lazy: bool,
    looks: Iterator[int],
    effort: int,
) -> _Branches[S]:
    """Return the states after the returning call has taken effect; others take effect before it as needed."""
    explained = _Branches[S]()
    seen = _Branches[S]()
    rest = deque(branches)
    unknown = {number: call for number, call in pending.items() if call.returned is None}
    while rest:
        state, done, lost = rest.popleft()
        if next(looks) >= effort:
            raise Undecided(
                f"a history with {len(unknown)} lost answers may have gone in too many ways to look at each"
            )
        # a read may as well take effect where it can: it makes no way of its own
        done |= {n for n, call in pending.items() if call.reads and n not in done and _possible(step(state, call.what))}
        if returning in done:
            explained.add(state, done - {returning}, lost)
            continue
        free = [(number, call) for number, call in unknown.items() if number not in lost and not call.reads]
        found: list[tuple[S, frozenset[int], frozenset[int]]] = []
        for number, call in pending.items():
            if number in done or number in unknown:
                continue
            now = done if call.reads else done | {number}
            afters = () if call.reads else tuple(step(state, call.what))
            found += [(after, now, lost) for after in afters]
            if lazy and not afters:
                for other, before in free:
                    for between in step(state, before.what):
                        reached = [between] if call.reads else step(between, call.what)
                        if not call.reads or _possible(step(between, call.what)):
                            found += [(after, now, lost | {other}) for after in reached]
        if not lazy:
            found += [(after, done, lost | {other}) for other, call in free for after in step(state, call.what)]
        rest.extend(branch for branch in found if seen.add(*branch))
    return explained


def _possible(states: Iterable[object]) -> bool:
    return any(True for _ in states)
