"""One app that several clients race for, as a state machine for the judge of histories (model/linearizability.py).

The app is stopped, so that only the clients change it. Nothing here calls a plane.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

OK, NOT_FOUND, ALREADY_EXISTS, ABORTED = "OK", "NOT_FOUND", "ALREADY_EXISTS", "ABORTED"

State = tuple[int, str] | None
"""The revision that is stored, and the mark of the write that stored it; None where there is no app."""


@dataclass(frozen=True, slots=True)
class Said:
    """A request and its answer. `code` is "" where the answer was lost; `seen` what the answer shows.

    `cut_off`: the plane was killed meanwhile, so that the request was carried out before that or never.
    """

    verb: str
    mark: str = ""
    revision: int = 0
    code: str = ""
    seen: State = None
    cut_off: bool = False


def step(state: State, said: Said) -> Iterator[State]:
    """Return the states that such a request leads to, where its answer can be from that state."""
    code, after = _effect(state, said)
    if said.code and said.code != code:
        return
    if said.code == OK and said.verb not in ("delete",) and said.seen != after:
        return
    yield after
    if said.cut_off and after != state:
        yield state


def _effect(state: State, said: Said) -> tuple[str, State]:
    match said.verb:
        case "create":
            return (OK, (1, said.mark)) if state is None else (ALREADY_EXISTS, state)
        case "delete":
            return (OK, None) if state is not None else (NOT_FOUND, None)
        case "update":
            if state is None:
                return NOT_FOUND, None
            if said.revision not in (0, state[0]):
                return ABORTED, state
            return OK, (state[0] + 1, said.mark)
        case _:
            return (NOT_FOUND if state is None else OK), state
