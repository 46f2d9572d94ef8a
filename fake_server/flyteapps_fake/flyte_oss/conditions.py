"""What an operator says of a service, and how the backend shows it: conditions that are a state, not a history."""

from __future__ import annotations

from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import Condition

from flyteapps_fake.core.lifecycle import ACTIVE, DEPLOYING, FAILED, PENDING
from flyteapps_fake.core.time.clock import timestamp

CONFIGURATIONS, READY, ROUTES = "ConfigurationsReady", "Ready", "RoutesReady"
"""The conditions' types, in the order in which they are shown."""

_WORDS = {CONFIGURATIONS: "Configuration is ready", READY: "Service is ready", ROUTES: "Routes are ready"}
"""What is shown of a condition that says nothing, whatever its state."""


class Word(NamedTuple):
    """What an operator says of one condition: whether it is so (None: unknown), and why."""

    state: bool | None
    reason: str = ""
    message: str = ""


class Said(NamedTuple):
    """What an operator says of all three."""

    configurations: Word
    ready: Word
    routes: Word


NOT_ROUTED = Word(None, "IngressNotConfigured", "Ingress has not yet been reconciled.")
UNKNOWN = Said(Word(None), Word(None), Word(None))
CONFIGURED = Said(Word(True), NOT_ROUTED, NOT_ROUTED)
SERVING = Said(Word(True), Word(True), Word(True))


class Stated(NamedTuple):
    """One condition of a service: its type, what was last said, and when its state last changed."""

    kind: str
    word: Word
    since: int


Conditions = tuple[Stated, ...]


def restated(before: Conditions, said: Said, now: int) -> Conditions:
    """The conditions after that was said at `now`."""
    since = {each.kind: each.since for each in before if each.word.state == _of(said, each.kind).state}
    return tuple(Stated(kind, _of(said, kind), since.get(kind, now)) for kind in (CONFIGURATIONS, READY, ROUTES))


def _of(said: Said, kind: str) -> Word:
    return said[(CONFIGURATIONS, READY, ROUTES).index(kind)]


def shown(conditions: Conditions) -> list[Condition]:
    """The conditions of an app that runs: routes that are unknown, and failures of one that hasn't failed, left out."""
    overall = next((each.word.state for each in conditions if each.kind == READY), None)
    found: list[Condition] = []
    for kind, word, since in conditions:
        if kind == ROUTES and word.state is None:
            continue
        if word.state is False and overall is not False:
            continue
        status = PENDING if word.state is None else FAILED if not word.state else ACTIVE if overall else DEPLOYING
        text = f"{word.reason}: {word.message}" if word.reason else word.message or _WORDS[kind]
        found.append(Condition(deployment_status=status, message=text, last_transition_time=timestamp(since)))
    return found
