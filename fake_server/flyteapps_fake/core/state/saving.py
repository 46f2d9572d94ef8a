"""The saving of a plane's changes: no client sees one before it is safe, and one that can't be saved is undone.

Changes are collected in batches, numbered from 1: `cut` hands out the one that has come together, and `saved` or
`failed` says what became of it. They are called under the plane's lock, by a thread that isn't the plane's business. An
answer that shows or makes a change waits for its batch; so do the messages of streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from flyteapps_control.v1.state_pb2 import PlaneTime
from flyteapps_fake.control.effects import Postponed, raising
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.state.changes import TIME
from flyteapps_fake.core.state.keeping import Keeping
from flyteapps_fake.core.state.marks import Mark
from flyteapps_fake.core.state.sections import Entry
from flyteapps_fake.core.time.timeline import Timeline

T = TypeVar("T")

LOOK_SECONDS = 0.05
"""Real seconds between two looks of an answer at whether its batch is safe, where nothing wakes it."""


class Batch(NamedTuple):
    """The changes of one batch: the image of each changed piece, None for one that is gone, and the plane's time."""

    number: int
    images: dict[Entry, Any]
    time: PlaneTime


class _Answer:
    """An answer that waits until a batch is safe. `read`: makes it anew, if it is one that changes nothing."""

    __slots__ = ("batch", "error", "outcome", "over", "read", "wake")

    def __init__(self, batch: int, read: Callable[[], Any] | None) -> None:
        self.batch = batch
        self.read = read
        self.over = False
        self.error: RpcError | None = None
        self.outcome: Callable[[], Any] | None = None
        """Returns the answer that was made anew, or raises it."""
        self.wake: Callable[[], None] | None = None

    def undone(self, error: RpcError) -> None:
        """End the wait as changes were undone that the answer may show."""
        if self.read is None:
            self.end(error)
            return
        try:
            result = self.read()
            self.outcome = lambda: result
        except RpcError as refused:
            self.outcome = raising(refused)
        self.end(None)

    def end(self, error: RpcError | None) -> None:
        self.over, self.error = True, error
        if self.wake is not None:
            self.wake()


class Saving:
    """The batches of one plane. `on`: whether its changes are saved."""

    def __init__(self, timeline: Timeline, keeping: Keeping) -> None:
        self._timeline = timeline
        self._keeping = keeping
        self.changes = timeline.changes
        self.on = False
        self._safe_mark: Mark | None = None
        self._cut_mark: Mark | None = None
        self._safe_time = self._cut_time = PlaneTime()
        self._answers: list[_Answer] = []
        self._failures = 0
        """Number of times that changes were undone."""
        self._failure: RpcError | None = None
        """The error of the changes that were undone last."""
        self.now: Callable[[], None] | None = None
        """Saves the changes of an operation at its end, before anything else happens; None where batches do."""

    def start(self, begin: Callable[[], None]) -> None:
        """Save the changes from now on; `begin` is called when the first change of a batch has come."""
        self.on = True
        self.changes.save(begin)
        self._safe_mark = self.changes.mark()
        self._safe_time = self._keeping.time()

    def add(self, sections: Iterable[str]) -> None:
        """Save all pieces of these sections, of which nothing is saved yet."""
        for name in sections:
            for key in self.changes.sections[name].keys():  # noqa: SIM118  # no mapping
                self.changes.touch(name, key)

    def stop(self, refusal: RpcError) -> None:
        """Save nothing from now on, and refuse all changes; what waits goes on, unless it couldn't be saved."""
        is_safe = self.is_safe(None)
        if not is_safe:
            self._keeping.cut_streams(refusal.message)
        self._leave()
        self.changes.refuse(refusal)
        self._timeline.frozen = True
        self._end(self._answers, None if is_safe else refusal)
        self.changes.wake_streams()

    def forked(self) -> None:
        """Save nothing in a forked child, where no caller of the parent waits."""
        self._leave()
        self._answers = []
        self._timeline.frozen = False

    def _leave(self) -> None:
        self.on = False
        self.changes.forget()
        for mark in (self._safe_mark, self._cut_mark):
            if mark is not None:
                self.changes.drop(mark)
        self._safe_mark = self._cut_mark = None

    @property
    def is_due(self) -> bool:
        """Whether there are changes that belong to no batch yet."""
        return bool(self.changes.unsaved)

    # ---- answers

    def answer(self, run: Callable[[], T], entry: Entry | None = None, *, reads: bool = False) -> T:
        """Return what `run` returns once all that it may show is safe. Raises as it does, and Postponed for the wait.

        `entry`: the place of the only piece that it may show or change, if there is just one. `reads`: whether it
        changes nothing, and can run again, under the plane's lock, where that couldn't be saved.
        """
        failures = self._failures
        try:
            result = run()
        except Postponed as postponed:
            raise self.later(postponed) from None
        except RpcError as error:
            waiting = self._waiting(entry, failures, run if reads else None)
            if waiting is None:
                raise
            raise self._postponed(waiting, error, None) from None
        waiting = self._waiting(entry, failures, run if reads else None)
        if waiting is None:
            return result
        raise self._postponed(waiting, None, result)

    @property
    def waiting(self) -> int:
        """The number of answers that wait."""
        return len(self._answers)

    def is_safe(self, entry: Entry | None) -> bool:
        """Return whether a piece is as it is on the disk; all of them, where none is given."""
        unsaved, flying = self.changes.unsaved, self.changes.flying
        if not unsaved and not flying:
            return True
        return entry is not None and entry not in unsaved and entry not in flying

    def _waiting(self, entry: Entry | None, failures: int, read: Callable[[], Any] | None) -> _Answer | None:
        """Return the wait of an answer, None where it shows only what is safe.

        `failures`: how often changes had been undone before what it shows was read, or changed.
        """
        if failures == self._failures and not self.changes.unsaved and not self.changes.flying:
            return None
        with self._timeline.lock:
            answer = _Answer(0, read)
            if failures != self._failures and self._failure is not None:
                answer.undone(self._failure)
                return answer
            if self.is_safe(entry):
                return None
            unsaved = self.changes.unsaved if entry is None else entry in self.changes.unsaved
            answer.batch = self.changes.batch if unsaved else self.changes.batch - 1
            self._answers.append(answer)
            if self.now is not None and self.changes.unsaved:
                self.now()
            return None if answer.over and answer.error is answer.outcome is None else answer

    def _postponed(self, waiting: _Answer, error: RpcError | None, result: Any) -> Postponed:
        def resume() -> Any:
            if waiting.error is not None:
                raise waiting.error
            if waiting.outcome is not None:
                return waiting.outcome()
            if error is not None:
                raise error
            return result

        def wake_by(wake: Callable[[], None]) -> None:
            waiting.wake = wake
            if waiting.over:
                wake()

        return Postponed(
            0.0,
            lambda: 0.0 if waiting.over else LOOK_SECONDS,
            resume,
            lambda: None,
            purpose="the change was saved",
            wake_by=wake_by,
            is_woken=True,
        )

    def later(self, postponed: Postponed) -> Postponed:
        """Return the wait of a call that goes on later, and then until what it has changed is safe."""
        return postponed.in_turn(lambda: self.answer(postponed.resume))

    # ---- batches

    def cut(self) -> Batch:
        """Return the changes since the last cut, as a batch to be saved."""
        changes, now = self.changes, self._keeping.time()
        changes.flying = {
            entry: changes.sections[entry.section].image(entry.key) if entry != TIME else None
            for entry in changes.unsaved
        }
        changes.unsaved = {}  # last: who doesn't hold the lock finds a piece in one of them
        number = changes.batch
        changes.batch += 1
        self._cut_mark, self._cut_time = changes.mark(), now
        return Batch(number, {entry: image for entry, image in changes.flying.items() if entry != TIME}, self._cut_time)

    def saved(self, number: int) -> None:
        """Let all go on that waits for a batch, which is safe."""
        changes = self.changes
        changes.safe_batch = number
        changes.flying = {}
        if self._cut_mark is not None and self._safe_mark is not None:
            changes.drop(self._safe_mark)
            self._safe_mark, self._cut_mark = self._cut_mark, None
            self._safe_time = self._cut_time
        self._keeping.keep_saved()
        self._end([each for each in self._answers if each.batch <= number], None)
        changes.wake_streams()

    def failed(self, error: RpcError) -> None:
        """Undo all changes that aren't safe, refuse those that follow, and end what waits for them with an error."""
        changes = self.changes
        self._failure = error
        changes.refuse(error)
        self._failures += 1
        self._timeline.frozen = True
        self._keeping.cut_streams("the state can't be saved, and goes back to what is")
        self._keeping.drop_unsaved()
        self._keeping.lose_writes(error)
        changed = changes.undo(self._safe_mark) if self._safe_mark is not None else []
        if self._cut_mark is not None:
            changes.drop(self._cut_mark)
            self._cut_mark = None
        self._keeping.set_time(self._safe_time)
        changes.safe_batch = changes.batch
        changes.batch += 1
        self._keeping.settled(changed)
        answers, self._answers = self._answers, []
        for each in answers:
            each.undone(error)
        changes.wake_streams()

    def recovered(self) -> None:
        """Take changes again, which can be saved."""
        self.changes.refuse(None)
        self._timeline.thaw()

    def _end(self, answers: list[_Answer], error: RpcError | None) -> None:
        ended = set(map(id, answers))
        self._answers = [each for each in self._answers if id(each) not in ended]
        for each in answers:
            each.end(error)
