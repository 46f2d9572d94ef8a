"""Create, Update and Delete: decide on the stored app and the request, then commit.

Requests come with their org filled in and validated.
"""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import App, Condition, IngressConfig, Meta, Spec, Status
from flyteidl2.app.app_payload_pb2 import CreateRequest, DeleteRequest, UpdateRequest

from flyteapps_fake.plane.apps import AppKey
from flyteapps_fake.plane.clock import timestamp
from flyteapps_fake.plane.commits import State, append_condition
from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.plane.identity import user
from flyteapps_fake.plane.ingress import generated_subdomain, is_default
from flyteapps_fake.plane.lifecycle import ASSIGNED, PENDING, STOPPED, UNASSIGNED, Cause, shall_run
from flyteapps_fake.plane.pools import wanted_by
from flyteapps_fake.plane.validation import check_size, quoted
from flyteapps_fake.plane.wire import encode

UNCHANGED = "Either the change has already been applied, or"


def create(state: State, request: CreateRequest) -> AppKey:
    """Stores a new app with revision 1."""
    sent = request.app
    key = AppKey.of(sent.metadata.id)
    state.organization.require(key.org)
    _check_inputs(sent.spec)
    if state.store.get(key) is not None:
        raise RpcError(Code.ALREADY_EXISTS, f"app {key} already exists; Update changes it")
    generated = generated_subdomain(state.settings.seed, key, state.next_incarnation(key))
    app = App(metadata=sent.metadata, spec=sent.spec)
    app.metadata.revision = 1
    if is_default(app):
        app.spec.ingress.CopyFrom(IngressConfig(subdomain=generated))
    if not app.spec.creator.WhichOneof("principal"):
        app.spec.creator.CopyFrom(user(state.settings.subject))
    app.status.ingress.CopyFrom(state.hosts.plan(key, app.spec.ingress, generated))
    check_size(app, str(key))
    now = state.clock.tick()
    app.status.created_at.CopyFrom(timestamp(now))
    app.status.last_updated_at.CopyFrom(timestamp(now))
    running = shall_run(app.spec.desired_state)
    condition = Condition(
        deployment_status=UNASSIGNED if running else STOPPED,
        message=state.pools.why_waiting(wanted_by(app.spec)) if running else "Created as stopped",
        actor=user(state.settings.subject),
    )
    append_condition(app, condition, Cause.CREATE, now)
    state.organization.settle()
    state.commit(None, app)
    state.hosts.move(key, None, app.status.ingress)
    return key


def update(state: State, request: UpdateRequest) -> AppKey:
    """Replaces spec, labels, code_bundle_uri and source_code, and raises the revision by 1."""
    sent = request.app
    key = AppKey.of(sent.metadata.id)
    old = state.require(key)
    if sent.metadata.revision not in (0, old.revision):
        raise RpcError(
            Code.ABORTED,
            f"{UNCHANGED} app {key} has moved on: the update is for revision {sent.metadata.revision}, "
            f"the stored revision is {old.revision}",
        )
    _check_inputs(sent.spec)
    stored = old.parse()
    app = App(metadata=sent.metadata, spec=sent.spec, status=stored.status)
    if is_default(app):
        app.spec.ingress.CopyFrom(stored.spec.ingress)
    app.spec.creator.CopyFrom(stored.spec.creator)
    if encode(app.spec) == encode(stored.spec) and _described(app.metadata) == _described(stored.metadata):
        raise RpcError(
            Code.ABORTED, f"{UNCHANGED} it changes nothing of app {key}, which is at revision {old.revision}"
        )
    app.metadata.revision = old.revision + 1
    generated = generated_subdomain(state.settings.seed, key, old.incarnation)
    ingress = state.hosts.plan(key, app.spec.ingress, generated)
    ingress.vpc_url = stored.status.ingress.vpc_url
    app.status.ingress.CopyFrom(ingress)
    check_size(app, str(key))
    now = state.clock.tick()
    app.status.last_updated_at.CopyFrom(timestamp(now))
    target = _condition_after_update(app)
    if target is not None:
        reason = request.reason or "no reason given"
        condition = Condition(
            deployment_status=target, message=f"Updated: {reason}", actor=user(state.settings.subject)
        )
        append_condition(app, condition, Cause.UPDATE, now)
    elif old.status == UNASSIGNED and (wanted := wanted_by(app.spec)) != old.wanted:
        app.status.conditions[-1].message = state.pools.why_waiting(wanted)
        app.status.conditions[-1].revision += 1
    state.commit(old, app)
    state.hosts.move(key, stored.status.ingress, ingress)
    return key


def delete(state: State, request: DeleteRequest) -> AppKey:
    """Removes an app that is stopped, shall stop, or was never assigned."""
    key = AppKey.of(request.app_id)
    old = state.require(key)
    if shall_run(old.desired_state) and old.status != UNASSIGNED:
        raise RpcError(
            Code.FAILED_PRECONDITION,
            f"app {key} is not stopped: set its desired state to STOPPED first "
            f"(App.deactivate(), or `flyte update app {key.name} --deactivate`)",
        )
    state.clock.tick()
    state.commit(old, None)
    state.hosts.move(key, old.parse().status.ingress, None)
    return key


def _condition_after_update(app: App) -> Status.DeploymentStatus | None:
    last = app.status.conditions[-1].deployment_status
    if not shall_run(app.spec.desired_state):
        return PENDING if app.status.assigned_cluster else STOPPED
    return None if last in (UNASSIGNED, ASSIGNED) else PENDING


def _check_inputs(spec: Spec) -> None:
    names: set[str] = set()
    for index, item in enumerate(spec.inputs.items):
        if item.name in names:
            raise RpcError(
                Code.INVALID_ARGUMENT,
                f"app.spec.inputs.items[{index}].name: {quoted(item.name)} is there a second time",
            )
        names.add(item.name)


def _described(metadata: Meta) -> bytes:
    kept = Meta(labels=metadata.labels, code_bundle_uri=metadata.code_bundle_uri)
    if metadata.HasField("source_code"):
        kept.source_code.CopyFrom(metadata.source_code)
    return encode(kept)
