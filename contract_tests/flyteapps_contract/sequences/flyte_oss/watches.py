"""Watch in sequences: each stream is read as soon as something may have come, and judged when it is closed, or last.

Over a wire a stream may begin later than it was opened, which its judge has to know.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.model.flyte_oss.services import CREATED, DELETED, UPDATED
from flyteapps_contract.model.flyte_oss.shown import comparable
from flyteapps_contract.model.flyte_oss.watching import Change, Track, by_resource, missing
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.outcomes import Broken, Refused, StreamEnded
from flyteapps_contract.sequences.flyte_oss import commands
from flyteapps_contract.sequences.flyte_oss.choices import StreamNumber
from flyteapps_contract.sequences.flyte_oss.context import Context
from flyteapps_contract.streams import Watcher, WatchEvent

MOMENT_SECONDS = 1.0
"""The plane's seconds after a write in which its event may come once more."""
OPENING = 0.05
"""Real seconds that a stream of what isn't there has to begin in; one that begins later is judged by less."""


@dataclass(slots=True)
class Stream:
    """An open stream of apps of a bare name ("": of none), in a project and a domain at first.

    `since`: the number of changes at its opening; `at`: that time; `snapshot`: what it has to begin with.
    """

    number: int
    watcher: Watcher
    name: str
    place: tuple[str, str]
    since: int
    at: float
    late: bool
    snapshot: dict[str, Change] = field(default_factory=dict[str, Change])
    present: dict[str, Change] = field(default_factory=dict[str, Change])
    """Services of that name that were there at its opening, but elsewhere."""

    def __str__(self) -> str:
        """Return the stream as a report names it."""
        return f"the watch of {self.name or 'all apps'} in {'/'.join(self.place) or 'all projects'}"


class Watches:
    """The streams of one sequence."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: list[Stream] = []

    def open(self, command: commands.Watch) -> None:
        """Open a Watch; one of all apps only where there are no others."""
        context = self._context
        if len(self._open) >= len(StreamNumber):
            return
        app_id = context.slots[command.slot].app_id
        request, name, place = rpc.WatchRequest(app_id=app_id), app_id.name, (app_id.project, app_id.domain)
        if command.nameless and context.capabilities.fresh:
            request, name, place = rpc.WatchRequest(app_id={}), "", ("", "")
        number, watcher = context.trace.watch(request)
        context.exercise("OSS-24" if not name else "OSS-25", "OSS-26")
        stream = Stream(number, watcher, name, place, len(context.changes), context.now, not context.opens_at_once)
        for key, service in context.services.items():
            if service is not None and name in ("", service.name):
                inside = not name or service.place == place
                there = stream.snapshot if inside else stream.present
                there[key] = Change(key, CREATED, service, context.now)
        stream.late = stream.late and not stream.snapshot
        self._open.append(stream)
        if stream.late:
            self._poll(stream, OPENING)
        elif stream.snapshot:
            self._await(stream)

    def close(self, command: commands.CloseWatch) -> None:
        """Close a stream from the client's side, and judge what it has shown."""
        if command.stream.value < len(self._open):
            stream = self._open.pop(command.stream.value)
            self._read(stream)
            self._judge(stream)
            self._exercise(stream)
            stream.watcher.close()
            self._context.trace.close(stream.number)

    def read(self) -> None:
        """Read what has come."""
        for stream in self._open:
            self._read(stream)

    def judge(self) -> None:
        """Bring every stream to where it has shown all changes, and judge its events."""
        for stream in self._open:
            self._read(stream)
            self._await(stream)
            self._judge_last(stream)
            self._exercise(stream)

    def _exercise(self, stream: Stream) -> None:
        """Record what the events of a stream put to the test."""
        kinds = {each.kind for each in stream.watcher.seen}
        known = {key for key, each in stream.snapshot.items() if each.service.place == stream.place}
        began = any(each.kind == CREATED for each in stream.watcher.seen[len(known) :])
        self._context.exercise(
            *(("OSS-27",) if UPDATED in kinds else ()), *(("OSS-28",) if DELETED in kinds or began else ())
        )

    # ---- reading

    def _poll(self, stream: Stream, seconds: float) -> WatchEvent | None:
        try:
            return stream.watcher.poll(seconds)
        except (Refused, StreamEnded, Broken) as end:
            deleted = any(each.kind == DELETED for each in stream.watcher.seen)
            guarantees = ("OSS-28", "OSS-26") if deleted else ("OSS-26",)
            said = f"it ended with {end}" if isinstance(end, Refused) else str(end)
            raise Violation(guarantees, f"{stream}: {said}", f"not ended({stream.number})") from None

    def _read(self, stream: Stream) -> None:
        while self._poll(stream, 0.0) is not None:
            pass

    def _await(self, stream: Stream) -> None:
        """Read on until the stream has shown all that it has to."""
        while left := self._judge(stream):
            if self._poll(stream, self._context.patience) is None:
                raise self._of(stream, left[0].resource, missing(stream.number, left))

    # ---- verdicts

    def _judge(self, stream: Stream) -> list[Change]:
        """Return the changes that the stream hasn't shown yet. Raises Violation."""
        events = stream.watcher.seen
        places = by_resource(events)
        left: list[Change] = []
        for name in dict.fromkeys((*stream.snapshot, *self._context.services, *places)):
            if name not in self._context.services:
                if self._context.capabilities.fresh:
                    line = f"only({stream.number}, {name!r}, [])"
                    raise Violation(("OSS-25",), f"{stream} showed {name}, which was never written", line)
                continue
            own = places.get(name, [])
            track = self._track(stream, name)
            try:
                left += track.judge([events[place] for place in own], own, self._context.urls)
            except Violation as violation:
                raise self._of(stream, name, violation) from None
        return left

    def _of(self, stream: Stream, name: str, violation: Violation) -> Violation:
        """Return the violation as one of that stream, and of the last write of what it shows."""
        known = self._context.known(name)
        inside = known.service is None or known.service.place == stream.place
        first = () if stream.name and inside else ("OSS-25",) if stream.name else ("OSS-24",)
        guarantees = (*first, *violation.guarantees, *known.blame)
        return Violation(guarantees, f"{stream}: {violation}", *violation.proof)

    def _track(self, stream: Stream, name: str) -> Track:
        changes = self._context.changes
        own = [each for each in changes if each.resource == name and stream.name and each.service.name == stream.name]
        due = [each for each in changes[stream.since :] if each in own]
        before = [each for each in changes[: stream.since] if each in own]
        if self._context.capabilities.clock:
            before = [each for each in before if stream.at - each.at <= MOMENT_SECONDS]
        snapshot, present = stream.snapshot.get(name), stream.present.get(name)
        return Track(stream.number, snapshot, before, due, stream.place, present=present, late=stream.late)

    def _judge_last(self, stream: Stream) -> None:
        """Judge whether the conditions that came last are those that are read, where no time passes."""
        context = self._context
        if not context.capabilities.clock or not stream.name:
            return
        for name, service in context.services.items():
            status = context.known(name).status
            if service is None or service.name != stream.name or service.stopped or status is None:
                continue
            if context.known(name).at != context.now:
                continue
            while (last := _last(stream, name)) is not None and not _is_alike(last, status.conditions):
                if self._poll(stream, context.patience) is None:
                    text = f"{stream}: the conditions of {service.name} that came last are not those that are read"
                    said = [each.message for each in status.conditions]
                    place = max(place for place in by_resource(stream.watcher.seen)[name])
                    where = f"app_of(events({stream.number})[{place}])"
                    line = f"[each.message for each in {where}.status.conditions] == {said!r}"
                    raise Violation(("OSS-26", "OSS-30"), text, line)


def _last(stream: Stream, name: str) -> WatchEvent | None:
    places = by_resource(stream.watcher.seen).get(name, [])
    return stream.watcher.seen[places[-1]] if places else None


def _is_alike(event: WatchEvent, conditions: object) -> bool:
    return list(comparable(event.app.status).conditions) == list(conditions)  # type: ignore[call-overload]  # repeated
