"""Watches of a sequence: what each has to show is known from the writes that were acknowledged, and from reads.

A stream is judged at the end of the sequence. Before that each app that it may show is written once more, so that what
is to come has come once that write is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.model import lifecycle, watching
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import Broken, Refused, StreamEnded
from flyteapps_contract.sequences.names import Slot
from flyteapps_contract.session import STOP, copy
from flyteapps_contract.streams import Watcher, WatchEvent

if TYPE_CHECKING:
    from flyteapps_contract.sequences.interpreter import Interpreter

FOREIGN = 2
"""The target of another org: before the plane has one, it would become its own."""
MOST = 3
"""Streams that a sequence has open at once."""

Mark = tuple[str, int, int]
"""A write as a stream shows it: the slot, the time of its creation, the revision."""


@dataclass(slots=True)
class Open:
    """An open stream."""

    number: int
    watcher: Watcher
    target: str
    slots: frozenset[str]
    cluster: str
    since: int
    """How many writes had been seen when it was opened."""
    snapshot: dict[str, model.App] = field(default_factory=dict[str, model.App])
    exact: bool = True
    """Whether `snapshot` is all that it had to open with."""
    late: bool = False
    """Whether it may have begun later than it was opened."""
    paused: bool = False


class Watches:
    """The streams of one sequence."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._on = interpreter
        self._open: list[Open] = []
        self._marks: list[Mark] = []
        """Every write that is known to have been taken."""
        self._ordered: set[Mark] = set()
        """Those that were acknowledged, so that their order is known, too."""

    def observed(self, slot: Slot, app: model.App, *, written: bool) -> None:
        """Remembers the write that an app shows; `written`: by the answer to that write."""
        mark = (slot.key, _ns(app), app.metadata.revision)
        if mark not in self._marks:
            self._marks.append(mark)
            if written:
                self._ordered.add(mark)

    def open(self, number: int) -> None:
        """Opens a stream on the target of that number."""
        if len(self._open) >= MOST or (number == FOREIGN and not self._on.possible.org):
            return
        target, request, slots, cluster = self._target(number)
        for slot in self._on.scene.slots:
            if slot.key in slots or cluster:
                entry = self._on.entry(slot)
                if entry.may_exist and not entry.known:
                    self._on.refresh(slot)
        stream, watcher = self._on.trace.watch(request)
        snapshot: dict[str, model.App] = {}
        exact = True
        for slot in self._on.scene.slots:
            app = self._on.entry(slot).app
            if app is None or not (slot.key in slots or (cluster and app.status.assigned_cluster == cluster)):
                continue
            snapshot[slot.key] = app
            exact = exact and not self._on.moving(slot, app)
        opened = Open(stream, watcher, target, slots, cluster, len(self._marks), snapshot, exact)
        opened.late = not snapshot and not self._on.session.plane.link.opens_at_once
        self._open.append(opened)
        if snapshot:
            self._await(opened, lambda seen: True, ("WA-1",), "the snapshot", "len(events({n})) > 0")

    def close(self, number: int) -> None:
        """The client leaves a stream."""
        if number < len(self._open):
            gone = self._open.pop(number)
            gone.watcher.close()
            self._on.trace.close(gone.number)

    def pause(self, number: int) -> None:
        """The client reads no more of a stream, or reads on."""
        if number < len(self._open):
            opened = self._open[number]
            (opened.watcher.resume if opened.paused else opened.watcher.pause)()
            opened.paused = not opened.paused

    # ---- the end

    def judge(self) -> None:
        """Brings every stream to an end that is known, and judges what it showed."""
        if not self._open:
            return
        for opened in self._open:
            opened.watcher.resume()
        written: list[Mark] = []
        for opened in self._open:
            if not any(mark[0] in opened.slots for mark in written):
                written += self._mark_last(opened)
        for opened in self._open:
            for mark in [mark for mark in written if mark[0] in opened.slots][-1:]:
                self._await_mark(opened, mark)
        for opened in self._open:
            self._judge(opened)

    def _mark_last(self, opened: Open) -> list[Mark]:
        """Writes an app that the stream has to show: what to wait for."""
        slot = next((each for each in self._on.scene.slots if each.key in opened.slots), None)
        if slot is None:
            return []
        self._write(slot)
        return self._marks[-1:]

    def _write(self, slot: Slot) -> None:
        entry = self._on.entry(slot)
        if entry.may_exist and not entry.known:
            self._on.refresh(slot)
        app = entry.app
        if app is None:
            self._on.create(self._on.scene.slots.index(slot), 0, 0, 0)
            return
        sent = copy(app)
        sent.metadata.revision = 0
        sent.metadata.labels["last"] = str(len(self._marks))
        self._on.send(slot, sent)

    def _await_mark(self, opened: Open, mark: Mark) -> None:
        key, created, revision = mark
        name = key.rpartition("/")[2]
        line = f"({name!r}, {revision}) in writes({{n}})"
        self._await(
            opened,
            lambda seen: self._mark_of(seen) == (key, created, revision),
            ("WA-5", "WA-2"),
            f"{name}'s last write",
            line,
        )

    def _await(
        self, opened: Open, wanted: Callable[[WatchEvent], bool], says: tuple[str, ...], what: str, line: str
    ) -> None:
        proof = line.replace("{n}", str(opened.number))
        seen = opened.watcher.seen
        if any(map(wanted, seen)):
            return
        while True:
            try:
                event = opened.watcher.poll(self._on.patience)
            except Refused as end:
                text = f"{opened.target}: waiting for {what}, the stream ended with {end}"
                raise Violation((*says, "WA-9") if self._deleted(opened) else says, text, proof) from None
            except StreamEnded as end:
                text = f"{opened.target}: waiting for {what}: {end}"
                raise Violation((*says, "WA-9"), text, proof) from None
            except Broken as broken:
                raise Violation(says, str(broken), proof) from None
            if event is None:
                more = ("WA-9",) if not opened.snapshot else ()
                raise Violation((*says, *more), f"{opened.target}: {what} did not come", proof)
            if wanted(event):
                return

    def _deleted(self, opened: Open) -> bool:
        return any(event.kind == "delete" for event in opened.watcher.seen)

    def _judge(self, opened: Open) -> None:
        events = [event for event in opened.watcher.seen if self._key_of(event.app)]
        stream = f"events({opened.number})"
        for event in opened.watcher.seen:
            self._judge_filter(opened, event)
        self._judge_snapshot(opened, events)
        for guarantee, rule, name in watching.RULES:
            if opened.cluster and guarantee != "WA-6":
                continue  # an app may leave that target and come back
            if violation := rule(events):
                raise Violation((guarantee,), f"{opened.target}: {violation}", f"{name}({stream})")
        if not opened.cluster:
            self._judge_writes(opened, events)
            self._judge_paths(opened, events)
        self._judge_end(opened, events)

    def _judge_filter(self, opened: Open, event: WatchEvent) -> None:
        key = self._key_of(event.app)
        if not key or opened.cluster:
            return
        if key not in opened.slots:
            line = f"{event.name!r} not in names_in({opened.number})"
            raise Violation(("WA-2", "ID-1"), f"{opened.target} showed {event.name}, which isn't of it", line)

    def _judge_snapshot(self, opened: Open, events: list[WatchEvent]) -> None:
        if not opened.exact or opened.cluster:
            return
        count = len(opened.snapshot)
        first = events[:count]
        expected = watching.in_snapshot_order(list(opened.snapshot.values()))
        got = [event.name for event in first]
        line = f"[(kind, name) for kind, name in kinds({opened.number})][:{count}] == "
        line += repr([("create", name) for name in expected])
        if got != expected or any(event.kind != "create" for event in first):
            text = f"{opened.target} should open with {expected}, but opened with "
            raise Violation(("WA-1",), text + str([(event.kind, event.name) for event in first]), line)
        for event in first:
            expected_app = opened.snapshot.get(self._key_of(event.app))
            if expected_app is not None and event.app != expected_app:
                text = f"{opened.target} opened with another state of {event.name} than was read"
                raise Violation(("WA-1", "GE-3"), text, f"state_of({opened.number}, {event.name!r})")

    def _judge_writes(self, opened: Open, events: list[WatchEvent]) -> None:
        """The writes that are known are there, in their order."""
        due = [mark for mark in self._marks[opened.since :] if mark[0] in opened.slots]
        shown = [mark for event in events if event.kind != "delete" and (mark := self._mark_of(event)) is not None]
        firsts = list(dict.fromkeys(shown))
        line = f"writes({opened.number}) == {[(key.rpartition('/')[2], revision) for key, _, revision in due]!r}"
        if opened.late:
            due = due[next((place for place, mark in enumerate(due) if mark in firsts), 0) :]
        missing = [mark for mark in due if mark not in firsts]
        if missing:
            text = f"{opened.target}: revision {missing[0][2]} of {missing[0][0]} was acknowledged, but not shown"
            raise Violation(("WA-5", "WA-3"), text, line)
        due = [mark for mark in due if mark in self._ordered]
        order = [mark for mark in firsts if mark in due]
        if order != due:
            text = f"{opened.target}: shown {order}, written {due}"
            raise Violation(("WA-3",), text, line)

    def _judge_paths(self, opened: Open, events: list[WatchEvent]) -> None:
        """Every path that the stream shows is a path of the state machine."""
        before: dict[str, WatchEvent] = {}
        for place, event in enumerate(events):
            key = self._key_of(event.app)
            last = before.get(key)
            before[key] = event
            if event.kind != "update" or last is None or last.kind == "delete":
                continue
            old, new = last.app.status.conditions, event.app.status.conditions
            if not old or not new or len(new) < len(old):
                continue
            renewed = event.app.metadata.revision != last.app.metadata.revision
            stopping = event.app.spec.desired_state == STOP
            found = lifecycle.violation([old[-1], *new[len(old) :]], renewed=renewed, stopping=stopping)
            if found:
                line = f"conditions_follow(app_of(events({opened.number})[{place}]))"
                raise Violation(("US-2", "UP-5", "UP-7"), f"{opened.target}: {found}", line)

    def _judge_end(self, opened: Open, events: list[WatchEvent]) -> None:
        """What the stream leaves is what is read."""
        left = watching.fold(events)
        for slot in self._on.scene.slots:
            entry = self._on.entry(slot)
            if slot.key not in opened.slots and not opened.cluster:
                continue
            if opened.cluster and not slot.own:
                continue
            if entry.may_exist and not entry.known:
                self._on.refresh(slot)
            app = entry.app
            if app is not None and self._on.moving(slot, app):
                continue
            inside = app is not None and (not opened.cluster or app.status.assigned_cluster == opened.cluster)
            key = next((each for each in left if self._same_id(slot, each)), None)
            shown = left.get(key) if key is not None else None
            if (app if inside else None) != shown:
                self._end_differs(opened, slot, app if inside else None)

    def _end_differs(self, opened: Open, slot: Slot, wanted: model.App | None) -> None:
        """One more look: what a stream that is no further than its last mark has not shown may be on its way."""
        while True:
            shown = watching.fold(each for each in opened.watcher.seen if self._key_of(each.app))
            key = next((each for each in shown if self._same_id(slot, each)), None)
            if (shown.get(key) if key is not None else None) == wanted:
                return
            try:
                event = opened.watcher.poll(self._on.patience)
            except (Refused, StreamEnded, Broken):
                event = None
            if event is None:
                break
        name = slot.app_id.name
        says = ("LE-4", "WA-2") if opened.cluster else ("WA-5", "WA-8", "WA-3")
        text = f"{opened.target}: what it showed of {name} in the end is not what is read"
        number = f"answers[{self._on.trace.number}].app"
        seen = self._on.entry(slot).seen
        word = seen.word if seen is not None else number
        line = f"last_of({opened.number}, {name!r}) == {word if wanted is not None else None}"
        raise Violation(says, text, line)

    # ---- targets

    def _target(self, number: int) -> tuple[str, rpc.WatchRequest, frozenset[str], str]:
        scene = self._on.scene
        slots = scene.slots
        if number < 3:
            slot = slots[(1, 0, 5)[number]]
            keys = frozenset[str]() if slot.foreign else frozenset({slot.key})
            return f"the watch of {slot.app_id.name}", rpc.WatchRequest(app_id=slot.app_id), keys, ""
        if number < 6:
            place = scene.places[number % len(scene.places)]
            keys = frozenset(
                slot.key
                for slot in slots
                if not slot.foreign and (slot.app_id.project, slot.app_id.domain) == (place.name, place.domain)
            )
            return f"the watch of project {place.name}", rpc.WatchRequest(project=place), keys, ""
        if number == 6 and self._on.possible.org:
            keys = frozenset(slot.key for slot in slots if not slot.foreign)
            return "the watch of the org", rpc.WatchRequest(org=self._on.possible.org), keys, ""
        cluster = scene.clusters[0]
        request = rpc.WatchRequest(cluster_id=self._on.session.cluster(cluster))
        return f"the watch of cluster {cluster}", request, frozenset[str](), cluster

    def _key_of(self, app: model.App) -> str:
        return next((slot.key for slot in self._on.scene.slots if _same(slot, app.metadata.id)), "")

    def _same_id(self, slot: Slot, key: watching.Key) -> bool:
        return key[1:] == (slot.app_id.project, slot.app_id.domain, slot.app_id.name) and not slot.foreign

    def _mark_of(self, event: WatchEvent) -> Mark | None:
        key = self._key_of(event.app)
        return (key, _ns(event.app), event.app.metadata.revision) if key and event.kind != "delete" else None


def _same(slot: Slot, app_id: model.Identifier) -> bool:
    ours = slot.app_id
    return not slot.foreign and (ours.project, ours.domain, ours.name) == (app_id.project, app_id.domain, app_id.name)


def _ns(app: model.App) -> int:
    stamp = app.status.created_at
    return stamp.seconds * 10**9 + stamp.nanos
