"""Create, replace, update and delete, each correct also after a lost response or a concurrent write.

A retried write may conflict with its own first attempt: on ALREADY_EXISTS and ABORTED the app is read before they are
reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps.apps import conditions
from flyteapps.apps.planes import traits_of
from flyteapps.errors import AppExists, AppNotFound, Conflict, Error
from flyteapps.flows.calls import call
from flyteapps.flows.follow import current
from flyteapps.flows.methods import CREATE, DELETE, UPDATE
from flyteapps.flows.operations import Flow, Sleep
from flyteapps.flows.reading import get
from flyteapps.flows.verdicts import Baseline
from flyteapps.settings import Settings
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests

T = TypeVar("T")

MAX_ROUNDS = 5
"""Maximum number of reads and writes of a call that names no revision, if each write conflicts with another."""

Written = tuple[definition.App, Baseline]
"""The result of a write: the app, and the baseline of a wait for that write."""


def after_uncertain_write(uncertain: bool, flow: Flow[T]) -> Flow[T]:
    """Run a flow after a write; if that is uncertain, the flow's errors are `maybe_applied`."""
    try:
        return (yield from flow)
    except Error as error:
        error.maybe_applied = error.maybe_applied or uncertain
        raise


def create(settings: Settings, app: definition.App, reason: str) -> Flow[Written]:
    """Create the app, or replace the one of that name. The caller's message isn't modified."""
    wanted = definition.App()
    wanted.CopyFrom(app)
    wanted.metadata.id.CopyFrom(settings.completed(app.metadata.id))
    wanted.metadata.revision = 0  # a plane without revisions returns it as it was sent
    uncertain = False
    for attempt in range(1, MAX_ROUNDS + 1):
        try:
            response = yield from call(settings, CREATE, payload.CreateRequest(app=wanted), wanted.metadata.id)
        except (AppExists, Conflict) as error:
            uncertain = uncertain or error.maybe_applied
        else:
            if conditions.should_run(wanted) or traits_of(response.app).stores_stopped:
                return response.app, Baseline.written(response.app, None)
            return (yield from after_uncertain_write(True, update(settings, wanted, reason)))
        keep = not wanted.metadata.labels
        try:
            return (yield from after_uncertain_write(uncertain, _replace(settings, wanted, reason, keep_labels=keep)))
        except AppNotFound:  # deleted between the two
            if attempt == MAX_ROUNDS:
                raise
    raise AssertionError("the last round returns or raises")


def replace(
    settings: Settings,
    identifier: definition.Identifier,
    spec: definition.Spec,
    reason: str,
    labels: Mapping[str, str] | None,
) -> Flow[Written]:
    """Write another spec of an existing app, and its labels if they are not None. Raises AppNotFound, Conflict."""
    wanted = definition.App(metadata=definition.Meta(id=identifier, labels=labels), spec=spec)
    return (yield from _replace(settings, wanted, reason, keep_labels=labels is None))


def _replace(settings: Settings, wanted: definition.App, reason: str, *, keep_labels: bool) -> Flow[Written]:
    refused_at, uncertain = None, False
    for attempt in range(1, MAX_ROUNDS + 1):
        stored = yield from after_uncertain_write(uncertain, _stored(settings, wanted.metadata.id))
        merged = _merged(stored, wanted, keep_labels)
        if has_content_of(stored, merged) or (refused_at and refused_at == stored.metadata.revision):
            # in the second case there was no other write: for the plane nothing would change
            return stored, Baseline.seen(stored)
        try:
            return (yield from after_uncertain_write(uncertain, update(settings, merged, reason, before=stored)))
        except Conflict as conflict:
            if attempt == MAX_ROUNDS:
                raise
            uncertain = uncertain or conflict.maybe_applied
            refused_at = stored.metadata.revision
        yield Sleep(settings.retries.pause(attempt))
    raise AssertionError("the last round returns or raises")


def _stored(settings: Settings, identifier: definition.Identifier) -> Flow[definition.App]:
    return (yield from current(settings, (yield from get(settings, identifier))))


def _merged(stored: definition.App, wanted: definition.App, keep_labels: bool) -> definition.App:
    """Return the app to send: the wanted content at the stored revision, with stored values for absent ones."""
    merged = definition.App()
    merged.CopyFrom(stored)
    merged.spec.CopyFrom(wanted.spec)
    if stored.spec.HasField("creator"):
        merged.spec.creator.CopyFrom(stored.spec.creator)
    if not keep_labels:
        merged.metadata.labels.clear()
        merged.metadata.labels.update(wanted.metadata.labels)
    if wanted.metadata.code_bundle_uri:
        merged.metadata.code_bundle_uri = wanted.metadata.code_bundle_uri
    if wanted.metadata.HasField("source_code"):
        merged.metadata.source_code.CopyFrom(wanted.metadata.source_code)
    return merged


def has_content_of(stored: definition.App, sent: definition.App) -> bool:
    """Return whether the stored app has the content of the sent one: spec, labels and code.

    The creator is the plane's, and so is an ingress that was not sent. Some planes store the spec alone.
    """
    spec = definition.Spec()
    spec.CopyFrom(sent.spec)
    for filled in ("creator", "ingress"):
        if filled == "creator" or not spec.ingress.ByteSize():
            spec.ClearField(filled)
            if stored.spec.HasField(filled):
                getattr(spec, filled).CopyFrom(getattr(stored.spec, filled))
    if not traits_of(stored).stores_metadata:
        return spec == stored.spec
    return (
        spec == stored.spec
        and dict(sent.metadata.labels) == dict(stored.metadata.labels)
        and sent.metadata.code_bundle_uri == stored.metadata.code_bundle_uri
        and sent.metadata.source_code == stored.metadata.source_code
    )


def update(settings: Settings, app: definition.App, reason: str, before: definition.App | None = None) -> Flow[Written]:
    """Update the app as sent, revision included. `before`: the app as read before, None if it wasn't.

    Raises Conflict; `maybe_applied` if an attempt with a lost response may have been applied before another write.
    """
    try:
        response = yield from call(settings, UPDATE, payload.UpdateRequest(app=app, reason=reason), app.metadata.id)
        if response.app.metadata.revision == app.metadata.revision:
            response.app.metadata.revision = 0  # returned as sent: the plane counts no revisions
        return response.app, Baseline.written(response.app, before)
    except Conflict as conflict:
        if not conflict.maybe_applied:
            raise
        stored = yield from after_uncertain_write(True, get(settings, app.metadata.id))
        sent, there = app.metadata.revision, stored.metadata.revision
        if has_content_of(stored, app) and sent in (0, there - 1):
            return stored, Baseline.written(stored, before)
        if sent:  # at sent + 1 the other write came first; later, ours may be among the earlier ones
            conflict.maybe_applied = there > sent + 1
        raise


def delete(settings: Settings, identifier: definition.Identifier) -> Flow[None]:
    """Delete the app; an absent one is no error."""
    try:
        yield from call(settings, DELETE, payload.DeleteRequest(app_id=identifier))
    except AppNotFound:
        return
