"""The keeping of a plane's state: snapshots, resets, documents. One object a plane, entered under its lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from flyteapps_control.v1.state_pb2 import PlaneState, PlaneTime
from flyteapps_fake.control.interceptor import Interceptor
from flyteapps_fake.core.dialect import Dialect
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.state.document import FORMAT, WrongState, check_head, document_of, pieces
from flyteapps_fake.core.state.garbage import uncollected
from flyteapps_fake.core.state.marks import Mark
from flyteapps_fake.core.state.sections import Entry
from flyteapps_fake.core.state.version import written_by
from flyteapps_fake.core.time.timeline import Timeline

MAX_SNAPSHOTS = 100
"""Snapshots of a plane: each keeps what was replaced since."""


class Snapshot(NamedTuple):
    """A snapshot. `batch`: that of the last change in it. `before`: the one of its name, until that batch is saved."""

    mark: Mark
    time: PlaneTime
    batch: int
    before: Snapshot | None


class Keeping:
    """The state of one plane as a whole. `name`: of its dialect. `wall`: returns the wall clock."""

    def __init__(
        self,
        dialect: Dialect,
        timeline: Timeline,
        interceptor: Interceptor,
        name: str,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self._dialect = dialect
        self._interceptor = interceptor
        self._name = name
        self._timeline = timeline
        self._changes = timeline.changes
        self._wall = wall
        self._start = timeline.clock.now()
        self._snapshots: dict[str, Snapshot] = {}
        self._unsaved = False
        """Whether a snapshot may show changes that aren't saved yet."""

    # ---- snapshots

    def take(self, name: str) -> None:
        """Make a snapshot; one of that name is replaced. Raises ValueError for one too many."""
        if name not in self._snapshots and len(self._snapshots) >= MAX_SNAPSHOTS:
            raise ValueError(f"a plane has at most {MAX_SNAPSHOTS} snapshots: drop one")
        before, changes = self._snapshots.pop(name, None), self._changes
        batch = changes.shown_batch
        if before is not None and before.batch > changes.safe_batch:
            changes.drop(before.mark)
            before = before.before
        elif before is not None and batch <= changes.safe_batch:
            changes.drop(before.mark)
            before = None
        self._snapshots[name] = Snapshot(changes.mark(), self.time(), batch, before)
        self._unsaved = self._unsaved or batch > changes.safe_batch

    def restore(self, name: str) -> int:
        """Return to a snapshot, which stays; return how many pieces differed. Raises KeyError for an unknown one."""
        mark, then, _, _ = self._snapshot(name)
        self._changes.check()
        self.end_streams("the plane was restored to the snapshot " + name)
        changed = self._changes.restore(mark)
        self.set_time(then)
        self.settled(changed)
        return len(changed)

    def names(self) -> list[str]:
        """Return the names of the snapshots, the oldest first."""
        return [*self._snapshots]

    def drop(self, name: str) -> None:
        """Forget a snapshot. Raises KeyError for an unknown one."""
        found = self._snapshot(name)
        del self._snapshots[name]
        for each in (found, found.before):
            if each is not None:
                self._changes.drop(each.mark)

    def keep_saved(self) -> None:
        """Keep the snapshots whose changes are saved for good: those that they replaced are forgotten."""
        if not self._unsaved:
            return
        safe = self._changes.safe_batch
        for name, each in self._snapshots.items():
            if each.before is not None and each.batch <= safe:
                self._changes.drop(each.before.mark)
                self._snapshots[name] = each._replace(before=None)
        self._unsaved = any(each.batch > safe for each in self._snapshots.values())

    def drop_unsaved(self) -> None:
        """Forget the snapshots with changes that can't be saved; those that they replaced are there again."""
        if not self._unsaved:
            return
        for name, each in list(self._snapshots.items()):
            if each.batch > self._changes.safe_batch:
                self._changes.drop(each.mark)
                del self._snapshots[name]
                if each.before is not None:
                    self._snapshots[name] = each.before
        self._unsaved = False

    def _snapshot(self, name: str) -> Snapshot:
        if name not in self._snapshots:
            known = ", ".join(self._snapshots) or "none"
            raise KeyError(f"there is no snapshot {name!r}; there are: {known}")
        return self._snapshots[name]

    # ---- resets and documents

    def reset(self, project: str | None = None, seed: int | None = None) -> int:
        """Make the plane, or a project of it, as new; return how many pieces there were.

        `seed`: that of the draws from now on, of the whole plane alone. Raises ValueError.
        """
        if project is not None and seed is not None:
            raise ValueError("a seed is the plane's: reset all of it, or leave the seed out")
        self._changes.check()
        what = "the plane was reset" if project is None else f"the project {project} was reset"
        self.end_streams(what, project)
        gone = [
            Entry(section.name, key)
            for section in self._changes.sections
            for key in (section.keys() if project is None else section.within(project))
        ]
        for entry in gone:
            self._changes.replace(entry, self._changes.sections[entry.section].fresh(entry.key))
        if project is None:
            seed = self._timeline.seed.value if seed is None else seed
            self.set_time(PlaneTime(now=self._start, seed=str(seed)))
            self._interceptor.log.restart(0)
        self.settled(gone)
        return len(gone)

    @uncollected()
    def document(self) -> PlaneState:
        """Return the document of the plane's state."""
        head = PlaneState(format=FORMAT, dialect=self._name, written_by=written_by(), time=self.time())
        return document_of(self._changes.sections, head)

    def load(self, document: PlaneState, *, passes: bool = True) -> int:
        """Replace the plane's state by that of a document; return how many pieces it has. Raises WrongState.

        `passes`: whether the time since it was written counts, on a clock that is realtime.
        """
        check_head(document, self._name)
        seed_of(document.time)
        return self.take_pieces(pieces(document, self._changes.sections), document.time, passes=passes)

    @uncollected(lasting=True)
    def take_pieces(
        self,
        given: Iterable[tuple[str, Mapping[Any, Any]]],
        then: PlaneTime,
        *,
        passes: bool = True,
        placed: Callable[[], None] | None = None,
    ) -> int:
        """Replace the plane's state by these images of that time, by section and key; return how many there are.

        They are taken over: nothing else has them. `placed` is called when they are there, before any change follows
        from them.
        """
        self._changes.check()
        found = dict(given)
        self.end_streams("the plane has taken another state")
        sections = self._changes.sections
        before = {section.name: list(section.keys()) for section in sections}
        self._timeline.seed.value = seed_of(then)
        for name, keys in before.items():
            for key in keys:
                if key not in found.get(name, ()):
                    self._changes.replace(Entry(name, key), sections[name].fresh(key))
        for name, images in found.items():
            if any(key in images for key in before[name]):
                for key, image in images.items():
                    self._changes.replace(Entry(name, key), image)
            else:
                self._changes.put_new(name, images)
        self.set_time(then, passes=passes, loaded=True)
        self._interceptor.log.restart(then.calls)
        if placed is not None:
            placed()
        self.settled(Entry(name, key) for pieces in (before, found) for name, keys in pieces.items() for key in keys)
        self._dialect.loaded()
        return sum(map(len, found.values()))

    # ---- time

    def time(self) -> PlaneTime:
        """Return the plane's time."""
        return PlaneTime(
            now=self._timeline.clock.now(),
            wall=self._wall(),
            scheduled=self._timeline.timers.scheduled,
            seed=str(self._timeline.seed.value),
            calls=self._interceptor.log.last,
        )

    def set_time(self, then: PlaneTime, *, passes: bool = True, loaded: bool = False) -> None:
        """Set the plane's time to that of another state; `loaded`: of one that was written, maybe some time ago."""
        timeline = self._timeline
        timeline.forget_past()
        timeline.seed.value = seed_of(then)
        timeline.timers.scheduled = then.scheduled
        if timeline.mode != "realtime":
            timeline.clock.set(then.now)
        elif loaded:
            passed = max(0, self._wall() - then.wall) if passes else 0
            timeline.clock.set(then.now + round(passed * timeline.speed))
        timeline.usage.restart()

    # ---- what follows

    def end_streams(self, why: str, project: str | None = None) -> None:
        """End the open streams and delayed calls, or those about a project, with UNAVAILABLE: clients come back."""
        self._interceptor.delays.cancel(RpcError(Code.UNAVAILABLE, f"{why}: try again"), project)
        error = RpcError(Code.UNAVAILABLE, f"{why}: open the stream again")
        for stream in self._dialect.streams.all():
            if project is None or stream.app.project in ("", project):
                stream.end(error)

    def cut_streams(self, why: str) -> None:
        """End the open streams with UNAVAILABLE, without the messages that are ready: they show what is undone."""
        error = RpcError(Code.UNAVAILABLE, f"{why}: open the stream again")
        for stream in self._dialect.streams.all():
            stream.cut(error)

    def lose_writes(self, error: RpcError) -> None:
        """Let the writes that have ended, and aren't answered yet, end with an error: what they changed is undone."""
        self._interceptor.delays.undone(error)

    def settled(self, changed: Iterable[Entry]) -> None:
        """Let the plane go on from another state."""
        entries = list(changed)
        self._changes.settle(entries)
        self._dialect.restored(entries)
        self._timeline.scheduled()


def seed_of(time: PlaneTime) -> int:
    """Return the seed of a plane's time; 0 for none. Raises WrongState for one that is no number."""
    try:
        return int(time.seed or 0)
    except ValueError:
        raise WrongState(f"time.seed: {time.seed[:80]!r} is no number") from None
