"""Create, replace, update and delete, each right also where a response got lost or another writer came between.

A write that is tried again may meet its own first attempt: ALREADY_EXISTS and ABORTED are then looked into before they
are reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import conditions
from flyteapps.errors import AppExists, AppNotFound, Conflict, Error
from flyteapps.flows.calls import call
from flyteapps.flows.follow import as_it_is
from flyteapps.flows.methods import CREATE, DELETE, UPDATE
from flyteapps.flows.operations import Flow, Sleep
from flyteapps.flows.reading import get
from flyteapps.flows.verdicts import Baseline
from flyteapps.settings import Settings

T = TypeVar("T")

ROUNDS = 5
"""How often a write that gave no revision reads and tries again after a conflict."""

Written = tuple[definition.App, Baseline]
"""What a write gives: the app, and what a wait for that write has to know."""


def after_doubt(uncertain: bool, flow: Flow[T]) -> Flow[T]:
    """The same flow, after a write that may have been applied: its errors say so, too."""
    try:
        return (yield from flow)
    except Error as error:
        error.maybe_applied = error.maybe_applied or uncertain
        raise


def create(settings: Settings, app: definition.App, reason: str) -> Flow[Written]:
    """Creates the app, or replaces the one of that name. The caller's message is left as it is."""
    wanted = definition.App()
    wanted.CopyFrom(app)
    wanted.metadata.id.CopyFrom(settings.completed(app.metadata.id))
    wanted.metadata.revision = 0  # a plane without revisions returns it as it was sent
    uncertain = False
    for attempt in range(1, ROUNDS + 1):
        try:
            response = yield from call(settings, CREATE, payload.CreateRequest(app=wanted), wanted.metadata.id)
        except (AppExists, Conflict) as error:
            uncertain = uncertain or error.maybe_applied
        else:
            if conditions.shall_run(wanted) or conditions.has_revisions(response.app):
                return response.app, Baseline.written(response.app, None)
            # such a plane has it run all the same
            return (yield from after_doubt(True, update(settings, wanted, reason)))
        keep = not wanted.metadata.labels
        try:
            return (yield from after_doubt(uncertain, _replace(settings, wanted, reason, keep_labels=keep)))
        except AppNotFound:  # deleted between the two
            if attempt == ROUNDS:
                raise
    raise AssertionError("the last round returns or raises")


def replace(
    settings: Settings,
    identifier: definition.Identifier,
    spec: definition.Spec,
    reason: str,
    labels: Mapping[str, str] | None,
) -> Flow[Written]:
    """Gives an existing app another spec, and labels where they are not None. Raises AppNotFound."""
    wanted = definition.App(metadata=definition.Meta(id=identifier, labels=labels), spec=spec)
    return (yield from _replace(settings, wanted, reason, keep_labels=labels is None))


def _replace(settings: Settings, wanted: definition.App, reason: str, *, keep_labels: bool) -> Flow[Written]:
    refused_at, uncertain = None, False
    for attempt in range(1, ROUNDS + 1):
        stored = yield from after_doubt(uncertain, _stored(settings, wanted.metadata.id))
        merged = _merged(stored, wanted, keep_labels)
        if has_content_of(stored, merged) or (refused_at and refused_at == stored.metadata.revision):
            # in the second case nobody wrote: the plane itself finds nothing to change
            return stored, Baseline.seen(stored)
        try:
            return (yield from after_doubt(uncertain, update(settings, merged, reason, before=stored)))
        except Conflict as conflict:
            if attempt == ROUNDS:
                raise
            uncertain = uncertain or conflict.maybe_applied
            refused_at = stored.metadata.revision
        yield Sleep(settings.retries.pause(attempt))
    raise AssertionError("the last round returns or raises")


def _stored(settings: Settings, identifier: definition.Identifier) -> Flow[definition.App]:
    return (yield from as_it_is(settings, (yield from get(settings, identifier))))


def _merged(stored: definition.App, wanted: definition.App, keep_labels: bool) -> definition.App:
    """What to send: the wanted content at the stored revision, keeping what the wanted app leaves out."""
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
    """Whether the stored app is what the sent one asks for: spec, labels and code.

    The creator is the plane's, and so is an ingress that was left out. A plane without revisions keeps the spec alone.
    """
    spec = definition.Spec()
    spec.CopyFrom(sent.spec)
    for filled in ("creator", "ingress"):
        if filled == "creator" or not spec.ingress.ByteSize():
            spec.ClearField(filled)
            if stored.spec.HasField(filled):
                getattr(spec, filled).CopyFrom(getattr(stored.spec, filled))
    if not conditions.has_revisions(stored):
        return spec == stored.spec
    return (
        spec == stored.spec
        and dict(sent.metadata.labels) == dict(stored.metadata.labels)
        and sent.metadata.code_bundle_uri == stored.metadata.code_bundle_uri
        and sent.metadata.source_code == stored.metadata.source_code
    )


def update(settings: Settings, app: definition.App, reason: str, before: definition.App | None = None) -> Flow[Written]:
    """Updates the app as sent, revision included. `before`: what was read before it, where something was.

    Raises Conflict; its `maybe_applied` tells whether an attempt whose answer got lost may have been applied, and
    another writer came after it.
    """
    try:
        response = yield from call(settings, UPDATE, payload.UpdateRequest(app=app, reason=reason), app.metadata.id)
        if response.app.metadata.revision == app.metadata.revision:
            response.app.metadata.revision = 0  # as it was sent: the plane counts none
        return response.app, Baseline.written(response.app, before)
    except Conflict as conflict:
        if not conflict.maybe_applied:
            raise
        stored = yield from after_doubt(True, get(settings, app.metadata.id))
        sent, there = app.metadata.revision, stored.metadata.revision
        if has_content_of(stored, app) and sent in (0, there - 1):
            return stored, Baseline.written(stored, before)
        if sent:  # at sent + 1 another write stands in its place; beyond, ours may lie under the others
            conflict.maybe_applied = there > sent + 1
        raise


def delete(settings: Settings, identifier: definition.Identifier) -> Flow[None]:
    """Deletes the app; an absent one is no error."""
    try:
        yield from call(settings, DELETE, payload.DeleteRequest(app_id=identifier))
    except AppNotFound:
        return
