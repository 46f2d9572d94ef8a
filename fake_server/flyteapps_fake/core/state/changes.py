"""The changes of a plane's state: code that is about to change a piece says so before, where anybody wants to know.

Snapshots do, and a directory. Entered under the plane's lock.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.state.marks import Mark, Marks
from flyteapps_fake.core.state.sections import Entry, Sections
from flyteapps_fake.core.streams import OpenStream


class Changes:
    """The changes of one plane. `on`: whether `touch` has to be called."""

    def __init__(self) -> None:
        self.on = False
        self.sections = Sections()
        self._marks = Marks(self._image, self._put)
        self.saves = False
        """Whether changes are saved in a directory."""
        self.unsaved: dict[Entry, None] = {}
        """The places of the pieces that have changed since the last batch was cut."""
        self.batch = 1
        """The number of the batch that changes belong to now."""
        self.safe_batch = sys.maxsize
        """The number of the last batch that is safe; all are where nothing is saved."""
        self.refusal: RpcError | None = None
        """The error of all changes, as long as they can't be saved."""
        self._begin: Callable[[], None] = _nothing
        self._held: dict[OpenStream, None] = {}
        """The streams whose next message isn't safe yet."""

    def touch(self, section: str, key: Hashable) -> None:
        """Record that a piece is about to change; call it before, where `on`. Raises RpcError where it can't be."""
        if self.refusal is not None:
            raise self.refusal
        entry = Entry(section, key)
        newest = self._marks.newest
        if newest is not None and entry not in newest.images:
            newest.images[entry] = self.sections[section].image(key)
        if self.saves:
            if not self.unsaved:
                self._begin()
            self.unsaved[entry] = None

    @property
    def shown_batch(self) -> int:
        """The batch of the last change that the present shows; 0 where nothing is saved."""
        if not self.saves:
            return 0
        return self.batch if self.unsaved else self.batch - 1

    def is_safe(self, batch: int, stream: OpenStream) -> bool:
        """Return whether a message of a stream may be sent, by the batch of its change; else wake it once it may."""
        if batch <= self.safe_batch:
            return True
        self._held[stream] = None
        return False

    def wake_streams(self) -> None:
        """Wake the streams whose next message may be safe by now."""
        held, self._held = self._held, {}
        for stream in held:
            stream.notify()

    def mark(self) -> Mark:
        """Make a mark of the present, between two operations."""
        mark = self._marks.make()
        self._look()
        return mark

    def drop(self, mark: Mark) -> None:
        """Forget a mark."""
        self._marks.drop(mark)
        self._look()

    def restore(self, mark: Mark) -> list[Entry]:
        """Return to a mark; return the places of the pieces that differed."""
        changed = self._marks.restore(mark)
        if self.saves and changed:
            if not self.unsaved:
                self._begin()
            self.unsaved.update(dict.fromkeys(changed))
        return changed

    def replace(self, entry: Entry, image: Any) -> None:
        """Replace a piece by an image, as a change."""
        if self.on:
            self.touch(*entry)
        self._put(entry, image)

    def settle(self, changed: Iterable[Entry]) -> None:
        """Let the sections go on from pieces that were put."""
        for name in dict.fromkeys(entry.section for entry in changed):
            self.sections[name].settle()

    def save(self, begin: Callable[[], None]) -> None:
        """Collect the changes for a directory from now on; `begin` is called at the first of each batch."""
        self.saves, self._begin, self.safe_batch = True, begin, 0
        self._look()

    def forget(self) -> None:
        """Save nothing from now on, as in a forked child."""
        self.saves, self.safe_batch, self.unsaved = False, sys.maxsize, {}
        self._look()

    def _look(self) -> None:
        self.on = self.saves or self._marks.newest is not None

    def _image(self, entry: Entry) -> Any:
        return self.sections[entry.section].image(entry.key)

    def _put(self, entry: Entry, image: Any) -> None:
        self.sections[entry.section].put(entry.key, image)


def _nothing() -> None:
    """Do nothing."""
