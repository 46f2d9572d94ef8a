"""The changes of one app, followed over reconnects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.flows.follow import Follow, Kind
from flyteapps.flows.operations import Emit, ItemFlow, Now
from flyteapps.settings import Settings
from flyteapps.support.durations import patience
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests


class ChangeKind(Enum):
    """The kind of a change."""

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
    """Emit the difference from the known state, then each change; end after `timeout` seconds, None for no limit.

    Each state is emitted once. After a broken stream the states in between are missing, never the last one.
    """
    timeout = patience(timeout)
    follow = Follow(settings, identifier, known)
    until = float("inf") if timeout is None else timeout + (yield Now())
    last = known
    while True:
        observation = yield from follow.next(until)
        if observation.kind is Kind.TIME:
            yield from follow.close()
            return
        if observation.kind is Kind.DELETED:
            gone, last = observation.app or last, None
            if gone is not None:
                yield Emit(Seen(ChangeKind.DELETED, gone, gone))
        elif observation.app is not None:
            kind = ChangeKind.UPDATED if observation.old else ChangeKind.CREATED
            yield Emit(Seen(kind, observation.app, observation.old))
            last = observation.app
