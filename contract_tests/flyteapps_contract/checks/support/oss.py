"""The common parts of the checks of flyte-oss: names of resources, reads that no cache answers, silence."""

from __future__ import annotations

from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.expectations import expect
from flyteapps_contract.model.flyte_oss.names import resource as resource
from flyteapps_contract.outcomes import Broken, Unjudged
from flyteapps_contract.session import STOP, Session, copy, preparing, statuses
from flyteapps_contract.streams import Watcher, WatchEvent
from flyteapps_contract.waiting import Waiting

QUIET = 0.3
"""Seconds in which nothing comes, where nothing should."""
ARRIVES = 0.1
"""Real seconds that a message may take that the plane has sent."""


def listed(s: Session, app_id: model.Identifier) -> model.App | None:
    """Return the app as List of its project gives it now, None where it isn't there."""
    scope = s.scope(app_id.project)
    scope.domain = app_id.domain
    found = [each for each in s.list(project=scope).apps if resource(each.metadata.id) == resource(app_id)]
    expect(len(found) <= 1, f"List gives {len(found)} apps of the resource name {resource(app_id)}")
    return found[0] if found else None


def shown(s: Session, app_id: model.Identifier) -> model.App:
    """Return the same; Broken where it isn't there."""
    app = listed(s, app_id)
    if app is None:
        raise Broken(f"List of {app_id.project} should have {app_id.name}, and hasn't")
    return app


def changed(app: model.App, image: str) -> model.App:
    """Return the app with another image, and without what a plane made of it."""
    new = copy(app)
    new.ClearField("status")
    new.spec.container.image = image
    return new


def stopped(s: Session, app: model.App) -> model.App:
    """Return the app, active before and stopped now, as it was sent."""
    new = copy(app)
    new.ClearField("status")
    new.spec.desired_state = STOP
    s.given_update(new)
    return new


def rests(app: model.App) -> bool:
    """Return whether all its conditions are ACTIVE."""
    found = statuses(app)
    return bool(found) and set(found) == {"ACTIVE"}


def given_watched(s: Session) -> tuple[model.App, Watcher]:
    """Return an active app, and an open watch of it whose snapshot was read."""
    app = s.given_active()
    watcher = s.watch(app_id=app.metadata.id)
    first = next_of(s, watcher, "the snapshot")
    if first.kind != "create":
        raise Unjudged(f"a watch of an app that exists began with a {first.kind} event")
    return app, watcher


def given_received(s: Session, app_id: model.Identifier) -> Watcher:
    """Return a watch of an absent app that is open for sure: it showed an app of that bare name in another project."""
    watcher = s.watch(app_id=app_id)
    twin = s.app(app_id.name, project=f"{app_id.project}-twin")
    waiting = Waiting(s.plane)
    with preparing("waiting for a watch to be open"):
        while not waiting.over:
            twin.spec.container.image = f"img:{s.run.number()}"
            s.create(twin)
            if watcher.poll(waiting.patience) is not None:
                return watcher
            waiting.go_on()
    raise Unjudged("a watch did not open in time")


def next_of(s: Session, watcher: Watcher, what: str) -> WatchEvent:
    """Return the next event; time passes while it is waited for. Broken where none comes."""
    waiting = Waiting(s.plane)
    while not waiting.over:
        seen = watcher.poll(waiting.patience)
        if seen is not None:
            return seen
        waiting.go_on()
    raise Broken(f"waiting for {what}: nothing came")


def is_of(seen: WatchEvent, app: model.App) -> bool:
    """Return whether the event is of that very app: a watch tells of others of its bare name, too."""
    return seen.app.metadata.id.project == app.metadata.id.project


def until(s: Session, watcher: Watcher, reached: Callable[[WatchEvent], bool], what: str) -> list[WatchEvent]:
    """Return the events up to and with the first of which `reached` says so."""
    seen = [next_of(s, watcher, what)]
    while not reached(seen[-1]):
        seen.append(next_of(s, watcher, what))
    return seen


def silent(s: Session, watcher: Watcher) -> None:
    """Broken where anything comes while some time passes."""
    if s.capabilities.clock:
        s.advance(QUIET)
    seen = watcher.poll(ARRIVES if s.capabilities.clock else QUIET)
    expect(seen is None, f"nothing should come, but a {seen and seen.kind} event of {seen and seen.name} did")
