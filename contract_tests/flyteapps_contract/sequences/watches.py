"""Watch in sequences: what each stream has to show is known from the writes that were acknowledged, and from reads.

A stream is judged at the end of the sequence. Before that, each app that it may show is written once more, so that
everything before has arrived once that write does.
"""

from __future__ import annotations

from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.model import watching
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import Broken, Refused, StreamEnded
from flyteapps_contract.sequences import commands
from flyteapps_contract.sequences.choices import SlotName, StreamNumber, WatchTarget
from flyteapps_contract.sequences.context import Context
from flyteapps_contract.sequences.reads import Reads
from flyteapps_contract.sequences.slots import Slot
from flyteapps_contract.sequences.stream_judge import Stream, StreamJudge
from flyteapps_contract.sequences.write_log import Mark, WriteLog
from flyteapps_contract.sequences.writes import Writes
from flyteapps_contract.streams import WatchEvent
from flyteapps_contract.wording import differing

APPS = {
    WatchTarget.APP_B: SlotName.B,
    WatchTarget.APP_A: SlotName.A,
    WatchTarget.APP_OF_OTHER_ORG: SlotName.A_OTHER_ORG,
}
PROJECTS = {WatchTarget.PROJECT: 0, WatchTarget.OTHER_PROJECT: -1, WatchTarget.OTHER_PROJECT_AGAIN: -1}


class Watches:
    """The streams of one sequence."""

    def __init__(self, context: Context, log: WriteLog, reads: Reads, writes: Writes) -> None:
        self._context = context
        self._log = log
        self._reads = reads
        self._writes = writes
        self._rules = StreamJudge(context.slots, log)
        self._open: list[Stream] = []

    # ---- commands

    def open(self, command: commands.Watch) -> None:
        """Open a stream; of another org's app only once the plane has an org, which that one must not become."""
        foreign = command.target is WatchTarget.APP_OF_OTHER_ORG
        if len(self._open) >= len(StreamNumber) or (foreign and not self._context.possible.org):
            return
        target, request, slots, cluster = self._target(command.target)
        for slot in self._context.slots.all:
            if slot.key in slots or cluster:
                self._reads.known(slot)
        number, watcher = self._context.trace.watch(request)
        snapshot: dict[str, model.App] = {}
        exact = True
        for slot in self._context.slots.all:
            app = self._context.entry(slot).app
            if app is None or not (slot.key in slots or (cluster and app.status.assigned_cluster == cluster)):
                continue
            snapshot[slot.key] = app
            exact = exact and not self._reads.moving(slot, app)
        stream = Stream(number, watcher, target, slots, cluster, len(self._log.marks), snapshot, exact)
        stream.late = not snapshot and not self._context.opens_at_once
        self._open.append(stream)
        if snapshot:
            self._await(stream, lambda _: True, ("WA-1",), "the snapshot", "len(events({n})) > 0")

    def close(self, command: commands.CloseWatch) -> None:
        """Close a stream from the client's side."""
        if command.stream.value < len(self._open):
            stream = self._open.pop(command.stream.value)
            stream.watcher.close()
            self._context.trace.close(stream.number)

    def pause(self, command: commands.PauseWatch) -> None:
        """Stop reading a stream, or read on."""
        if command.stream.value < len(self._open):
            stream = self._open[command.stream.value]
            (stream.watcher.resume if stream.paused else stream.watcher.pause)()
            stream.paused = not stream.paused

    # ---- the end

    def judge(self) -> None:
        """Bring every stream to an end that is known, and judge its events."""
        for stream in self._open:
            stream.watcher.resume()
        written: list[Mark] = []
        for stream in self._open:
            if not any(mark[0] in stream.slots for mark in written):
                written += self._write_last(stream)
        for stream in self._open:
            for mark in [mark for mark in written if mark[0] in stream.slots][-1:]:
                self._await_mark(stream, mark)
        for stream in self._open:
            self._judge_end(stream, self._rules.judge(stream))

    def _write_last(self, stream: Stream) -> list[Mark]:
        """Write an app that the stream has to show, and return its mark, to be awaited."""
        slot = next((each for each in self._context.slots.all if each.key in stream.slots), None)
        if slot is None:
            return []
        self._writes.write(slot, str(len(self._log.marks)))
        return self._log.marks[-1:]

    def _await_mark(self, stream: Stream, mark: Mark) -> None:
        key, _, revision = mark
        name = key.rpartition("/")[2]
        line = f"({name!r}, {revision}) in writes({{n}})"
        what = f"{name}'s last write"
        self._await(stream, lambda seen: self._rules.mark_of(seen) == mark, ("WA-5", "WA-2"), what, line)

    def _await(
        self, stream: Stream, wanted: Callable[[WatchEvent], bool], guarantees: tuple[str, ...], what: str, line: str
    ) -> None:
        proof = line.replace("{n}", str(stream.number))
        if any(map(wanted, stream.watcher.seen)):
            return
        while True:
            try:
                event = stream.watcher.poll(self._context.patience)
            except Refused as end:
                deleted = any(event.kind == "delete" for event in stream.watcher.seen)
                text = f"{stream.target}: waiting for {what}, the stream ended with {end}"
                raise Violation((*guarantees, "WA-9") if deleted else guarantees, text, proof) from None
            except StreamEnded as end:
                text = f"{stream.target}: waiting for {what}: {end}"
                raise Violation((*guarantees, "WA-9"), text, proof) from None
            except Broken as broken:
                raise Violation(guarantees, str(broken), proof) from None
            if event is None:
                more = ("WA-9",) if not stream.snapshot else ()
                raise Violation((*guarantees, *more), f"{stream.target}: {what} did not come", proof)
            if wanted(event):
                return

    def _judge_end(self, stream: Stream, events: list[WatchEvent]) -> None:
        """Judge whether the apps that the stream leaves are those that are read."""
        left = watching.fold(events)
        for slot in self._context.slots.all:
            if (stream.cluster and not slot.own) or (not stream.cluster and slot.key not in stream.slots):
                continue
            app = self._reads.known(slot).app
            if app is not None and self._reads.moving(slot, app):
                continue
            inside = app is not None and (not stream.cluster or app.status.assigned_cluster == stream.cluster)
            wanted = app if inside else None
            if wanted != _left_of(slot, left):
                self._await_end(stream, slot, wanted)

    def _await_end(self, stream: Stream, slot: Slot, wanted: model.App | None) -> None:
        """Read on until the stream shows `wanted`: events after its last mark may be on their way."""
        while True:
            events = [each for each in stream.watcher.seen if self._rules.key_of(each.app)]
            if _left_of(slot, watching.fold(events)) == wanted:
                return
            try:
                event = stream.watcher.poll(self._context.patience)
            except (Refused, StreamEnded, Broken):
                event = None
            if event is None:
                break
        name = slot.app_id.name
        guarantees = ("LE-4", "WA-2") if stream.cluster else ("WA-5", "WA-8", "WA-3")
        last = _left_of(slot, watching.fold(stream.watcher.seen))
        text = f"{stream.target}: {name} as it was shown last is not as it is read{_unlike(wanted, last)}"
        seen = self._context.entry(slot).seen
        word = seen.word if seen is not None else f"answers[{self._context.trace.number}].app"
        line = f"last_of({stream.number}, {name!r}) == {word if wanted is not None else None}"
        raise Violation(guarantees, text, line)

    # ---- targets

    def _target(self, target: WatchTarget) -> tuple[str, rpc.WatchRequest, frozenset[str], str]:
        """Return the target's description, its request, the keys of its slots, and its cluster."""
        slots = self._context.slots
        ours = [slot for slot in slots.all if not slot.foreign]
        if target in APPS:
            slot = slots[APPS[target]]
            keys = frozenset[str]() if slot.foreign else frozenset({slot.key})
            return f"the watch of {slot.app_id.name}", rpc.WatchRequest(app_id=slot.app_id), keys, ""
        if target in PROJECTS:
            place = slots.places[PROJECTS[target]]
            inside = [slot for slot in ours if (slot.app_id.project, slot.app_id.domain) == (place.name, place.domain)]
            keys = frozenset(slot.key for slot in inside)
            return f"the watch of project {place.name}", rpc.WatchRequest(project=place), keys, ""
        if target is WatchTarget.ORG and self._context.possible.org:
            keys = frozenset(slot.key for slot in ours)
            return "the watch of the org", rpc.WatchRequest(org=self._context.possible.org), keys, ""
        cluster = slots.clusters[0]
        request = rpc.WatchRequest(cluster_id=self._context.session.cluster(cluster))
        return f"the watch of cluster {cluster}", request, frozenset[str](), cluster


def _unlike(read: model.App | None, last: model.App | None) -> str:
    """Return how an app that is read differs from the one that a stream showed last."""
    if read is not None and last is not None:
        return f":\n{differing(read, last)}"
    return ": it is read, but not shown" if read is not None else ": it is shown, but not there"


def _left_of(slot: Slot, left: dict[watching.Key, model.App]) -> model.App | None:
    """Return the slot's app among those that a stream left."""
    app_id = slot.app_id
    wanted = (app_id.project, app_id.domain, app_id.name)
    return next((app for key, app in left.items() if key[1:] == wanted and not slot.foreign), None)
