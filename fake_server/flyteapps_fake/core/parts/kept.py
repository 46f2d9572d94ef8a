"""The state of a plane as a whole: snapshots, resets, documents."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

from flyteapps_control.v1.state_pb2 import PlaneState, PlaneTime
from flyteapps_fake.core.parts.base import PlaneParts
from flyteapps_fake.core.state.document import pieces_of
from flyteapps_fake.core.state.saving import Saving
from flyteapps_fake.core.state.sections import Sections

T = TypeVar("T")


class KeptPlane(PlaneParts):
    """The part of a plane that returns to states. Each change of the state ends open streams with UNAVAILABLE."""

    def take_snapshot(self, name: str) -> None:
        """Remember the state under a name; one of that name is replaced. Raises ValueError for one too many."""
        with self._lock:
            self._timeline.run_due()
            self._keeping.take(name)

    def restore_snapshot(self, name: str) -> int:
        """Return to a snapshot, which stays; return how many pieces differed. Raises KeyError for an unknown one."""
        with self._lock:
            return self._keeping.restore(name)

    def list_snapshots(self) -> list[str]:
        """Return the names of the snapshots, the oldest first."""
        with self._lock:
            return self._keeping.names()

    def drop_snapshot(self, name: str) -> None:
        """Forget a snapshot. Raises KeyError for an unknown one."""
        with self._lock:
            self._keeping.drop(name)

    def reset_state(self, project: str | None = None, seed: int | None = None) -> int:
        """Make the plane, or a project of it, as new; return how many pieces there were.

        `seed`: that of all draws from now on; of the whole plane alone. Raises ValueError for both.
        """
        with self._lock:
            return self._keeping.reset(project, seed)

    @property
    def saving(self) -> Saving:
        """The saving of the plane's changes in a directory."""
        return self._saving

    @property
    def sections(self) -> Sections:
        """The sections of the plane's state."""
        return self._timeline.changes.sections

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the plane's lock."""
        with self._lock:
            yield

    def time(self) -> PlaneTime:
        """Return the plane's time."""
        with self._lock:
            return self._keeping.time()

    def take_pieces(
        self,
        entries: Iterable[tuple[str, bytes, bytes]],
        then: PlaneTime,
        *,
        passes: bool,
        placed: Callable[[], None] | None = None,
    ) -> int:
        """Replace the plane's state by encoded pieces, each with its section and key; return how many there are.

        `then`: the plane's time as they were written. `passes`: as in `load_document`. `placed` is called when they are
        there, before any change follows from them. Raises WrongState.
        """
        with self._lock:
            return self._keeping.take_pieces(pieces_of(entries, self.sections), then, passes=passes, placed=placed)

    def safely(self, run: Callable[[], T]) -> T:
        """Return what `run` returns once its changes are saved. Raises as it does, and Postponed for the wait."""
        return self._saving.answer(run) if self._saving.on else run()

    def document(self) -> PlaneState:
        """Return the document of the plane's state."""
        with self._lock:
            self._timeline.run_due()
            return self._keeping.document()

    def load_document(self, document: PlaneState, *, passes: bool = True) -> int:
        """Replace the plane's state by that of a document; return how many pieces it has.

        `passes`: whether the time since it was written counts, on a clock that is realtime. Raises WrongState, a
        ValueError, for one that this plane can't take, and changes nothing then.
        """
        with self._lock:
            return self._keeping.load(document, passes=passes)
