"""The stream of changes of one app, which outlives the streams of the wire."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.flows.follow import Follow, Kind
from flyteapps.flows.operations import Emit, ItemFlow, Now
from flyteapps.settings import Settings
from flyteapps.support.durations import patience


class ChangeKind(Enum):
    """What happened."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Seen:
    """One change, in protobuf: see `flyteapps.Change`."""

    kind: ChangeKind
    app: definition.App
    old: definition.App | None


def changes(
    settings: Settings, identifier: definition.Identifier, known: definition.App | None, timeout: float | None
) -> ItemFlow[Seen]:
    """Emits what differs from the known state, then change after change; ends after `timeout` seconds, None never.

    Each state is emitted once. Where a stream broke, the states in between are missing, never the last one.
    """
    timeout = patience(timeout)
    follow = Follow(settings, identifier, known)
    until = float("inf") if timeout is None else timeout + (yield Now())
    last = known
    while True:
        sight = yield from follow.next(until)
        if sight.kind is Kind.TIME:
            yield from follow.close()
            return
        if sight.kind is Kind.DELETED:
            gone, last = sight.app or last, None
            if gone is not None:
                yield Emit(Seen(ChangeKind.DELETED, gone, gone))
        elif sight.app is not None:
            yield Emit(Seen(ChangeKind.UPDATED if sight.old else ChangeKind.CREATED, sight.app, sight.old))
            last = sight.app
