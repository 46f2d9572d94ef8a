"""One app of flyte-oss that several clients race for, as a state machine for the judge of histories.

The state is what is stored of the app, and how much of it each Watch has shown. A write and its event are one step, so
that an order that explains the calls explains every Watch, too: all watchers see the order of the writes. What an
operator changes, such as conditions, is no part of the state. Nothing here calls a plane.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flyteapps_contract.model.linearizability import Call, Step

OK, NOT_FOUND, INTERNAL = "OK", "NOT_FOUND", "INTERNAL"
CONFLICT, EXISTS, GONE, REPLACED = "Operation cannot be fulfilled", "already exists", "not found", "invalid object"
REFUSALS = {CONFLICT: ("present",), EXISTS: ("absent", "present"), GONE: ("present", "absent"), REPLACED: ("present",)}
"""By the words of a refused write, which changed nothing: what there was of the app at some points of the call."""
WRITES = ("create", "update", "stop", "delete")


class Version(NamedTuple):
    """The stored part of an app: the mark of its spec, whether it is stopped, and which of its ids it has."""

    mark: str
    stopped: bool = False
    alias: int = 0


class Place(NamedTuple):
    """The place of a Watch in what it showed: what comes next, how it began, whether its snapshot was taken."""

    next: int = 0
    began: str = ""
    open: bool = False


EVENT, SNAPSHOT = "event", "snapshot"
"""The kinds of the first thing that a Watch showed: an event, or the app as its snapshot had it."""


class State(NamedTuple):
    """The stored version of the app, None where it is absent, and the places of the watches."""

    version: Version | None = None
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """The versions of the app that one Watch showed, without repeats; None is a deletion.

    It is a Watch of one id: what is stored under another id of the app isn't shown. `snapshot`: the first may be one.
    """

    alias: int
    versions: tuple[Version | None, ...]
    snapshot: bool = True


@dataclass(frozen=True, slots=True)
class Said:
    """A request and its answer. `code` is "" where the answer was lost; `words` those of a refusal by a conflict.

    `seen`: what the answer shows. `aliases`: the ids under which a List shows the app. `number`: of a Watch.
    """

    verb: str
    mark: str = ""
    alias: int = 0
    code: str = ""
    words: str = ""
    seen: Version | None = None
    aliases: tuple[int, ...] = ()
    number: int = -1


def parts_of(call: Call[Said]) -> Iterator[Call[Said]]:
    """Yield the steps that a call is made of, each of which happened at some point of it.

    A write that was refused read twice, and changed nothing. An Update that is NOT_FOUND found its app gone after it
    had written; a stop finds it gone before or after. An acknowledged stop found the app in the end, but it may have
    found none to stop before.
    """
    said = call.what

    def read(verb: str) -> Call[Said]:
        return Call(call.called, call.returned, Said(verb), reads=True)

    if said.words:
        yield from map(read, REFUSALS[said.words])
        return
    yield call
    if said.verb in ("update", "stop") and said.code == NOT_FOUND:
        yield read("absent")
    elif said.verb == "stop" and said.code == OK:
        yield read("present")


def step_of(streams: Sequence[Shown]) -> Step[State, Said]:
    """Return the state machine of an app that these watches showed."""

    def step(state: State, said: Said) -> Iterator[State]:
        match said.verb:
            case "open":
                for place in opened(streams[said.number], state.places[said.number], state.version):
                    places = list(state.places)
                    places[said.number] = place
                    yield State(state.version, tuple(places))
            case "end":
                if all(place.next == len(stream.versions) for place, stream in zip(state.places, streams, strict=True)):
                    yield state
            case _:
                for version in effects(state.version, said):
                    yield from _moved(streams, state, version)

    return step


def effects(version: Version | None, said: Said) -> Iterator[Version | None]:
    """Yield what the request may leave of what is stored, nothing where its answer can't be."""
    match said.verb:
        case "create" | "update":
            same = version is not None and not version.stopped and version.mark == said.mark
            yield version if same else Version(said.mark, False, said.alias)
        case "stop":
            yield version._replace(stopped=True) if version is not None else None
            if said.code == NOT_FOUND and version is not None and not version.stopped:
                yield version
        case "delete":
            yield None
        case "present":
            yield from (version,) if version is not None else ()
        case "absent":
            yield from (version,) if version is None else ()
        case "list":
            shown = version if version is not None and version.alias in said.aliases else None
            yield from (version,) if shown == said.seen else ()
        case _:
            yield from (version,) if version == said.seen else ()


def opened(stream: Shown, place: Place, version: Version | None) -> Iterator[Place]:
    """Yield the places of a Watch once its snapshot was taken of that version; none where it shows another one.

    A Watch subscribes before it takes its snapshot, so that earlier events may follow it.
    """
    if version is not None and version.alias == stream.alias:
        if place.began != EVENT and stream.snapshot and stream.versions[:1] == (version,):
            yield Place(max(place.next, 1), SNAPSHOT, True)
    elif place.began != SNAPSHOT:
        yield Place(place.next, EVENT, True)


def followed(stream: Shown, place: Place, old: Version | None, new: Version | None) -> Iterator[Place]:
    """Yield the places of a Watch after a change; none where it should have shown that, and showed something else."""
    seen = new or old
    if old == new or seen is None or seen.alias != stream.alias:
        yield place
        return
    shown = stream.versions
    if place.open or place.began:
        if place.next < len(shown) and shown[place.next] == new:
            yield place._replace(next=place.next + 1)
        elif place.next > 0 and shown[place.next - 1] == new:
            yield place  # the same twice, with something in between that it didn't show
        return
    yield place  # it hasn't subscribed yet
    if shown[:1] == (new,):
        yield Place(1, EVENT)
    if stream.snapshot and shown[:1] not in ((), (None,)) and shown[1:2] == (new,):
        yield Place(2, SNAPSHOT)


def _moved(streams: Sequence[Shown], state: State, version: Version | None) -> Iterator[State]:
    branches = [
        followed(stream, place, state.version, version) for stream, place in zip(streams, state.places, strict=True)
    ]
    return (State(version, places) for places in itertools.product(*branches))


def collapsed(versions: Iterable[Version | None]) -> tuple[Version | None, ...]:
    """Return them without those that came again at once."""
    return tuple(version for version, _ in itertools.groupby(versions))
