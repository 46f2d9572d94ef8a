"""The marks of a plane's state by themselves, against copies of the whole state."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flyteapps_fake.core.state.marks import Mark, Marks
from flyteapps_fake.core.state.sections import Entry

KEYS = st.integers(0, 4)
STEPS = st.one_of(
    st.tuples(st.just("write"), KEYS, st.one_of(st.none(), st.integers(0, 99))),
    st.tuples(st.sampled_from(["make", "restore", "drop"]), st.integers(0, 9)),
)
Values = dict[Entry, int]


class Marked:
    """A state of numbers with its marks, and a copy of the whole state of each mark."""

    def __init__(self) -> None:
        self.values: Values = {}
        self.marks = Marks(self.values.get, self._put)
        self.copies: list[tuple[Mark, Values]] = []

    def _put(self, entry: Entry, image: int | None) -> None:
        self.values.pop(entry, None)
        if image is not None:
            self.values[entry] = image

    def write(self, key: int, value: int | None) -> None:
        """Write a number, or remove one, as changes do."""
        entry = Entry("numbers", key)
        newest = self.marks.newest
        if newest is not None:
            newest.images.setdefault(entry, self.values.get(entry))
        self._put(entry, value)

    def make(self, _: int = 0) -> None:
        """Make a mark, and a copy."""
        self.copies.append((self.marks.make(), dict(self.values)))

    def drop(self, index: int) -> None:
        """Drop a mark and its copy."""
        if self.copies:
            self.marks.drop(self.copies.pop(index % len(self.copies))[0])

    def restore(self, index: int) -> None:
        """Return to a mark, and compare with its copy; what isn't named as changed is as before."""
        if not self.copies:
            return
        mark, copy = self.copies[index % len(self.copies)]
        before = dict(self.values)
        changed = self.marks.restore(mark)
        assert self.values == copy
        assert {each for each in {**before, **copy} if before.get(each) != copy.get(each)} <= set(changed)
        assert len(set(changed)) == len(changed)

    def take(self, steps: list[tuple[Any, ...]]) -> None:
        """Take steps, then return to every mark in turn."""
        for name, *arguments in steps:
            getattr(self, name)(*arguments)
        for index in (*range(len(self.copies)), *reversed(range(len(self.copies)))):
            self.restore(index)


@settings(max_examples=500, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_every_mark_is_what_the_state_was(steps: list[tuple[Any, ...]]) -> None:
    """Marks are made, returned to and dropped in any order: each that is left is a copy of the whole state."""
    Marked().take(steps)


def test_without_a_mark_nothing_is_compared() -> None:
    """Once the last mark is dropped, writes keep nothing."""
    marked = Marked()
    marked.take([("make", 0), ("write", 1, 1), ("make", 0), ("drop", 0), ("drop", 0)])
    assert marked.marks.newest is None


def test_a_mark_costs_what_was_written_since() -> None:
    """A mark is made without images, and has one of each piece that was written since."""
    marked = Marked()
    for key in range(1_000):
        marked.write(key, key)
    mark = marked.marks.make()
    assert not mark.images
    for key in (7, 8, 7):
        marked.write(key, 0)
    assert mark.images == {Entry("numbers", 7): 7, Entry("numbers", 8): 8}
    assert set(marked.marks.restore(mark)) == {Entry("numbers", 7), Entry("numbers", 8)}
    assert not mark.images


def test_siblings_stay_what_they_are_without_the_mark_that_they_differ_from() -> None:
    """A mark with several children, the root, is dropped: each child is still what it was."""
    marked = Marked()
    steps = [("write", 0, 1), ("make", 0), ("write", 0, 2), ("write", 1, 2), ("make", 0), ("restore", 0)]
    more = [("write", 0, 3), ("make", 0), ("restore", 0), ("write", 2, 4), ("make", 0), ("restore", 0), ("drop", 0)]
    marked.take([*steps, *more])


def test_a_mark_keeps_what_it_differed_in_by_one_that_is_dropped() -> None:
    """The newest mark is dropped: the one before still has the writes since then."""
    Marked().take([("write", 0, 1), ("make", 0), ("write", 0, 2), ("make", 0), ("write", 1, 3), ("drop", 1)])
