"""What the conditions of an app say: where it is, and which of two sights of it is the newer.

A plane with revisions shows a history of conditions, one without (the open-source one) a state: one condition each for
what makes up an app, in an order that says nothing.
"""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as definition

from flyteapps.states import ACTIVE, DeploymentStatus, DesiredState, Substate

Fingerprint = tuple[tuple[int, int, str, int, int, int], ...]
"""What identifies a set of conditions: status, substate, message, counter, seconds and nanoseconds of each."""


def last(app: definition.App) -> definition.Condition | None:
    """The condition that counts, None where there is none: the last one; without revisions one that failed, if any."""
    conditions = app.status.conditions
    if not conditions:
        return None
    if not has_revisions(app):
        for condition in conditions:
            if condition.deployment_status == DeploymentStatus.FAILED:
                return condition
    return conditions[-1]


def status(app: definition.App) -> DeploymentStatus:
    """Where the app is; UNSPECIFIED without conditions."""
    condition = last(app)
    return DeploymentStatus(condition.deployment_status) if condition else DeploymentStatus.UNSPECIFIED


def substate(app: definition.App) -> Substate:
    """What qualifies its status."""
    condition = last(app)
    return Substate(condition.substate) if condition else Substate.UNSPECIFIED


def message(app: definition.App) -> str:
    """What the plane says about its status."""
    condition = last(app)
    return condition.message if condition else ""


def shall_run(app: definition.App) -> bool:
    """Whether its desired state is to run."""
    return app.spec.desired_state != DesiredState.STOPPED


def is_active(app: definition.App) -> bool:
    """Whether it is active, zero replicas included."""
    return status(app) in ACTIVE


def scaled_to_zero(app: definition.App) -> bool:
    """Whether an active app has no replica; a plane without revisions has no substate to say so."""
    if has_revisions(app):
        return substate(app) is Substate.SCALED_TO_ZERO
    return is_active(app) and app.status.current_replicas == 0


def is_of(app: definition.App, identifier: definition.Identifier) -> bool:
    """Whether it is the app of that id; the org, which planes fill in, isn't compared."""
    own = app.metadata.id
    return own.name == identifier.name and own.project == identifier.project and own.domain == identifier.domain


def has_revisions(app: definition.App) -> bool:
    """Whether the plane that returned it counts revisions; one that doesn't always says 0."""
    return app.metadata.revision != 0


def fingerprint(app: definition.App) -> Fingerprint:
    """The identity of the conditions that it shows."""
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
    """Orders sights of one id on a plane with revisions: incarnation, revision, counter of the last condition."""
    created, condition = app.status.created_at, last(app)
    return created.seconds, created.nanos, app.metadata.revision, condition.revision if condition else 0


def born(app: definition.App) -> tuple[int, int]:
    """When it was created; tells incarnations of one id apart. (0, 0) where the plane doesn't say."""
    return app.status.created_at.seconds, app.status.created_at.nanos


def is_reborn(app: definition.App, since: definition.App) -> bool:
    """Whether it is a later incarnation, as far as the plane says when each was created."""
    return born(since) != (0, 0) and born(app) > born(since)


def is_same(app: definition.App, other: definition.App) -> bool:
    """Whether both show one state. Without revisions a write returns labels and code that no read does, and a stopped
    app is stamped with the time at which it is read: neither is a change."""
    if app == other:
        return True
    return not has_revisions(app) and not has_revisions(other) and _state(app) == _state(other)


def _state(app: definition.App) -> definition.App:
    state = definition.App(spec=app.spec, status=app.status)
    for condition in state.status.conditions:
        if condition.deployment_status == DeploymentStatus.STOPPED:
            condition.ClearField("last_transition_time")
    return state


def describe(app: definition.App | None) -> str:
    """One clause for error messages: revision, status, substate and message."""
    if app is None:
        return "nothing was seen of it"
    text = f"last seen at revision {app.metadata.revision}: {status(app).name}"
    if substate(app):
        text += f"/{substate(app).name}"
    return f"{text} ({message(app)})" if message(app) else text
