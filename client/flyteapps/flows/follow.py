"""One app, followed over dropped streams: what is seen of it, in order, each state once.

Every time a stream opens, its snapshot counts like an event. What a stream can't tell (that the app is gone, that the
connection is dead) is found by reading the app after a silence. A plane without revisions is lossy: its streams lose
events and tell of other apps of that name, and what it reads may be half a minute old. There the snapshot of another
stream shows the app as it is, and reading only tells whether there is one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import Any

from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import conditions
from flyteapps.errors import AppNotFound, CallerError, Code, Error, ProtocolError, Unimplemented, WatchStalled
from flyteapps.flows.calls import call
from flyteapps.flows.methods import GET, WATCH
from flyteapps.flows.operations import Close, Flow, Next, Now, Open, Quiet, Sleep
from flyteapps.settings import Settings, label

GLANCE = 1.0
"""Seconds of silence after which a stream that has shown nothing yet is doubted, and the app read."""

LOSSY_POLL = 5.0
"""Seconds of silence after which another stream is opened on a lossy plane."""

CALM = 10.0
"""A stream that lived for so many seconds was a good one: the next is opened without a long pause."""

CONNECT = 10.0
"""Seconds that reading the app may take while following it."""

LEAST = 0.05
"""And the least."""


class Kind(Enum):
    """What a sight is."""

    SEEN = "the app as it is"
    DELETED = "the app is gone"
    TIME = "the time given passed"


@dataclass(slots=True)
class Sight:
    """`app`: the app as it is, or was last. `old`: as it was before, where known."""

    kind: Kind
    app: definition.App | None = None
    old: definition.App | None = None


class Follow:
    """Follows one app; `next` gives sight after sight.

    `known`: the app as the caller knows it; sights begin with what differs from it, or, where it is None, with the app
    as it is.
    """

    def __init__(
        self, settings: Settings, identifier: definition.Identifier, known: definition.App | None = None
    ) -> None:
        self._settings = settings
        self._id = identifier
        self.last = known
        self.lossy = known is not None and not conditions.has_revisions(known)
        self._stream: Any = None
        self._opened = 0.0
        self._shown = False  # whether the open stream has shown anything
        self._drops = 0  # streams that ended since a good one
        self._failing: float | None = None  # since when nothing has come at all
        self._cause: Error | None = None
        self._absent = False  # whether its absence has been told
        self._ready: list[Sight] = []
        self._heard_at = 0.0

    def next(self, until: float) -> Flow[Sight]:
        """The next sight, or Kind.TIME once the clock shows `until`. Raises WatchStalled, and what can't pass."""
        while not self._ready:
            now: float = yield Now()
            if now >= until:
                return Sight(Kind.TIME, self.last)
            if self._stream is None:
                yield from self._open(until)
                continue
            message = yield from self._receive(min(until, self._due()) - now)
            if message is not None and self._take(message):
                self._heard_at = yield Now()
            elif self._stream is not None and (yield Now()) >= self._due():
                if self.lossy and self._shown:
                    yield from self.close()  # and on with another, whose snapshot shows what this one has lost
                else:
                    yield from self._read(until)
        return self._ready.pop(0)

    @property
    def failing(self) -> Error | None:
        """Why nothing comes at the moment; None while the plane answers."""
        return self._cause if self._failing is not None else None

    def read_now(self, until: float) -> Flow[Sight | None]:
        """Looks at the app at once; the sight of it, None where the plane didn't answer."""
        before = len(self._ready)
        reached = yield from (self._snapshot(until) if self.lossy else self._read(until))
        if not reached:
            return None
        if len(self._ready) > before:
            return self._ready.pop(before)
        return Sight(Kind.DELETED if self._absent else Kind.SEEN, self.last)

    def close(self) -> Flow[None]:
        """Closes the stream that is open."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            yield Close(stream)

    def _due(self) -> float:
        """When the app is to be read unless something comes before."""
        poll = min(LOSSY_POLL, self._settings.waits.poll) if self.lossy else self._settings.waits.poll
        return max(self._opened, self._heard_at) + (poll if self._shown else min(GLANCE, poll))

    def _open(self, until: float) -> Flow[None]:
        if self._drops:
            now: float = yield Now()
            yield Sleep(max(0.0, min(self._settings.retries.pause(self._drops), until - now)))
        request = payload.WatchRequest(app_id=self._id)
        self._opened = yield Now()
        self._shown = False
        try:
            self._stream = yield Open(WATCH, request, self._settings.call_headers())
        except Error as error:
            yield from self._dropped(error)

    def _receive(self, timeout: float) -> Flow[payload.WatchResponse | None]:
        """A message, or None: nothing came in time, or the stream ended and was closed."""
        try:
            message = yield Next(self._stream, max(0.0, timeout))
        except Error as error:
            yield from self._dropped(error)
            return None
        if message is Quiet.END:
            yield from self._dropped(None)
            return None
        return None if message is Quiet.SILENCE else message

    def _dropped(self, error: Error | None) -> Flow[None]:
        """The stream ended. Raises the error where another can't do better, WatchStalled where none has for long."""
        yield from self.close()
        if error is not None and not _passes(error):
            raise error
        now: float = yield Now()
        self._drops = 1 if self._shown and now - self._opened >= CALM else self._drops + 1
        yield from self._failed(error)

    def _failed(self, error: Error | None) -> Flow[None]:
        now: float = yield Now()
        self._cause = error or self._cause
        if self._failing is None:
            self._failing = now
        if now - self._failing >= self._settings.waits.stall:
            raise stalled(self._settings, self._id, self.last, now - self._failing, self._cause) from self._cause

    def _answered(self) -> None:
        self._failing = self._cause = None

    def _snapshot(self, until: float) -> Flow[bool]:
        """Opens another stream and takes what it shows first; False where that is nothing, and the app is there."""
        yield from self.close()
        yield from self._open(until)
        while self._stream is not None and not self._shown:
            left = min(self._due(), until) - (yield Now())
            message = yield from self._receive(left)
            if message is not None:
                self._take(message)
            elif self._stream is not None and left <= 0:
                return (yield from self._read(until)) and self._absent
        self._heard_at = yield Now()
        return self._shown

    def _read(self, until: float) -> Flow[bool]:
        """Reads the app and takes what it says; False where the plane did not answer."""
        left = until - (yield Now())
        hasty = dataclasses.replace(
            self._settings, timeout=max(LEAST, min(left, CONNECT, self._settings.timeout or CONNECT))
        )
        try:
            response = yield from call(hasty, GET, payload.GetRequest(app_id=self._id), self._id)
        except AppNotFound:
            self._answered()
            self._gone()
        except Error as error:
            if not _passes(error):
                raise
            self._heard_at = yield Now()
            # no answer: the stream is dead, too, as far as we can tell
            yield from self._dropped(error)
            return False
        else:
            self._answered()
            self.lossy = not conditions.has_revisions(response.app)
            if not self.lossy:
                self._saw(response.app)
        self._shown = True
        self._heard_at = yield Now()
        return True

    def _take(self, message: payload.WatchResponse) -> bool:
        """Takes what a message says; False where it tells of another app."""
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
        elif self.last is None or not conditions.is_reborn(self.last, app):
            self._gone(app)
        return True

    def _saw(self, app: definition.App) -> None:
        """Takes a state unless it is the known one, or older."""
        last = self.last
        self.lossy = not conditions.has_revisions(app)
        if last is not None and (conditions.is_same(app, last) or _is_older(app, last)):
            return
        if last is not None and conditions.is_reborn(app, last):
            self._ready.append(Sight(Kind.DELETED, last))
            last = None
        self.last, self._absent = app, False
        self._ready.append(Sight(Kind.SEEN, app, last))

    def _gone(self, app: definition.App | None = None) -> None:
        if not self._absent:
            self._ready.append(Sight(Kind.DELETED, app or self.last))
        self.last, self._absent = None, True


def as_it_is(settings: Settings, app: definition.App) -> Flow[definition.App]:
    """An app that was read, as it is now; a second look where reads may be old. Raises AppNotFound."""
    if conditions.has_revisions(app):
        return app
    follow = Follow(settings, app.metadata.id, app)
    try:
        sight = yield from follow.read_now(CONNECT + (yield Now()))
    except Error:
        return app  # it can't be watched: what was read has to do
    yield from follow.close()
    if sight is not None and sight.kind is Kind.DELETED:
        raise AppNotFound(
            f"app {label(app.metadata.id)} not found", endpoint=settings.endpoint, app=label(app.metadata.id)
        )
    return follow.last or app


def _is_older(app: definition.App, last: definition.App) -> bool:
    return conditions.has_revisions(app) and conditions.age(app) < conditions.age(last)


def _passes(error: Error) -> bool:
    """Whether another stream may do better."""
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
    """What is raised once following an app has brought nothing for long."""
    why = f": {cause.message}" if cause is not None else ""
    return WatchStalled(
        f"app {label(identifier)} could not be watched for {seconds:.0f} s, each stream ended{why}; "
        f"{conditions.describe(last)}",
        last=last,
        code=cause.code if cause is not None else None,
        endpoint=settings.endpoint,
        app=label(identifier),
    )
