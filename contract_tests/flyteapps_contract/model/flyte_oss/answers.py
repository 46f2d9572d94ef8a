"""The cached answers of Get: one by project, domain and name as they were sent, until a write with exactly these."""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as model

LIFETIME_SECONDS = 30.0
"""The plane's seconds in which an answer may come again."""

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of Get, with the plane's time at which it was new."""

    app: model.App
    at: float


class Answers:
    """The answers that a plane may have cached, and those that it has to have forgotten."""

    def __init__(self) -> None:
        self._cached: dict[Key, Answer] = {}
        self._forgotten: dict[Key, list[model.App]] = {}

    def may_repeat(self, app_id: model.Identifier, app: model.App, now: float) -> bool:
        """Return whether that answer may be one from the cache."""
        cached = self._cached.get(_key(app_id))
        return cached is not None and cached.app == app and now - cached.at <= LIFETIME_SECONDS

    def stale(self, app_id: model.Identifier, app: model.App) -> tuple[str, ...]:
        """Return the guarantee that an answer breaks which was given before, and is neither cached nor true."""
        cached = self._cached.get(_key(app_id))
        if cached is not None and cached.app == app:
            return ("OSS-14",)
        return ("OSS-15",) if app in self._forgotten.get(_key(app_id), []) else ()

    def record(self, app_id: model.Identifier, app: model.App, now: float) -> None:
        """Record an answer; one that comes again is as old as it was."""
        if not self.may_repeat(app_id, app, now):
            self._cached[_key(app_id)] = Answer(app, now)

    def forget(self, app_id: model.Identifier) -> None:
        """Record a write with that id."""
        cached = self._cached.pop(_key(app_id), None)
        if cached is not None:
            self._forgotten.setdefault(_key(app_id), []).append(cached.app)


def _key(app_id: model.Identifier) -> Key:
    return app_id.project, app_id.domain, app_id.name
