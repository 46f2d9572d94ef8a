"""Marks: moments of a plane's state to which it can return.

A mark holds the images that pieces had then, of those pieces that have changed since: it is made in no time, and a
return costs what has changed. The marks form a tree whose root is the present: each holds how it differs from its
parent. To return to one turns the path to it around, so that all the others stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flyteapps_fake.core.state.sections import Entry

Images = dict[Entry, Any]
"""Images by their place; None for a piece that is absent."""


class Mark:
    """A moment. `images`: those of the pieces that differ from `parent`, which is None for the present."""

    def __init__(self) -> None:
        self.parent: Mark | None = None
        self.children: list[Mark] = []
        self.images: Images = {}


class Marks:
    """The marks of one plane. `image`: returns that of a piece at present; `put`: replaces a piece by an image."""

    def __init__(self, image: Callable[[Entry], Any], put: Callable[[Entry, Any], None]) -> None:
        self._image = image
        self._put = put
        self.newest: Mark | None = None
        """The mark that the present is compared with; None where there is no mark."""

    def make(self) -> Mark:
        """Make a mark of the present."""
        mark = Mark()
        if self.newest is not None:
            _hang(self.newest, mark)
        self.newest = mark
        return mark

    def drop(self, mark: Mark) -> None:
        """Forget a mark: those that differ from it differ from its parent from now on."""
        children, parent = mark.children, mark.parent
        for child in children:
            for entry, image in mark.images.items():
                child.images.setdefault(entry, image)
        if parent is not None:
            parent.children.remove(mark)
            for child in children:
                _hang(child, parent)
            return
        self.newest = first = children[0] if children else None
        for child in children:
            child.parent = None
            if first is not None and child is not first:  # both differ from the present: one has to from the other
                for entry in first.images:
                    if entry not in child.images:
                        child.images[entry] = self._image(entry)
                _hang(child, first)

    def restore(self, mark: Mark) -> list[Entry]:
        """Return to a mark; return the places of the pieces that differed."""
        path = [mark]
        while path[-1].parent is not None:
            path.append(path[-1].parent)
        changed: dict[Entry, None] = {}
        passed: Mark | None = None
        for each in reversed(path):
            images, each.images = each.images, {}
            before = {entry: self._image(entry) for entry in images} if passed is not None else {}
            for entry in removed_first(images):
                self._put(entry, images[entry])
                changed[entry] = None
            if passed is not None:
                passed.children.remove(each)
                passed.images = before
                _hang(passed, each)
            each.parent = None
            passed = each
        self.newest = mark
        return list(changed)


def removed_first(images: Images) -> list[Entry]:
    """Return the places of pieces that are to be replaced: first those that become free for others."""
    return [
        *(entry for entry, image in images.items() if image is None),
        *(entry for entry, image in images.items() if image is not None),
    ]


def _hang(mark: Mark, parent: Mark) -> None:
    mark.parent = parent
    parent.children.append(mark)
