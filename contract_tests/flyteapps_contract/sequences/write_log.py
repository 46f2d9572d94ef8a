"""The writes that a plane is known to have accepted: what streams have to show."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.sequences.slots import Slot

Mark = tuple[str, int, int]
"""A write as a stream shows it: the slot's key, the creation time in nanoseconds, the revision."""


class WriteLog:
    """The marks of accepted writes, as they became known. `ordered` are those whose order is known as well."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self.ordered: set[Mark] = set()

    def add(self, slot: Slot, app: model.App, *, written: bool) -> None:
        """Record the write that an app shows; `written`: the app is the response to that write."""
        mark = mark_of(slot, app)
        if mark not in self.marks:
            self.marks.append(mark)
            if written:
                self.ordered.add(mark)


def mark_of(slot: Slot, app: model.App) -> Mark:
    """Return the mark of the write that left the app."""
    return (slot.key, app.status.created_at.ToNanoseconds(), app.metadata.revision)
