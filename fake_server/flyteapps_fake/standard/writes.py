"""Create, Update and Delete: decide on the stored app and the request, then commit.

Requests come with their org filled in and validated.
"""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import App, Condition, IngressConfig, Meta, Spec, Status
from flyteidl2.app.app_payload_pb2 import CreateRequest, DeleteRequest, UpdateRequest

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import PENDING, STOPPED, UNASSIGNED, Cause, should_run, traits_of
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.core.time.clock import set_timestamp
from flyteapps_fake.core.validation import check_size, quoted
from flyteapps_fake.standard.apps import AppKey, AppRecord, Draft
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.ingress import generated_subdomain, is_default
from flyteapps_fake.standard.operators.pools import wanted_by

UNCHANGED = "Either the change has already been applied, or"


def create(state: State, request: CreateRequest) -> AppKey:
    """Store a new app with revision 1."""
    sent = request.app
    key = AppKey.of(sent.metadata.id)
    state.organization.require(key.org)
    _check_inputs(sent.spec)
    if state.store.get(key) is not None:
        raise RpcError(Code.ALREADY_EXISTS, f"app {key} already exists; Update changes it")
    generated = generated_subdomain(state.seed, key, state.next_incarnation(key))
    app = App(metadata=sent.metadata, spec=sent.spec)
    app.metadata.revision = 1
    if is_default(app):
        app.spec.ingress.CopyFrom(IngressConfig(subdomain=generated))
    if state.authenticated or not app.spec.creator.WhichOneof("principal"):
        app.spec.creator.CopyFrom(state.actor)
    check_size(app, str(key))
    draft = Draft(None, app)
    status = draft.status
    status.ingress.CopyFrom(state.hosts.plan(key, app.spec.ingress, generated))
    now = state.clock.tick()
    set_timestamp(status.created_at, now)
    set_timestamp(status.last_updated_at, now)
    running = should_run(app.spec.desired_state)
    condition = Condition(
        deployment_status=UNASSIGNED if running else STOPPED,
        message=state.pools.why_waiting(wanted_by(app.spec)) if running else "Created as stopped",
        actor=state.actor,
    )
    draft.append(condition, Cause.CREATE, now)
    state.organization.settle()
    record = state.commit(draft)
    state.hosts.move(record.key, status.ingress)
    return record.key


def update(state: State, request: UpdateRequest) -> AppKey:
    """Replace spec, labels, code_bundle_uri and source_code, and raise the revision by 1."""
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
    stored = old.parse_front()
    app = App(metadata=sent.metadata, spec=sent.spec)
    if is_default(app):
        app.spec.ingress.CopyFrom(stored.spec.ingress)
    app.spec.creator.CopyFrom(stored.spec.creator)
    if encode(app.spec) == encode(stored.spec) and _described(app.metadata) == _described(stored.metadata):
        raise RpcError(
            Code.ABORTED, f"{UNCHANGED} it changes nothing of app {key}, which is at revision {old.revision}"
        )
    app.metadata.revision = old.revision + 1
    generated = generated_subdomain(state.seed, key, old.incarnation)
    check_size(app, str(key))
    draft = Draft(old, app)
    before = old.parse_status().ingress
    ingress = state.hosts.plan(key, app.spec.ingress, generated)
    ingress.vpc_url = before.vpc_url
    draft.status.ingress.CopyFrom(ingress)
    now = state.clock.tick()
    set_timestamp(draft.status.last_updated_at, now)
    target = _condition_after_update(draft)
    if target is not None:
        reason = request.reason or "no reason given"
        condition = Condition(deployment_status=target, message=f"Updated: {reason}", actor=state.actor)
        draft.append(condition, Cause.UPDATE, now)
    elif traits_of(old.status).leasable and (wanted := wanted_by(app.spec)) != old.wanted:
        draft.last.message = state.pools.why_waiting(wanted)
        draft.touch()
    state.commit(draft)
    state.hosts.move(old.key, ingress)
    return old.key


def delete(state: State, request: DeleteRequest) -> AppKey:
    """Remove an app that is stopped, should stop, or was never assigned."""
    key = AppKey.of(request.app_id)
    old = state.require(key)
    if should_run(old.desired_state) and not traits_of(old.status).deletable:
        raise RpcError(
            Code.FAILED_PRECONDITION,
            f"app {key} is not stopped: set its desired state to STOPPED first "
            f"(App.deactivate(), or `flyte update app {key.name} --deactivate`)",
        )
    remove(state, old)
    return key


def remove(state: State, old: AppRecord) -> None:
    """Remove an app in any state."""
    state.clock.tick()
    state.remove(old)
    state.hosts.move(old.key, None)


def readdress(state: State, record: AppRecord) -> None:
    """Give an app of another state the public URL that it has on this plane, under the same subdomain.

    Where that is another app's by now, it keeps the one that it had.
    """
    draft = Draft(record)
    ingress = draft.status.ingress
    try:
        new = state.hosts.plan(
            record.key, record.parse_front().spec.ingress, state.hosts.subdomain(record.key, ingress)
        )
    except RpcError:
        return
    new.vpc_url = ingress.vpc_url
    ingress.CopyFrom(new)
    state.clock.tick()
    state.commit(draft)  # no report of its cluster is outdated by that
    state.hosts.move(record.key, new)


def _condition_after_update(draft: Draft) -> Status.DeploymentStatus | None:
    if not should_run(draft.desired_state):
        return PENDING if draft.status.assigned_cluster else STOPPED
    return PENDING if traits_of(draft.reached).held else None


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
