"""The contract suite: where the time of a sequence goes, and how long a long history takes to judge.

Run with `make bench`; `--smoke` for a short form. The base is the same interpreter with a plane that does nothing: its
answers were recorded. Exits 1 where a limit is not met.
"""

from __future__ import annotations

import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from google.protobuf.message import Message

sys.path.insert(0, str(Path(__file__).parents[1]))  # the stand-in as a target is one of the tests'

from contract import standins
from flyteapps_contract.explorations.search import Finding, SearchOptions, draw
from flyteapps_contract.explorations.sequences import draws_for
from flyteapps_contract.model.linearizability import Call, contradiction
from flyteapps_contract.model.racing import OK, Said, State, step
from flyteapps_contract.sequences.interpreter import Interpreter
from flyteapps_contract.sequences.table import Command, decode
from flyteapps_contract.session import Run, Session
from flyteapps_contract.targets.target import Link, Plane, QueueStream

RATIO = 4.0
JUDGED_SECONDS = 5.0
OPERATIONS, CLIENTS, APPS = 10_000, 8, 8
LOST = 0.003
"""The share of writes whose answer is lost, so that their effect is unknown."""

Note = tuple[bool, object]
"""Whether it was raised, and what came."""


class _Recorded(QueueStream):
    """A stream whose messages are noted, or come from what was noted."""

    def __init__(self, notes: deque[Note], real: QueueStream | None) -> None:
        self._notes = notes
        self._real = real

    def pause(self) -> None:
        """Do nothing: nothing is read without a call."""

    def resume(self) -> None:
        """Do nothing, for the same reason."""

    def next(self, seconds: float) -> Message | None:
        """Return the next message."""
        real = self._real
        answer = _noted(self._notes, (lambda: real.next(seconds)) if real is not None else None)
        assert answer is None or isinstance(answer, Message)
        return answer

    def close(self) -> None:
        """Free the stream."""
        if self._real is not None:
            self._real.close()


class _Tape(Link):
    """A link that notes what a plane answers, or plays back what was noted and makes no call."""

    opens_at_once = True

    def __init__(self, notes: deque[Note], real: Link | None) -> None:
        self._notes = notes
        self._real = real

    def unary(self, service: str, method: str, request: Message, response: type[Message], seconds: float) -> Message:
        """Return the response of one call."""
        real = self._real
        answer = _noted(
            self._notes,
            (lambda: real.unary(service, method, request, response, seconds)) if real is not None else None,
        )
        assert isinstance(answer, Message)
        return answer

    def stream(self, service: str, method: str, request: Message, response: type[Message]) -> QueueStream:
        """Return an open stream."""
        real = self._real
        return _Recorded(self._notes, real.stream(service, method, request, response) if real is not None else None)

    def close(self) -> None:
        """Free what is open."""
        if self._real is not None:
            self._real.close()


def _noted(notes: deque[Note], call: Callable[[], object] | None) -> object:
    if call is None:
        raised, answer = notes.popleft()
        if raised:
            assert isinstance(answer, Exception)
            raise answer
        return answer
    try:
        answer = call()
    except Exception as error:
        notes.append((True, error))
        raise
    notes.append((False, answer))
    return answer


class _NoPlane(Plane):
    """A plane that plays recorded answers back."""

    def __init__(self, notes: deque[Note]) -> None:
        self.capabilities = standins.CAPABILITIES
        self.link = _Tape(notes, None)

    def advance(self, seconds: float) -> None:
        """Do nothing: no time passes."""

    def close(self) -> None:
        """Do nothing: there is nothing to free."""


def drawn(count: int) -> list[list[Command]]:
    """Return the sequences drawn from the seed."""
    found: list[list[Command]] = []
    draw(
        SearchOptions(count=count, seed=1),
        Finding(),
        draws_for(standins.CAPABILITIES),
        lambda draws, _: found.append(list(map(decode, draws))),
    )
    return found


def _ran(sequences_: Iterable[list[Command]], planes: Callable[[int], Plane]) -> float:
    """Return CPU seconds of the sequences on those planes."""
    run = Run(prefix="fcbench")
    started = time.process_time()
    for number, each in enumerate(sequences_):
        with Session(planes(number), run) as session:
            Interpreter(session).run(each)
    return time.process_time() - started


def sequences(count: int) -> bool:
    """Print where the time goes; return whether a sequence costs no more than it may."""
    started = time.process_time()
    sequences_ = drawn(count)
    drawing = time.process_time() - started
    target = standins.direct()
    tapes = [deque[Note]() for _ in sequences_]

    def recording(number: int) -> Plane:
        plane = target.plane()
        plane.link = _Tape(tapes[number], plane.link)
        return plane

    _ran(sequences_, recording)
    full, base = [], []
    for _ in range(3):
        full.append(_ran(sequences_, lambda number: target.plane()))
        base.append(_ran(sequences_, lambda number: _NoPlane(deque(tapes[number]))))
    real, nothing = min(full), min(base)
    ratio = (drawing + real) / (drawing + nothing)
    commands = sum(map(len, sequences_))
    print(f"{len(sequences_)} sequences, {commands / len(sequences_):.0f} commands each in the mean")
    print("| part | ms a sequence | share |")
    print("| --- | --- | --- |")
    for part, seconds in (("generate", drawing), ("plane", real - nothing), ("interpreter and oracle", nothing)):
        print(f"| {part} | {1_000 * seconds / len(sequences_):.2f} | {seconds / (drawing + real):.0%} |")
    print(f"with the plane / with none: {ratio:.2f} (at most {RATIO:g})")
    return ratio <= RATIO


def history(operations: int, seed_: int, lost_share: float) -> list[Call[Said]]:
    """Return a history of concurrent clients: each call takes effect at some time between call and return."""
    chance = random.Random(seed_)
    free = [0.0] * CLIENTS
    planned: list[tuple[float, float, float, Said]] = []
    for number in range(operations):
        client = min(range(CLIENTS), key=free.__getitem__)
        begin = free[client] + chance.random()
        end = begin + chance.expovariate(0.5)
        free[client] = end
        verb = chance.choice(("get", "get", "update", "update", "update", "create", "delete"))
        planned.append((begin, chance.uniform(begin, end), end, Said(verb, f"m{number}")))
    state: State = None
    calls: list[Call[Said]] = []
    for begin, _, end, said in sorted(planned, key=lambda each: each[1]):
        answer = next(each for each in _answers(state, said))
        lost = said.verb != "get" and chance.random() < lost_share
        if lost and chance.random() < 0.5:
            calls.append(Call(round(begin * 10**6), None, said))  # it never got there
            continue
        [state] = step(state, answer)
        if lost:
            calls.append(Call(round(begin * 10**6), None, said))
            continue
        calls.append(Call(round(begin * 10**6), round(end * 10**6), answer, reads=said.verb == "get"))
    return calls


def _answers(state: State, said: Said) -> Iterable[Said]:
    """Yield the one answer that there can be."""
    for code in (OK, "NOT_FOUND", "ALREADY_EXISTS", "ABORTED"):
        for after in step(state, said):
            answer = replace(said, code=code, seen=after if code == OK else None)
            if any(True for _ in step(state, answer)):
                yield answer


def histories(operations: int) -> bool:
    """Print the time of judging a long history: all of one app, and of several apps with lost answers."""
    good = True
    for apps, lost_share in ((1, 0.0), (APPS, LOST)):
        parts = [history(operations // apps, number, lost_share) for number in range(apps)]
        lost = sum(call.returned is None for calls in parts for call in calls)
        started = time.process_time()
        found = [contradiction(calls, None, step) for calls in parts]
        seconds = time.process_time() - started
        print(
            f"a history of {operations:,} operations of {CLIENTS} clients on {apps} app(s), {lost} answers "
            f"lost: judged in {seconds:.2f} s (at most {JUDGED_SECONDS:g})"
        )
        good = good and not any(found) and seconds < JUDGED_SECONDS
    return good


def main() -> int:
    """Print both."""
    smoke = "--smoke" in sys.argv
    good = [sequences(20 if smoke else 1_000), histories(200 if smoke else OPERATIONS)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
