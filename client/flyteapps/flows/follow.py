"""Follow: one app, observed over reconnects, in order, each state once.

The snapshot of each new stream counts as an event. What a stream can't show (the app's absence, a dead connection) is
found by reading the app after a silence. Where a plane loses events, its streams also show other apps of that name, and
its reads may be half a minute old: there the snapshot of another stream shows the app as it is, and a read only shows
whether it exists.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import Any

from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps.apps import conditions
from flyteapps.apps.planes import REVISIONED, traits_of
from flyteapps.auth.streams import ServerStream
from flyteapps.errors import AppNotFound, CallerError, Code, Error, ProtocolError, Unimplemented, WatchStalled
from flyteapps.flows.calls import call
from flyteapps.flows.methods import GET, WATCH
from flyteapps.flows.operations import Flow, Now, Quiet, Sleep
from flyteapps.settings import Settings, label
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests

FIRST_MESSAGE_SECONDS = 1.0
"""Maximum silence of a stream before its first message; then the app is read."""

LOSSY_POLL_SECONDS = 5.0
"""Silence after which another stream is opened on a plane that loses events."""

GOOD_STREAM_SECONDS = 10.0
"""Minimum life of a stream after which the next is opened without a long pause."""

MAX_READ_SECONDS = 10.0
"""Maximum timeout of a read of the followed app."""

WARN_SECONDS = 3.0
"""Time without any response after which a warning is logged, once."""

MIN_READ_SECONDS = 0.05
"""Minimum timeout of such a read."""


class Kind(Enum):
    """The kind of an observation."""

    SEEN = "the current app"
    DELETED = "the app does not exist"
    TIME = "the time limit passed"


@dataclass(slots=True)
class Observation:
    """One observation. `app`: the current app, or its last state. `old`: its state before, None if unknown."""

    kind: Kind
    app: definition.App | None = None
    old: definition.App | None = None


class Follow:
    """The followed app; `next` returns observation after observation.

    `known`: the app as the caller knows it. Observations begin with the difference from it, or, if it is None, with the
    current state.
    """

    def __init__(
        self, settings: Settings, identifier: definition.Identifier, known: definition.App | None = None
    ) -> None:
        self._settings = settings
        self._id = identifier
        self.last = known
        self.traits = traits_of(known) if known is not None else REVISIONED
        self._stream: Any = None  # a ServerStream
        self._opened = 0.0
        self._shown = False  # whether the open stream has shown anything
        self._drops = 0  # number of streams that ended since a good one
        self._failing: float | None = None  # the start of the time without any response
        self._cause: Error | None = None
        self._warned = False  # whether that time has been logged
        self._absent = False  # whether its absence has been observed
        self._ready: list[Observation] = []
        self._last_message_at = 0.0

    def next(self, until: float) -> Flow[Observation]:
        """Return the next observation, Kind.TIME at the time `until`. Raises WatchStalled, and permanent errors."""
        while not self._ready:
            now: float = yield Now()
            if now >= until:
                return Observation(Kind.TIME, self.last)
            if self._stream is None:
                yield from self._open(until)
                continue
            message = yield from self._receive(min(until, self._due()) - now)
            if message is not None and self._take(message):
                self._last_message_at = yield Now()
            elif self._stream is not None and (yield Now()) >= self._due():
                if self.traits.loses_events and self._shown:
                    yield from self.close()  # the snapshot of another one includes the lost events
                else:
                    yield from self._read(until)
        return self._ready.pop(0)

    @property
    def failing(self) -> Error | None:
        """The error of the last attempt to reach the plane; None while it responds."""
        return self._cause if self._failing is not None else None

    def read_now(self, until: float) -> Flow[Observation | None]:
        """Observe the app at once; None if the plane doesn't respond."""
        before = len(self._ready)
        reached = yield from (self._snapshot(until) if self.traits.loses_events else self._read(until))
        if not reached:
            return None
        if len(self._ready) > before:
            return self._ready.pop(before)
        return Observation(Kind.DELETED if self._absent else Kind.SEEN, self.last)

    def close(self) -> Flow[None]:
        """Close the open stream."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            yield from stream.close()

    def _due(self) -> float:
        """Return the time of the next read, unless a message arrives before."""
        poll = self._settings.waits.poll
        if self.traits.loses_events:
            poll = min(LOSSY_POLL_SECONDS, poll)
        return max(self._opened, self._last_message_at) + (poll if self._shown else min(FIRST_MESSAGE_SECONDS, poll))

    def _open(self, until: float) -> Flow[None]:
        if self._drops:
            now: float = yield Now()
            yield Sleep(max(0.0, min(self._settings.retries.pause(self._drops), until - now)))
        request = payload.WatchRequest(app_id=self._id)
        self._opened = yield Now()
        self._shown = False
        try:
            self._stream = ServerStream(self._settings, WATCH, request, until)
            yield from self._stream.open()
        except Error as error:
            yield from self._dropped(error)

    def _receive(self, timeout: float) -> Flow[payload.WatchResponse | None]:
        """Return a message, None if none arrived in time, or if the stream ended and was closed."""
        stream: ServerStream = self._stream
        try:
            message = yield from stream.next(max(0.0, timeout))
        except Error as error:
            yield from self._dropped(error)
            return None
        if message is Quiet.END:
            yield from self._dropped(None)
            return None
        return None if message is Quiet.SILENCE else message

    def _dropped(self, error: Error | None) -> Flow[None]:
        """Close the ended stream. Raises the error if another can't succeed, WatchStalled if none has for long."""
        yield from self.close()
        if error is not None and not _passes(error):
            raise error
        now: float = yield Now()
        self._drops = 1 if self._shown and now - self._opened >= GOOD_STREAM_SECONDS else self._drops + 1
        yield from self._failed(error)

    def _failed(self, error: Error | None) -> Flow[None]:
        now: float = yield Now()
        self._cause = error or self._cause
        if self._failing is None:
            self._failing = now
        seconds = now - self._failing
        if seconds >= self._settings.waits.stall:
            raise stalled(self._settings, self._id, self.last, seconds, self._cause) from self._cause
        if seconds >= WARN_SECONDS and not self._warned:
            self._warned = True
            self._warn(seconds)

    def _warn(self, seconds: float) -> None:
        import logging

        why = f": {self._cause.message}" if self._cause is not None else ""
        logging.getLogger("flyteapps").warning(
            "app %s could not be watched for %.0f s, each stream ended%s; trying again until %g s have passed",
            label(self._id), seconds, why, self._settings.waits.stall,
        )  # fmt: skip

    def _answered(self) -> None:
        self._failing = self._cause = None
        self._warned = False

    def _snapshot(self, until: float) -> Flow[bool]:
        """Open another stream and take its first message; return False if it has none although the app exists."""
        yield from self.close()
        yield from self._open(until)
        while self._stream is not None and not self._shown:
            left = min(self._due(), until) - (yield Now())
            message = yield from self._receive(left)
            if message is not None:
                self._take(message)
            elif self._stream is not None and left <= 0:
                return (yield from self._read(until)) and self._absent
        self._last_message_at = yield Now()
        return self._shown

    def _read(self, until: float) -> Flow[bool]:
        """Read the app and take its state; return False if the plane doesn't respond."""
        left = until - (yield Now())
        limit = min(left, MAX_READ_SECONDS, self._settings.timeout or MAX_READ_SECONDS)
        bounded = dataclasses.replace(self._settings, timeout=max(MIN_READ_SECONDS, limit))
        try:
            response = yield from call(bounded, GET, payload.GetRequest(app_id=self._id), self._id)
        except AppNotFound:
            self._answered()
            self._gone()
        except Error as error:
            if not _passes(error):
                raise
            self._last_message_at = yield Now()
            # no answer: the stream is dead, too, as far as we can warn
            yield from self._dropped(error)
            return False
        else:
            self._answered()
            self.traits = traits_of(response.app)
            if self.traits.reads_current:
                self._saw(response.app)
        self._shown = True
        self._last_message_at = yield Now()
        return True

    def _take(self, message: payload.WatchResponse) -> bool:
        """Take the state in a message; return False if it is of another app."""
        self._answered()
        which = message.WhichOneof("event")
        event: Any = getattr(message, which) if which else None
        app = event.updated_app if which == "update_event" else event.app if which else None
        if app is None or not conditions.is_of(app, self._id):
            return False
        self._shown = True
        if which != "create_event":
            self._drops = 0
        if which != "delete_event":
            self._saw(app)
        elif self.last is None or not conditions.is_recreated(self.last, app):
            self._gone(app)
        return True

    def _saw(self, app: definition.App) -> None:
        """Take a state unless it is the known one, or older."""
        last = self.last
        self.traits = traits_of(app)
        if last is not None and (conditions.is_same(app, last) or _is_older(app, last)):
            return
        if last is not None and conditions.is_recreated(app, last):
            self._ready.append(Observation(Kind.DELETED, last))
            last = None
        self.last, self._absent = app, False
        self._ready.append(Observation(Kind.SEEN, app, last))

    def _gone(self, app: definition.App | None = None) -> None:
        if not self._absent:
            self._ready.append(Observation(Kind.DELETED, app or self.last))
        self.last, self._absent = None, True


def current(settings: Settings, app: definition.App) -> Flow[definition.App]:
    """Return the current state of an app that was read, by a stream if reads may be old. Raises AppNotFound."""
    if traits_of(app).reads_current:
        return app
    follow = Follow(settings, app.metadata.id, app)
    try:
        observation = yield from follow.read_now(MAX_READ_SECONDS + (yield Now()))
    except Error:
        return app  # it can't be watched: the read state has to suffice
    yield from follow.close()
    if observation is not None and observation.kind is Kind.DELETED:
        raise AppNotFound(
            f"app {label(app.metadata.id)} not found", endpoint=settings.endpoint, app=label(app.metadata.id)
        )
    return follow.last or app


def _is_older(app: definition.App, last: definition.App) -> bool:
    return traits_of(app).counts_revisions and conditions.age(app) < conditions.age(last)


def _passes(error: Error) -> bool:
    """Return whether another stream may succeed."""
    if error.code is Code.UNIMPLEMENTED:
        return False
    return not isinstance(error, CallerError | ProtocolError | Unimplemented)


def stalled(
    settings: Settings,
    identifier: definition.Identifier,
    last: definition.App | None,
    seconds: float,
    cause: Error | None,
) -> WatchStalled:
    """Return the error for an app that can't be followed."""
    why = f": {cause.message}" if cause is not None else ""
    return WatchStalled(
        f"app {label(identifier)} could not be watched for {seconds:.0f} s, each stream ended{why}; "
        f"{conditions.describe(last)}",
        last=last,
        code=cause.code if cause is not None else None,
        endpoint=settings.endpoint,
        app=label(identifier),
    )
