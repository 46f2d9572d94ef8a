"""Wrong planes: the stand-in with one thing broken, each by overriding a seam that exists anyway.

Each is a context manager under the id of the guarantee that it breaks. The suite must find every one.
"""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest.mock import patch

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_fake.core.time.clock import from_timestamp
from flyteapps_fake.standard.apps import AppRecord, Draft
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.conditions import History

Mutant = Callable[[], AbstractContextManager[Any]]
MUTANTS: list[tuple[str, Mutant]] = []


def mutant(guarantee: str) -> Callable[[Mutant], Mutant]:
    """Register a mutant of that guarantee."""

    def register(make: Mutant) -> Mutant:
        MUTANTS.append((guarantee, make))
        return make

    return register


def around(owner: Any, name: str, wrapper: Callable[..., Any]) -> AbstractContextManager[Any]:
    """Replace `owner.name` by `wrapper(original, *arguments)`."""
    real = getattr(owner, name)
    return patch.object(owner, name, lambda *arguments: wrapper(real, *arguments))


def all_of(*changes: AbstractContextManager[Any]) -> AbstractContextManager[Any]:
    """Combine several changes to one."""
    stack = ExitStack()
    for change in changes:
        stack.enter_context(change)
    return stack


def same(value: Any) -> Any:
    """Return a function that returns this value for any arguments."""
    return lambda *_, **__: value


def at_commit(change: Callable[[model.App, model.App | None], None]) -> AbstractContextManager[Any]:
    """Alter each app by `change(app, old)` before it is stored; `old` is None for a new one."""
    real = State.commit

    def commit(self: State, draft: Draft) -> AppRecord:
        app = whole(draft)
        change(app, draft.old.parse() if draft.old is not None else None)
        return real(self, draft_of(draft.old, app))

    return patch.object(State, "commit", commit)


def whole(draft: Draft) -> model.App:
    """Return the app that the draft leads to."""
    front = draft.sent if draft.sent is not None else draft.old and draft.old.parse_front()
    assert front is not None
    app = model.App(metadata=front.metadata, spec=front.spec)
    app.status.CopyFrom(draft.status)
    app.status.MergeFrom(model.Status.FromString(draft.history.encoded))
    return app


def draft_of(old: AppRecord | None, app: model.App) -> Draft:
    """Return a draft that leads to that app, valid or not."""
    draft = Draft(old, model.App(metadata=app.metadata, spec=app.spec))
    draft.history = History()
    for condition in app.status.conditions:
        draft.history = draft.history.append(condition)
    last = app.status.conditions[-1]
    draft.reached, draft.substate, draft.counter = last.deployment_status, last.substate, last.revision
    draft.changed_at = from_timestamp(last.last_transition_time)
    draft.status.CopyFrom(app.status)
    draft.status.ClearField("conditions")
    return draft


def at_create(change: Callable[[model.App], None]) -> AbstractContextManager[Any]:
    """Alter each new app by `change(app)` before it is stored."""
    return at_commit(lambda app, old: change(app) if old is None else None)


def at_update(change: Callable[[model.App, model.App], None]) -> AbstractContextManager[Any]:
    """Alter each app that a client updates by `change(app, old)` before it is stored."""
    return at_commit(
        lambda app, old: (
            change(app, old) if old is not None and app.metadata.revision != old.metadata.revision else None
        )
    )
