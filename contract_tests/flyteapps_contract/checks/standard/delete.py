"""Delete: rows DE-1 to DE-3. An app that no cluster leases (its pool is nobody's) stays where it is without waiting."""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.session import (
    ACTIVE,
    FAILED,
    RUN,
    STARTED,
    STOP,
    UNASSIGNED,
    UNSPECIFIED,
    Session,
    copy,
    last_status,
    preparing,
    status_name,
    statuses,
)

RUNNING = (RUN, STARTED, UNSPECIFIED)
"""The desired states that mean "run"."""


# ---- DE-1


@check("DE-1")
def deleting_an_absent_id_is_not_found(s: Session) -> None:
    """Deleting an id that never was, or is no more, is NOT_FOUND, and nothing changes."""
    app, deleted = s.given_stopped(), s.given_stopped()
    s.given_deleted(deleted)
    absent = [s.id(), deleted.metadata.id, s.id(app.metadata.id.name + "x")]
    with s.unchanged(app, absent=absent):
        for app_id in absent:
            with expect_refusal("NOT_FOUND", f"Delete of the absent {app_id.name}"):
                s.delete(app_id)


# ---- DE-2


@check("DE-2", needs=("cluster",))
def an_active_app_is_not_deleted(s: Session) -> None:
    """Deleting an active app is FAILED_PRECONDITION, whichever of the three states says that it should run."""
    made = [s.given(s.app(state=state)) for state in RUNNING]
    apps = [s.given_rest(app.metadata.id, ACTIVE) for app in made]
    with s.unchanged(*apps):
        for app in apps:
            _expect_kept(s, app)


@check("DE-2")
def an_app_that_waits_for_a_restart_is_not_deleted(s: Session) -> None:
    """Deleting an app that was started again and waits for a cluster is FAILED_PRECONDITION."""
    apps = [_given_waiting(s, state) for state in RUNNING]
    with s.unchanged(*apps):
        for app in apps:
            _expect_kept(s, app)


@check("DE-2", needs=("cluster", "failing"))
def a_failed_app_is_not_deleted(s: Session) -> None:
    """Deleting an app that failed and should run is FAILED_PRECONDITION."""
    app = s.given(s.app(labels=s.capabilities.failing))
    app = s.given_rest(app.metadata.id, FAILED)
    with s.unchanged(app):
        _expect_kept(s, app)


@check("DE-2", needs=("cluster",))
def an_app_on_its_way_is_not_deleted(s: Session) -> None:
    """Deleting an app that a cluster has and that isn't active yet is FAILED_PRECONDITION, and it goes on."""
    app = s.given()
    with preparing("Create of an app that a cluster leases at once"):
        expect(last_status(s.get(app.metadata.id)) != UNASSIGNED, "the app is UNASSIGNED")
    _expect_kept(s, app)
    reached = s.given_rest(app.metadata.id, ACTIVE)
    expect_equal(reached.metadata, app.metadata, "the metadata after a Delete that was refused")
    expect_equal(reached.spec, app.spec, "the spec after a Delete that was refused")


@check("DE-2")
def a_stopped_app_is_deleted(s: Session) -> None:
    """An app that is STOPPED can be deleted."""
    app = s.given_stopped()
    s.delete(app.metadata.id)


@check("DE-2", needs=("cluster",))
def an_app_that_should_stop_is_deleted(s: Session) -> None:
    """An app whose desired state is STOPPED can be deleted before it has stopped, from any state."""
    new, active = s.given(), s.given_active()
    for app in (new, active):
        s.given_update(_stopping(app))
        s.delete(app.metadata.id)


@check("DE-2")
def an_unassigned_app_is_deleted(s: Session) -> None:
    """An app that is UNASSIGNED can be deleted, whichever of the three states says that it should run."""
    for state in RUNNING:
        app = _given_unassigned(s, state)
        s.delete(app.metadata.id)


@check("DE-2")
def an_app_that_is_stopped_again_is_deleted(s: Session) -> None:
    """An app that waits for a restart can be deleted once its desired state is STOPPED again."""
    app = _given_waiting(s, RUN)
    s.given_update(_stopping(app))
    s.delete(app.metadata.id)


# ---- DE-3


@check("DE-3")
def a_deleted_app_is_not_found(s: Session) -> None:
    """After a Delete, Get by id and by URL are NOT_FOUND, also where they have been answered before."""
    app = s.app(state=STOP)
    app.spec.ingress.cname = f"{s.name()}.example.com"
    made = s.given(app)
    branches = [{field.name: url} for field, url in made.status.ingress.ListFields()]
    with preparing("Get of the app before its Delete"):
        s.get(made.metadata.id)
        for urls in branches:
            s.get_by_ingress(**urls)
    s.given_deleted(made)
    _expect_gone(s, made)
    for urls in branches:
        with expect_refusal("NOT_FOUND", f"Get of a deleted app by {urls}"):
            s.get_by_ingress(**urls)


@check("DE-3")
def each_app_that_may_be_deleted_is_gone(s: Session) -> None:
    """After a Delete that was granted because the app is UNASSIGNED, or was told to stop, Get is NOT_FOUND."""
    waiting = _given_waiting(s, RUN)
    for app in (_given_unassigned(s, RUN), s.given_update(_stopping(waiting))):
        with preparing("Delete"):
            s.delete(app.metadata.id)
        _expect_gone(s, app)


@check("DE-3")
def a_deleted_app_is_not_listed(s: Session) -> None:
    """After a Delete, List omits the app and holds the others."""
    apps = [s.given_stopped() for _ in range(3)]
    s.given_deleted(apps[1])
    with s.unchanged(apps[0], apps[2], absent=[apps[1].metadata.id]):
        pass
    names = s.names()
    expect_equal([app.metadata.id.name in names for app in apps], [True, False, True], "the three apps in List")


@check("DE-3", needs=("cluster",))
def what_was_pending_of_a_deleted_app_never_fires(s: Session) -> None:
    """A change under way when an app is deleted never shows: not as an event, not in an app of the same id."""
    gone, again, waiting = s.given(), s.given(), s.given()
    for app in (gone, again, waiting):
        s.given_deleted(app)
    stopped = s.given(s.app(again.metadata.id.name, state=STOP))
    unassigned = _given_unassigned(s, RUN, waiting.metadata.id.name)
    watcher = s.watch()
    other = s.given()
    s.given_rest(other.metadata.id, ACTIVE)  # by then what was under way of the three would have fired
    with preparing("watching another app"):
        events = watcher.until(lambda seen: seen.name == other.metadata.id.name and last_status(seen.app) == ACTIVE, "")
    for seen in events:
        expect(seen.name != gone.metadata.id.name, f"a {seen.kind} event of a deleted app: {statuses(seen.app)}")
    _expect_gone(s, gone)
    for app in (stopped, unassigned):
        expect_equal(s.get(app.metadata.id), app, "an app that was created again, after a while")


def _expect_kept(s: Session, app: model.App) -> None:
    with expect_refusal("FAILED_PRECONDITION", f"Delete of an app that is {status_name(last_status(app))}") as refusal:
        s.delete(app.metadata.id)
    text = refusal.message
    expect("STOPPED" in text or "deactivate" in text, f"the message should say how to stop the app: {text}")


def _expect_gone(s: Session, app: model.App) -> None:
    with expect_refusal("NOT_FOUND", "Get of a deleted app"):
        s.get(app.metadata.id)


def _given_unassigned(s: Session, state: int, name: str | None = None) -> model.App:
    """Return an app that should run, in a pool that no cluster serves."""
    s.require_pools()
    app = s.app(name, state=state)
    app.spec.cluster_pool = s.name("-pool")
    made = s.given(app)
    with preparing("Create in a pool that no cluster serves"):
        expect(last_status(made) == UNASSIGNED, f"the app is {status_name(last_status(made))}, not UNASSIGNED")
    return made


def _given_waiting(s: Session, state: int) -> model.App:
    """Return an app that was created as stopped and started since, in a pool that no cluster serves."""
    s.require_pools()
    app = s.app(state=STOP)
    app.spec.cluster_pool = s.name("-pool")
    wanted = s.given(app)
    wanted.spec.desired_state = state  # type: ignore[assignment]  # an enum value of protobuf is a plain int
    started = s.given_update(wanted)
    with preparing("Update that starts an app in a pool that no cluster serves"):
        expect(last_status(started) != UNASSIGNED, "the app is UNASSIGNED")
    return started


def _stopping(app: model.App) -> model.App:
    """Return the app as it should stop, whatever its revision is."""
    wanted = copy(app)
    wanted.metadata.revision = 0
    wanted.spec.desired_state = STOP
    return wanted
