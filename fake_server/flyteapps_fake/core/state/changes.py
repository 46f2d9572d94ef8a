"""The changes of a plane's state: code that is about to change a piece says so before, where anybody wants to know.

Snapshots do, and a directory. Entered under the plane's lock.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from flyteapps_fake.core.state.marks import Mark, Marks
from flyteapps_fake.core.state.sections import Entry, Sections


class Changes:
    """The changes of one plane. `on`: whether `touch` has to be called."""

    def __init__(self) -> None:
        self.on = False
        self.sections = Sections()
        self._marks = Marks(self._image, self._put)
        self.saves = False
        """Whether changes are written to a directory."""
        self.unsaved: dict[Entry, None] = {}
        """The places of the pieces that have changed and are not yet handed to the directory."""
        self.restoring = False
        """Whether a state is being put back: nothing follows from what changes."""

    def touch(self, section: str, key: Hashable) -> None:
        """Record that a piece is about to change; call it before, where `on`."""
        entry = Entry(section, key)
        newest = self._marks.newest
        if newest is not None and entry not in newest.images:
            newest.images[entry] = self.sections[section].image(key)
        if self.saves:
            self.unsaved[entry] = None

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
        self.restoring = True
        try:
            changed = self._marks.restore(mark)
        finally:
            self.restoring = False
        if self.saves:
            self.unsaved.update(dict.fromkeys(changed))
        return changed

    def replace(self, entry: Entry, image: Any) -> None:
        """Replace a piece by an image, as a change."""
        if self.on:
            self.touch(*entry)
        self.restoring = True
        try:
            self._put(entry, image)
        finally:
            self.restoring = False

    def save(self) -> None:
        """Collect the changes for a directory from now on."""
        self.saves = True
        self._look()

    def _look(self) -> None:
        self.on = self.saves or self._marks.newest is not None

    def _image(self, entry: Entry) -> Any:
        return self.sections[entry.section].image(entry.key)

    def _put(self, entry: Entry, image: Any) -> None:
        self.sections[entry.section].put(entry.key, image)
