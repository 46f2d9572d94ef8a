"""Clients that race: each in a thread of its own, with one order of all calls, and a timeline of them."""

from __future__ import annotations

import itertools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import Span
from flyteapps_contract.targets.target import CALL_SECONDS

O = TypeVar("O")  # noqa: E741  # an operation


class Called(Protocol):
    """A call as it was: by which client, when it was made and when it returned, None where its answer was lost."""

    @property
    def client(self) -> int:
        """The client, negative for the calls before and after the race."""
        ...

    @property
    def called(self) -> int:
        """Its begin in the order of the race."""
        ...

    @property
    def returned(self) -> int | None:
        """Its end in that order."""
        ...


E = TypeVar("E", bound=Called)


class ClientRace(ABC, Generic[O, E]):
    """Clients that race, and the record of their calls: `events`, which the clients' threads add to."""

    def __init__(self, events: list[E]) -> None:
        self._events = events
        self._ticks = itertools.count(1)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._trouble: list[BaseException] = []
        """The errors that ended clients before their time."""

    @abstractmethod
    def _act(self, client: int, mark: str, op: O) -> None:
        """Carry out one operation of a client; `mark` tells it from all others."""

    def _await_plane(self) -> None:
        """Wait until the plane can be called."""

    def _race(
        self,
        clients: Sequence[Iterable[O]],
        meanwhile: Callable[[Sequence[threading.Thread]], None] = lambda threads: None,
    ) -> None:
        """Run the operations of all clients at once, and `meanwhile` beside them, until all have ended.

        When this is interrupted a client begins no call any more, and the one under way is waited for, so that nothing
        is created once a session cleans up.
        """
        threads = [
            threading.Thread(target=partial(self._client, number, ops), daemon=True)
            for number, ops in enumerate(clients)
        ]
        try:
            for thread in threads:
                thread.start()
            meanwhile(threads)
            for thread in threads:
                thread.join()
        finally:
            self._over.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join(CALL_SECONDS + 1.0)

    def _client(self, client: int, ops: Iterable[O]) -> None:
        try:
            for turn, op in enumerate(ops):
                self._await_plane()
                if self._over.is_set():
                    return
                self._act(client, f"c{client}.{turn}", op)
        except BaseException as trouble:  # raised by the thread that waits
            self._trouble.append(trouble)

    def _troubles(self) -> tuple[list[Violation], list[BaseException]]:
        """Return what the clients saw broken, and what else ended them."""
        violations = [trouble for trouble in self._trouble if isinstance(trouble, Violation)]
        return violations, [trouble for trouble in self._trouble if not isinstance(trouble, Violation)]

    def _tick(self) -> int:
        return next(self._ticks)  # one step of the interpreter: no two get the same

    def _record(self, event: E) -> None:
        with self._lock:
            self._events.append(event)

    def _timeline(self, text: Callable[[E], str], is_wrong: Callable[[E], bool]) -> tuple[Span, ...]:
        """Return the calls by client, each with its text; `is_wrong` says which can't be explained."""
        return tuple(
            Span(
                "before and after" if event.client < 0 else f"client {event.client}",
                text(event),
                event.called,
                event.returned,
                is_wrong(event),
            )
            for event in sorted(self._events, key=lambda each: each.called)
        )
