"""Waiting by a stream while a plane's time passes: never by Get, which a plane may answer from a cache."""

from __future__ import annotations

import time
from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message

from flyteapps_contract import streams
from flyteapps_contract.streams import Watcher
from flyteapps_contract.targets.target import Plane, QueueStream

STEP = 0.05
"""Seconds that a movable clock is advanced at once, at first: few, since a plane may forget what it knew within 30."""
LONGEST_STEP = 86_400.0
"""The same, at last: a day. A clock has an end, which a message that never comes must not lead to."""
ARRIVAL = 0.02
"""Real seconds that a message may take to arrive before more time is made to pass."""
OPENING = 0.25
"""Real seconds that a stream may take until it is open at the plane, where its link can't tell."""


class Waiting:
    """Time that passes while a message is waited for: where a clock can be moved, in steps that grow with it.

    Wait for each message for `patience` real seconds, then `go_on`. `passed` are the plane's seconds since the start,
    or since it was set.
    """

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._deadline = time.monotonic() + streams.PATIENCE
        self.patience = ARRIVAL if plane.capabilities.clock else STEP
        self.passed = 0.0

    @property
    def over(self) -> bool:
        """Whether it has taken too long."""
        return time.monotonic() > self._deadline

    def go_on(self) -> None:
        """Let a step of time pass; real time has passed where the message was waited for."""
        step = min(max(STEP, self.passed / 2), LONGEST_STEP) if self._plane.capabilities.clock else STEP
        if self._plane.capabilities.clock:
            self._plane.advance(step)
        self.passed += step


def opened(plane: Plane, service: str, method: str, request: Message, response: type[Message]) -> QueueStream:
    """Return a stream that is open at the plane as far as is known."""
    queue_stream = plane.link.stream(service, method, request, response)
    deadline = time.monotonic() + (0 if plane.link.opens_at_once else OPENING)
    while time.monotonic() < deadline and not queue_stream.pending:
        time.sleep(ARRIVAL)
    return queue_stream


def watched(
    plane: Plane, service: str, app_id: model.Identifier, reached: Callable[[model.App], bool]
) -> model.App | None:
    """Return the app once a Watch shows that it is so; None where it isn't in time. Raises Refused and StreamEnded."""
    queue_stream = opened(plane, service, "Watch", rpc.WatchRequest(app_id=app_id), rpc.WatchResponse)
    watcher, waiting = Watcher(queue_stream), Waiting(plane)
    try:
        while not waiting.over:
            seen = watcher.poll(waiting.patience)
            if seen is None:
                waiting.go_on()
            elif reached(seen.app):
                return seen.app
    finally:
        queue_stream.close()
    return None
