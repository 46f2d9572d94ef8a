"""The reading of an app's conditions: its status, and which of two observations of it is the newer."""

from __future__ import annotations

from operator import attrgetter

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.apps.planes import traits_of
from flyteapps.apps.states import ACTIVE, DeploymentStatus, DesiredState, Substate

Fingerprint = tuple[tuple[int, int, str, int, int, int], ...]
"""The identity of a set of conditions: status, substate, message, counter, seconds and nanoseconds of each."""


def last(app: definition.App) -> definition.Condition | None:
    """Return the condition that counts, None without conditions: the last one, or without a history a failed one."""
    conditions = app.status.conditions
    if not conditions:
        return None
    if not traits_of(app).keeps_history:
        for condition in conditions:
            if condition.deployment_status == DeploymentStatus.FAILED:
                return condition
    return conditions[-1]


def status(app: definition.App) -> DeploymentStatus:
    """Return the deployment status, UNSPECIFIED without conditions."""
    condition = last(app)
    return DeploymentStatus(condition.deployment_status) if condition else DeploymentStatus.UNSPECIFIED


def substate(app: definition.App) -> Substate:
    """Return the substate of its status."""
    condition = last(app)
    return Substate(condition.substate) if condition else Substate.UNSPECIFIED


def message(app: definition.App) -> str:
    """Return the plane's message about its status."""
    condition = last(app)
    return condition.message if condition else ""


def should_run(app: definition.App) -> bool:
    """Return whether its desired state is to run."""
    return app.spec.desired_state != DesiredState.STOPPED


def is_active(app: definition.App) -> bool:
    """Return whether it is active, zero replicas included."""
    return status(app) in ACTIVE


def scaled_to_zero(app: definition.App) -> bool:
    """Return whether an active app has no replica; a plane without a history has no substate for it."""
    if traits_of(app).keeps_history:
        return substate(app) is Substate.SCALED_TO_ZERO
    return is_active(app) and app.status.current_replicas == 0


_parts = attrgetter("name", "project", "domain")


def is_of(app: definition.App, identifier: definition.Identifier) -> bool:
    """Return whether it is the app of that id; the org, which planes fill in, isn't compared."""
    return _parts(app.metadata.id) == _parts(identifier)


def fingerprint(app: definition.App) -> Fingerprint:
    """Return the identity of its conditions."""
    return tuple(
        (
            each.deployment_status,
            each.substate,
            each.message,
            each.revision,
            each.last_transition_time.seconds,
            each.last_transition_time.nanos,
        )
        for each in app.status.conditions
    )


def age(app: definition.App) -> tuple[int, int, int, int]:
    """Return the sort key of observations with revisions: incarnation, revision, counter of the last condition."""
    created, condition = app.status.created_at, last(app)
    return created.seconds, created.nanos, app.metadata.revision, condition.revision if condition else 0


def created_at(app: definition.App) -> tuple[int, int]:
    """Return the time of its creation, which distinguishes incarnations of one id; (0, 0) if the plane has none."""
    return app.status.created_at.seconds, app.status.created_at.nanos


def is_recreated(app: definition.App, since: definition.App) -> bool:
    """Return whether it is a later incarnation, as far as the plane returns the times of creation."""
    return created_at(since) != (0, 0) and created_at(app) > created_at(since)


def is_same(app: definition.App, other: definition.App) -> bool:
    """Return whether both show one state.

    A plane that stores no metadata returns it from writes alone, and stamps a stopped app with the time of the read:
    neither is a change.
    """
    if app == other:
        return True
    stored = traits_of(app).stores_metadata or traits_of(other).stores_metadata
    return not stored and _state(app) == _state(other)


def _state(app: definition.App) -> definition.App:
    state = definition.App(spec=app.spec, status=app.status)
    for condition in state.status.conditions:
        if condition.deployment_status == DeploymentStatus.STOPPED:
            condition.ClearField("last_transition_time")
    return state


def describe(app: definition.App | None) -> str:
    """Return one clause for error messages: revision, status, substate and message."""
    if app is None:
        return "it was never observed"
    text = f"last seen at revision {app.metadata.revision}: {status(app).name}"
    if substate(app):
        text += f"/{substate(app).name}"
    return f"{text} ({message(app)})" if message(app) else text
