"""The events of a Watch: those that it has to show of each service, in order, and those that it may show besides.

A Watch begins with the apps of its id, and goes on with all changes of apps of that bare name. It is opened before the
snapshot is taken, so that events of writes just before it may follow; the reports of the cluster are events, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.text_format import MessageToString

from flyteapps_contract.model.flyte_oss.names import resource
from flyteapps_contract.model.flyte_oss.services import CREATED, DELETED, UPDATED, Service
from flyteapps_contract.model.flyte_oss.shown import Urls, comparable, is_version, judge_app
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.streams import WatchEvent

Row = tuple[str, str, str, bool]
"""An event as scripts compare it: its kind, the id, the spec as text, whether the app is stopped."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a service by a write: the kind of its event, and the service that it shows; `at` that time."""

    resource: str
    kind: str
    service: Service
    at: float

    def is_shown_by(self, event: WatchEvent) -> bool:
        """Return whether the event is the one of this change."""
        return event.kind == self.kind and is_version(event.app, self.service)

    def row(self) -> Row:
        """Return the event of the change as a script compares it."""
        app, service = self.service.shown(), self.service
        where = "/".join((*service.place, service.name))
        return self.kind, where, MessageToString(app.spec, as_one_line=True), service.stopped

    def __str__(self) -> str:
        """Return the change as a report shows it, such as "the update of a in p/d (image img:1)"."""
        payload = f"image {self.service.spec.container.image}" if self.service.spec.HasField("container") else "a pod"
        state = ", stopped" if self.service.stopped else ""
        return f"the {self.kind} of {self.service.name} in {'/'.join(self.service.place)} ({payload}{state})"


@dataclass(frozen=True, slots=True)
class Step:
    """A change that a stream shows next; one that isn't `required` may be left out."""

    change: Change
    required: bool


class Track:
    """The events of one service on one stream: its snapshot, perhaps some of the changes before, all of those since.

    `present`: what was there already, but in no snapshot, since it is of another place: the cluster may report on it.
    `late`: the stream may have begun later than it was opened, with any of them, or with a snapshot of `place`.
    """

    def __init__(
        self,
        stream: int,
        snapshot: Change | None,
        recent: Sequence[Change],
        due: Sequence[Change],
        place: tuple[str, str],
        *,
        present: Change | None,
        late: bool,
    ) -> None:
        first = [Step(present, required=False)] if present is not None else []
        first += [Step(snapshot, required=True)] if snapshot is not None else []
        self._start = 0 if present is not None else -1
        before = [Step(each, required=False) for each in recent]
        self._steps = [*first, *before, *(Step(each, required=True) for each in due)]
        self._stream = stream
        self._place = place
        self._late = late

    def judge(self, events: Sequence[WatchEvent], places: Sequence[int], urls: Urls) -> list[Change]:
        """Return the changes that the events don't show yet. Raises Violation at the first wrong event.

        `places` are those of the events among all of the stream.
        """
        reached, last = {self._start}, None
        for event, place in zip(events, places, strict=True):
            word = f"app_of(events({self._stream})[{place}])"
            if event.old is not None:
                line = f"not events({self._stream})[{place}].update_event.HasField('old_app')"
                raise Violation(("OSS-27",), f"{_said(event)} has an old_app", line)
            found = {number for at in reached for number in self._after(event, at, last)}
            if not found:
                raise self._wrong(event, max(reached))
            reached = found
            if event.kind == DELETED and last is not None and last.kind != DELETED:
                self._judge_deleted(event, last, place)
            judge_app(event.app, self._shown_by(event, max(found)), ("OSS-26",), urls, word)
            last = event
        return min((self._left(at) for at in reached), key=len)

    def _shown_by(self, event: WatchEvent, at: int) -> Service:
        """Return the service that an allowed event shows: of the step of number `at`, or of an earlier one."""
        services = (each.change.service for each in reversed(self._steps[: at + 1]))
        return next(each for each in services if is_version(event.app, each))

    def _left(self, at: int) -> list[Change]:
        """Return the changes that have to be shown after the step of that number."""
        left = [each.change for each in self._steps[at + 1 :] if each.required]
        if self._late and at <= self._start:
            return [each for each in left[-1:] if each.kind != DELETED and each.service.place == self._place]
        return left

    def _after(self, event: WatchEvent, at: int, last: WatchEvent | None) -> Iterator[int]:
        """Yield the numbers of the steps that the event may show after the step of number `at`."""
        steps = self._steps
        began_late = self._late and at <= self._start
        exists = last.kind != DELETED if last is not None else at >= 0
        if exists and event.kind == UPDATED and is_version(event.app, steps[at].change.service):
            yield at  # a report of the cluster
        for number in range(at + 1, len(steps)):
            change = steps[number].change
            if change.is_shown_by(event):
                yield number
            elif began_late and event.kind == CREATED and is_version(event.app, change.service):
                yield number  # the snapshot of a stream that began later
            if steps[number].required and not began_late:
                break
        if self._late and any(each.change.is_shown_by(event) for each in steps[: at + 1]):
            yield at  # an event that comes after the snapshot that shows it

    def _wrong(self, event: WatchEvent, at: int) -> Violation:
        wanted = [each.change for each in self._steps[at + 1 :] if each.required]
        allowed = list(dict.fromkeys(row for each in self._steps for row in _rows(each.change)))
        lines = [f"only({self._stream}, {resource(event.app.metadata.id)!r}, {allowed!r})"]
        if wanted:
            lines.append(self.proof(wanted))
        if not self._steps:
            return Violation(("OSS-25", "OSS-24"), f"{_said(event)} came, of which no change was due", *lines)
        deletes = DELETED in (event.kind, *(each.kind for each in wanted[:1]))
        guarantees = ("OSS-28", "OSS-26") if deletes else ("OSS-26",)
        if wanted:
            text = f"{_said(event)} came where {wanted[0]} was due"
        else:
            text = f"{_said(event)} came, but shows nothing that was written"
        return Violation(guarantees, text, *lines)

    def _judge_deleted(self, event: WatchEvent, last: WatchEvent, place: int) -> None:
        """Raise Violation where a deletion shows other conditions than the event before."""
        before, after = comparable(last.app.status), comparable(event.app.status)
        if list(before.conditions) != list(after.conditions):
            text = f"{_said(event)} should show the conditions that came last, and shows others"
            said = [each.message for each in before.conditions]
            where = f"app_of(events({self._stream})[{place}])"
            line = f"[each.message for each in {where}.status.conditions] == {said!r}"
            raise Violation(("OSS-28",), text, line)

    def proof(self, changes: Sequence[Change]) -> str:
        """Return the line that the stream shows these changes in this order."""
        return f"shows({self._stream}, {[each.row() for each in changes]!r})"


def missing(stream: int, changes: Sequence[Change]) -> Violation:
    """Return the violation of a stream that doesn't show these changes."""
    due = changes[0]
    guarantees = ("OSS-28", "OSS-26") if due.kind == DELETED else ("OSS-26", "OSS-28")
    line = f"shows({stream}, {[each.row() for each in changes]!r})"
    return Violation(guarantees, f"{due} did not come", line)


def _rows(change: Change) -> list[Row]:
    """Return the change's own event, and that of a report of the cluster on it."""
    own = change.row()
    return [own] if change.kind == DELETED else [own, (UPDATED, *own[1:])]


def _said(event: WatchEvent) -> str:
    app_id = event.app.metadata.id
    return f"a {event.kind} event of {app_id.name} in {app_id.project}/{app_id.domain}"


def by_resource(events: Sequence[WatchEvent]) -> dict[str, list[int]]:
    """Return the places of the events by the resource that they show."""
    found: dict[str, list[int]] = {}
    for place, event in enumerate(events):
        found.setdefault(resource(event.app.metadata.id), []).append(place)
    return found
