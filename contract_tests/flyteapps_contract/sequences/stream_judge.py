"""The verdict on one stream of a sequence, at its end: pure comparisons of its events with what is known by then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model import lifecycle, watching
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.sequences.slots import Slots
from flyteapps_contract.sequences.write_log import Mark, WriteLog, mark_of
from flyteapps_contract.session import STOP
from flyteapps_contract.streams import Watcher, WatchEvent


@dataclass(slots=True)
class Stream:
    """An open stream.

    `slots` are the keys of those that it has to show; `cluster`: the cluster that it watches, else "". `since`: the
    number of writes known at its opening; `snapshot`: the apps by slot that it had to open with, all of them where it
    is `exact`. `late`: it may have begun later than it was opened.
    """

    number: int
    watcher: Watcher
    target: str
    slots: frozenset[str]
    cluster: str
    since: int
    snapshot: dict[str, model.App] = field(default_factory=dict[str, model.App])
    exact: bool = True
    late: bool = False
    paused: bool = False


class StreamJudge:
    """The rules that a stream's events have to keep."""

    def __init__(self, slots: Slots, log: WriteLog) -> None:
        self._slots = slots
        self._log = log

    def judge(self, stream: Stream) -> list[WatchEvent]:
        """Return the events of the sequence's own apps. Raises Violation."""
        events = [event for event in stream.watcher.seen if self.key_of(event.app)]
        for event in stream.watcher.seen:
            self._judge_filter(stream, event)
        for guarantee, rule, name in watching.RULES:
            if guarantee != "WA-4":  # what comes twice is no other snapshot
                self._judge_snapshot(stream, events)
            if stream.cluster and guarantee != "WA-6":
                continue  # an app may leave that target and come back
            if violation := rule(events):
                says = (guarantee, "WA-3") if guarantee == "WA-5" else (guarantee,)
                raise Violation(says, f"{stream.target}: {violation}", f"{name}(events({stream.number}))")
        if not stream.cluster:
            self._judge_writes(stream, events)
            self._judge_paths(stream, events)
        return events

    def key_of(self, app: model.App) -> str:
        """Return the key of the app's slot, "" for an app of others."""
        slot = self._slots.of(app.metadata.id)
        return slot.key if slot is not None else ""

    def mark_of(self, event: WatchEvent) -> Mark | None:
        """Return the mark of the write that an event shows; None for a deletion, and for an app of others."""
        slot = self._slots.of(event.app.metadata.id)
        return mark_of(slot, event.app) if slot is not None and event.kind != "delete" else None

    def _judge_filter(self, stream: Stream, event: WatchEvent) -> None:
        key = self.key_of(event.app)
        if key and not stream.cluster and key not in stream.slots:
            line = f"{event.name!r} not in names_in({stream.number})"
            text = f"{stream.target} showed {event.name}, which does not belong to it"
            raise Violation(("WA-2", "ID-1"), text, line)

    def _judge_snapshot(self, stream: Stream, events: Sequence[WatchEvent]) -> None:
        if not stream.exact or stream.cluster:
            return
        count = len(stream.snapshot)
        first = events[:count]
        expected = watching.in_snapshot_order(list(stream.snapshot.values()))
        got = [event.name for event in first]
        line = f"[(kind, name) for kind, name in kinds({stream.number})][:{count}] == "
        line += repr([("create", name) for name in expected])
        if got != expected or any(event.kind != "create" for event in first):
            text = f"{stream.target} should open with {expected}, but opened with "
            raise Violation(("WA-1",), text + str([(event.kind, event.name) for event in first]), line)
        for event in first:
            expected_app = stream.snapshot.get(self.key_of(event.app))
            if expected_app is not None and event.app != expected_app:
                text = f"{stream.target} opened with another state of {event.name} than was read"
                raise Violation(("WA-1", "GE-3"), text, f"state_of({stream.number}, {event.name!r})")

    def _judge_writes(self, stream: Stream, events: Sequence[WatchEvent]) -> None:
        """Judge whether the known writes are there, in their order."""
        due = [mark for mark in self._log.marks[stream.since :] if mark[0] in stream.slots]
        firsts = list(dict.fromkeys(mark for event in events if (mark := self.mark_of(event)) is not None))
        line = f"writes({stream.number}) == {[(key.rpartition('/')[2], revision) for key, _, revision in due]!r}"
        if stream.late:
            due = due[next((place for place, mark in enumerate(due) if mark in firsts), 0) :]
        missing = [mark for mark in due if mark not in firsts]
        if missing:
            text = f"{stream.target}: revision {missing[0][2]} of {missing[0][0]} was acknowledged, but not shown"
            raise Violation(("WA-5", "WA-3"), text, line)
        due = [mark for mark in due if mark in self._log.ordered]
        order = [mark for mark in firsts if mark in due]
        if order != due:
            raise Violation(("WA-3",), f"{stream.target}: shown {order}, written {due}", line)

    def _judge_paths(self, stream: Stream, events: Sequence[WatchEvent]) -> None:
        """Judge whether every path that the stream shows is a path of the state machine."""
        before: dict[str, WatchEvent] = {}
        for place, event in enumerate(events):
            key = self.key_of(event.app)
            last = before.get(key)
            before[key] = event
            if event.kind != "update" or last is None or last.kind == "delete":
                continue
            old, new = last.app.status.conditions, event.app.status.conditions
            if not old or not new or len(new) < len(old):
                continue
            renewed = event.app.metadata.revision != last.app.metadata.revision
            stopping = event.app.spec.desired_state == STOP
            violation = lifecycle.violation([old[-1], *new[len(old) :]], renewed=renewed, stopping=stopping)
            if violation:
                line = f"conditions_follow(app_of(events({stream.number})[{place}]))"
                raise Violation(("US-2", "UP-5", "UP-7"), f"{stream.target}: {violation}", line)
