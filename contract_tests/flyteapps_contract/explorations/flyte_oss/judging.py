"""The judgement of a history of flyte-oss: whether some order of the writes explains every answer and every Watch.

Pure: it has the calls and what the watches showed, and calls no plane.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model.flyte_oss.racing import (
    OK,
    WRITES,
    Place,
    Said,
    Shown,
    State,
    Version,
    parts_of,
    step_of,
)
from flyteapps_contract.model.linearizability import Call, Contradiction, Undecided, contradiction
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.wording import shown

Key = tuple[int, int]
"""An app, and one of its ids."""
SPEAKING = {"create": "OSS-7", "update": "OSS-17", "stop": "OSS-17", "delete": "OSS-20"}
"""The guarantee of a client's call, by what can't be explained."""
HISTORY = "OSS-80"
READS = ("get", "list")


@dataclass(frozen=True, slots=True)
class Event:
    """A call as it was: by which client, of which app and id, what was said, when it was made and when it returned."""

    client: int
    key: Key
    said: Said
    called: int
    returned: int | None

    def __str__(self) -> str:
        said = self.said
        mark = f" {said.mark}" if said.mark else ""
        alias = f" by its id {said.alias}" if said.alias else ""
        seen = f" {named(said.seen)}" if said.verb in READS and said.code == OK else ""
        words = f" ({said.words})" if said.words else ""
        return f"{said.verb}{mark}{alias}: {said.code or 'answer lost'}{words}{seen}"


@dataclass(frozen=True, slots=True)
class Stream:
    """A Watch: its app, what it showed of it, when it was opened; `returned` is None where it may open later."""

    app: int
    shown: Shown
    called: int
    returned: int | None


class Judge:
    """The judgement of one history, which has ended: all watches were read up to a last write, at the tick `end`."""

    def __init__(self, events: Sequence[Event], streams: Sequence[Stream], end: int) -> None:
        self._events = events
        self._streams = streams
        self._end = end
        self.undecided = False
        """Whether the calls of some app allow for too many orders to look at each."""
        self.wrong: Said | None = None
        """The answer that can't be explained."""

    def violations(self) -> Iterator[Violation]:
        """Yield the first violation of each app."""
        for app in sorted({event.key[0] for event in self._events}):
            try:
                yield from self._app(app)
            except Undecided:
                self.undecided = True

    def _app(self, app: int) -> Iterator[Violation]:
        """Judge the calls; then each Watch beside them; then all watches at once."""
        calls = [part for event in self._events if event.key[0] == app for part in self._calls(event)]
        found = self._contradiction(calls, ())
        if found is not None:
            yield self._of_call(app, calls, found)
            return
        streams = [each for each in self._streams if each.app == app]
        together = [streams] if len(streams) > 1 else []
        for some in (*([each] for each in streams), *together):
            if self._contradiction(calls, some) is not None:
                yield self._of_watches(some)
                return

    def _contradiction(
        self, calls: Sequence[Call[Said]], streams: Sequence[Stream]
    ) -> Contradiction[Said, State] | None:
        opened = [
            Call(each.called, each.returned if each.returned is not None else self._end, Said("open", number=number))
            for number, each in enumerate(streams)
        ]
        last = [Call(self._end + 1, self._end + 2, Said("end"), reads=True)]
        initial = State(None, (Place(),) * len(streams))
        return contradiction([*calls, *opened, *last], initial, step_of([each.shown for each in streams]))

    def _calls(self, event: Event) -> Iterator[Call[Said]]:
        """Yield what a call did, as calls of the judge; a Get counts as called when its answer may have been read."""
        said = event.said
        if said.verb == "wait" or (said.verb == "get" and not said.code):
            return
        called = self._read_from(event) if said.verb == "get" and said.code == OK else event.called
        yield from parts_of(Call(called, event.returned, said, reads=said.verb in READS))

    def _read_from(self, get: Event) -> int:
        """Return the earliest time at which the answer of a Get may have been read.

        It is that of a Get of the same id, of this one or of another, also of a lost one, whose answer was cached after
        the last write by that id, or the last 30 s of the plane's time, had begun.
        """
        since = max(
            (each.called for each in self._events if each.returned is not None and _forgets(each, get)),
            default=-1,
        )
        reads = [
            each.called
            for each in self._events
            if each.said.verb == "get" and each.said.code in (OK, "") and each.key == get.key
            if each.returned is None or each.returned > since
        ]
        return min([get.called, *(called for called in reads if called < get.called)])

    def _of_call(self, app: int, calls: Sequence[Call[Said]], found: Contradiction[Said, State]) -> Violation:
        said = self.wrong = found.call.what
        might = ", ".join(named(state.version) for state in found.states)
        beside = "; ".join(_described(call.what) for call in found.open) or "nothing"
        text = (
            f"no order of the calls explains {_described(said)} of app {app}: "
            f"before it there was {might}; beside it ran {beside}"
        )
        if said.verb != "get":
            return Violation((HISTORY, *((SPEAKING[said.verb],) if said.verb in SPEAKING else ())), text)
        without = [call for call in calls if call.what is not said]
        anywhen = Call(-1, found.call.returned, said, reads=True)
        if said.code == OK and self._contradiction([*without, anywhen], ()) is None:
            return Violation(("OSS-15", "OSS-14"), f"{text}; it is older than a cached answer may be")
        return Violation((HISTORY, "OSS-14"), text)

    def _of_watches(self, streams: Sequence[Stream]) -> Violation:
        lines = [" -> ".join(map(named, each.shown.versions)) or "nothing" for each in streams]
        what = "a Watch beside writers showed" if len(streams) == 1 else "watches beside writers showed"
        text = f"no order of the writes explains what {what} of app {streams[0].app}: {'; '.join(lines)}"
        return Violation(("OSS-26", HISTORY), text)


def _forgets(event: Event, get: Event) -> bool:
    """Return whether no answer to that Get was cached any more when the call had returned, which was before the Get."""
    if event.returned is None or event.returned >= get.called:
        return False
    writes = event.said.verb in WRITES and event.said.code == OK and event.key == get.key
    return writes or event.said.verb == "wait"


def named(version: Version | None) -> str:
    """Return a version in words."""
    if version is None:
        return "no app"
    stopped = ", stopped" if version.stopped else ""
    return f"{version.mark}{stopped}{f', under its id {version.alias}' if version.alias else ''}"


def describe(app: model.App) -> str:
    """Return what a history compares of an app that is none of its own."""
    app_id = app.metadata.id
    return f"{app_id.name} of {app_id.project}: {shown(app.spec)}"


def _described(said: Said) -> str:
    return str(Event(0, (0, said.alias), said, 0, 0))
