"""The changes of a plane's state: code that is about to change a piece says so before, where anybody wants to know.

Snapshots do, and a directory. Entered under the plane's lock.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.state.marks import Mark, Marks
from flyteapps_fake.core.state.sections import Entry, Sections
from flyteapps_fake.core.streams import OpenStream

TIME = Entry("time", "")
"""The place of the plane's time, which every batch has; it is no piece of a section."""


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
        self.flying: dict[Entry, Any] = {}
        """The images of the pieces in the batch that is being written, None for one that is gone."""
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
        self.check()
        entry = Entry(section, key)
        newest = self._marks.newest
        if newest is not None and entry not in newest.images:
            newest.images[entry] = self.sections[section].image(key)
        if self.saves:
            self._collect(entry)

    def time_moves(self) -> None:
        """Record that a clock is about to be moved by a call. Raises RpcError where it can't be."""
        self.check()
        if self.saves:
            self._collect(TIME)

    def refuse(self, refusal: RpcError | None) -> None:
        """Refuse all changes from now on, with an error; take them again for None."""
        self.refusal = refusal
        self._look()

    def check(self) -> None:
        """Raise RpcError where nothing can be changed."""
        if self.refusal is not None:
            raise self.refusal

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
        return batch <= self.safe_batch  # streams are read by any thread, and it may have become safe in between

    def is_entry_safe(self, entry: Entry, stream: OpenStream) -> bool:
        """Return whether a piece is as it was saved, so that a stream may show it; else wake the stream once it is."""
        if self._is_saved(entry):
            return True
        self._held[stream] = None
        return self._is_saved(entry)

    def _is_saved(self, entry: Entry) -> bool:
        return entry not in self.unsaved and entry not in self.flying

    def wake_streams(self) -> None:
        """Wake the streams whose next message may be safe by now."""
        held, self._held = self._held, {}
        for stream in list(held):
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
        """Return to a mark; return the places of the pieces that differed. Raises RpcError where nothing can change."""
        self.check()
        changed = self._marks.restore(mark)
        if self.saves:
            self._collect(*changed)
        return changed

    def undo(self, mark: Mark) -> list[Entry]:
        """Return to a mark that shows what is saved; return the places of the pieces that differed."""
        changed = self._marks.restore(mark)
        self.unsaved, self.flying = {}, {}
        return changed

    def replace(self, entry: Entry, image: Any) -> None:
        """Replace a piece by an image, as a change."""
        if self.on:
            self.touch(*entry)
        self._put(entry, image)

    def put_new(self, name: str, images: Mapping[Any, Any]) -> None:
        """Put pieces of a section that are not there, as changes; the section takes their images over."""
        if self.on:
            for key in images:
                self.touch(name, key)
        self.sections[name].put_new(images)

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
        self.saves, self.safe_batch = False, sys.maxsize
        self.unsaved, self.flying, self.refusal = {}, {}, None
        self._look()

    def _collect(self, *entries: Entry) -> None:
        """Let the changes of these pieces belong to the next batch."""
        if entries and not self.unsaved:
            self._begin()
        self.unsaved.update(dict.fromkeys(entries))

    def _look(self) -> None:
        self.on = self.saves or self.refusal is not None or self._marks.newest is not None

    def _image(self, entry: Entry) -> Any:
        return self.sections[entry.section].image(entry.key)

    def _put(self, entry: Entry, image: Any) -> None:
        self.sections[entry.section].put(entry.key, image)


def _nothing() -> None:
    """Do nothing."""
