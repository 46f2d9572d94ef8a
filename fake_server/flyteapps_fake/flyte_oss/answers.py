"""The cache of Get: answers by the id as it was sent, each for 30 seconds, or until a write with exactly that id."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple, cast

from flyteidl2.app.app_definition_pb2 import Identifier

from flyteapps_control.selection import AppName
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.flyte_oss.names import shown_id

CACHE_LIFETIME_NS = 30 * SECOND
"""The time for which an answer to Get is returned again."""
MAX_CACHED_BYTES = 64 * 1024 * 1024
"""Bytes of the cached answers, the stand-in's own bound; beyond it the oldest are dropped before their time."""

CACHE_EXPIRY = "cache-expiry"
"""The kind of timer of a cached answer, whose key is the owner."""

FLYTE_OSS_ANSWERS = "flyte_oss_answers"
"""The section of the state that holds the cached answers."""

CacheKey = tuple[str, str, str, str]
"""("get", PROJECT, DOMAIN, NAME)."""


class CachedAnswer(NamedTuple):
    """A cached answer, an encoded App, with the timer of its end."""

    app: bytes
    timer: Timer


def cache_key(app_id: Identifier) -> CacheKey:
    """Return the key of a cached answer: without the org, and case-sensitive; ids that are shown alike share one."""
    return ("get", *shown_id(app_id.project, app_id.domain, app_id.name))


def key_of_timer(owner: Hashable) -> CacheKey | None:
    """Return the key of the cached answer whose timer has that owner, None for any other owner."""
    return cast("CacheKey", owner) if isinstance(owner, tuple) and owner[:1] == ("get",) else None


class Answers:
    """The cached answers of one plane."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._timers = timeline.timers
        self._changes = timeline.changes
        self.encoded: dict[CacheKey, bytes] = {}
        """The answers by their keys, to be read alone."""
        self._bytes = 0
        self._in_order = True
        """Whether the first answer is the oldest one."""
        reason = "its cached answer to Get expires"
        timeline.handle(CACHE_EXPIRY, self._expire, reason, lambda key: AppName(*key[1:]), changes=False)

    def store(self, key: CacheKey, encoded: bytes) -> None:
        """Cache an answer from now on, unless nothing can be changed."""
        if self._changes.refusal is not None:
            return
        self._bytes -= len(self.encoded.get(key, b""))
        self._timers.schedule(self._timeline.clock.now() + CACHE_LIFETIME_NS, key, CACHE_EXPIRY)
        self.encoded[key] = encoded
        self._bytes += len(encoded)
        while self._bytes > MAX_CACHED_BYTES and len(self.encoded) > 1:
            oldest = self._oldest()
            self._drop(oldest)
            self._timers.cancel(oldest)

    def forget(self, key: CacheKey) -> None:
        """Drop the answer of that key, after a write."""
        if key in self.encoded:
            self._drop(key)
            self._timers.cancel(key)
            self._timeline.woken(key)

    def image(self, key: CacheKey) -> CachedAnswer | None:
        """Return an answer with its timer, None where there is none."""
        encoded, timer = self.encoded.get(key), self._timers.get(key)
        return CachedAnswer(encoded, timer) if encoded is not None and timer is not None else None

    def put(self, key: CacheKey, image: CachedAnswer | None) -> None:
        """Replace an answer."""
        self._bytes -= len(self.encoded.pop(key, b""))
        self._timers.put(key, image.timer if image is not None else None)
        if image is not None:
            self.encoded[key] = image.app
            self._bytes += len(image.app)
            self._in_order = False

    def _touch(self, key: CacheKey) -> None:
        """Record that an answer is about to change."""
        if self._changes.on:
            self._changes.touch(FLYTE_OSS_ANSWERS, key)

    def _oldest(self) -> CacheKey:
        if not self._in_order:  # some were put back
            for key in sorted(self.encoded, key=self._sequence):
                self.encoded[key] = self.encoded.pop(key)
            self._in_order = True
        return next(iter(self.encoded))

    def _sequence(self, key: CacheKey) -> int:
        timer = self._timers.get(key)
        return timer.sequence if timer is not None else 0

    def _drop(self, key: CacheKey) -> None:
        self._touch(key)
        self._bytes -= len(self.encoded.pop(key))

    def _expire(self, timer: Timer) -> None:
        """Drop the answer, unless a write that ended on the way to the timer has dropped or replaced it."""
        key = cast("CacheKey", timer.owner)
        if key in self.encoded and key not in self._timers:
            self._drop(key)
