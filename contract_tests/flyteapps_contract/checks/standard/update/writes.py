"""Update, what it writes and what it refuses: rows UP-1 to UP-4; UP-5 to UP-7 are in update_conditions.py.

Apps are stopped ones wherever the row allows: nothing but the check moves them.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.checks.support.update_requests import DIFFERENCES, anew, foreign_status, rich
from flyteapps_contract.expectations import Refusal, expect, expect_equal, expect_refusal
from flyteapps_contract.model.updates import OPENING, updated
from flyteapps_contract.outcomes import Broken, Refused
from flyteapps_contract.session import FAILED, RUN, STARTED, STOP, UNSPECIFIED, Session, copy, statuses

# ---- UP-1


@check("UP-1")
def an_absent_app_is_not_updated(s: Session) -> None:
    """Updating an id that never was is NOT_FOUND and creates nothing, whatever revision and state are sent."""
    absent = s.id()
    with s.unchanged(absent=[absent]):
        for state in (RUN, STOP):
            for revision in (0, 1, 7):
                sent = s.app(absent.name, state=state)
                sent.metadata.revision = revision
                with expect_refusal("NOT_FOUND", "Update of an absent app"):
                    s.update(sent)


@check("UP-1")
def a_deleted_app_is_not_updated(s: Session) -> None:
    """Updating a deleted app is NOT_FOUND and doesn't bring it back."""
    app = s.given_stopped()
    s.given_deleted(app)
    with s.unchanged(absent=[app.metadata.id]):
        for sent in (app, s.app(app.metadata.id.name)):
            with expect_refusal("NOT_FOUND", "Update of a deleted app"):
                s.update(sent)


# ---- UP-2


@check("UP-2")
def an_update_raises_the_revision_by_one(s: Session) -> None:
    """Each update raises the revision by exactly 1, and is what Get gives then."""
    app = s.given_stopped()
    for number in range(4):
        sent = anew(s, app, image=f"img:2.{number}")
        sent.metadata.revision = app.metadata.revision if number % 2 else 0
        after = s.update(sent)
        expect_equal(after.metadata.revision, app.metadata.revision + 1, "the revision after an update")
        expect_equal(s.get(app.metadata.id), after, "Get after the update")
        app = after


@check("UP-2")
def an_update_replaces_what_is_the_clients(s: Session) -> None:
    """Spec, labels, code_bundle_uri and source_code are as sent, none of it merged, also where they are empty."""
    app = s.given_stopped()
    for sent in (rich(s, app, "1"), rich(s, app, "2"), anew(s, app), rich(s, app, "1")):
        expected = updated(app, sent)
        after = s.update(sent)
        for what, got in (("the answer", after), ("Get", s.get(app.metadata.id))):
            expect_equal(got.metadata, expected.metadata, f"the metadata of {what}")
            expect_equal(got.spec, expected.spec, f"the spec of {what}")
        app = after


@check("UP-2")
def an_update_of_an_app_that_should_run_replaces_the_same(s: Session) -> None:
    """Metadata and spec of an app that should run are replaced likewise, and the cluster leaves them alone."""
    app = s.given()
    sent = anew(s, app, image="img:2", labels={"a": "b"})
    expected = updated(app, sent)
    after = s.update(sent)
    for got in (after, s.get(app.metadata.id)):
        expect_equal(got.metadata, expected.metadata, "the metadata")
        expect_equal(got.spec, expected.spec, "the spec")


@check("UP-2")
def creation_stays(s: Session) -> None:
    """created_at and creator stay, whatever creator the client sends."""
    app = s.given_stopped()
    other = anew(s, app, image="img:2")
    other.spec.creator.user.id.subject = "somebody-else"
    robot = anew(s, app, image="img:3")
    robot.spec.creator.application.id.subject = "a-robot"
    robot.status.created_at.FromSeconds(1)
    for sent in (other, robot, anew(s, app, image="img:4")):
        after = s.update(sent)
        expect_equal(after.spec.creator, app.spec.creator, "the creator after an update")
        expect_equal(after.status.created_at, app.status.created_at, "created_at after an update")


@check("UP-2")
def an_ingress_stays_until_another_is_sent(s: Session) -> None:
    """An absent or default ingress keeps the stored one, generated or given; any other is stored as it was sent."""
    app = s.given_stopped()
    given = model.IngressConfig(private=True, subdomain=s.name().lower())
    for number, ingress in enumerate((None, model.IngressConfig(), given, None, model.IngressConfig())):
        sent = anew(s, app, image=f"img:2.{number}")
        if ingress is not None:
            sent.spec.ingress.CopyFrom(ingress)
        after = s.update(sent)
        expect_equal(after.spec.ingress, updated(app, sent).spec.ingress, f"the stored ingress after {ingress!r}")
        app = after


@check("UP-2")
def an_update_sets_last_updated_at(s: Session) -> None:
    """last_updated_at is later after each update, whatever time the client sends."""
    app = s.given_stopped()
    for number in range(3):
        sent = copy(app)
        sent.spec.container.image = f"img:2.{number}"
        if number == 1:
            sent.status.last_updated_at.FromSeconds(4_000_000_000)
        after = s.update(sent)
        before, now = (each.status.last_updated_at.ToNanoseconds() for each in (app, after))
        expect(before < now, f"last_updated_at should be later after an update: {before} ns, then {now} ns")
        expect(now < 4_000_000_000 * 10**9, "last_updated_at is the client's")
        app = after


@check("UP-2")
def the_status_is_the_planes(s: Session) -> None:
    """The status that a client sends, wrong or empty, is ignored."""
    app = s.given_stopped()
    for number, status in enumerate((foreign_status(), model.Status())):
        sent = anew(s, app, image=f"img:2.{number}")
        sent.status.CopyFrom(status)
        after = s.update(sent)
        _expect_own_status(app, after)
        _expect_own_status(app, s.get(app.metadata.id))
        app = after


@check("UP-2", needs=("cluster",))
def the_status_of_a_running_app_is_the_planes(s: Session) -> None:
    """An update that is sent without a status, or with a wrong one, takes no running app from its cluster."""
    app = s.given_active()
    for number, status in enumerate((model.Status(), foreign_status())):
        sent = anew(s, app, image=f"img:2.{number}")
        sent.status.CopyFrom(status)
        after = s.update(sent)
        for name in ("assigned_cluster", "created_at"):
            expect_equal(getattr(after.status, name), getattr(app.status, name), f"{name} after an update")
        expect_equal(statuses(after)[: len(app.status.conditions)], statuses(app), "the conditions before the update's")


# ---- UP-3


@check("UP-3")
def another_revision_is_aborted(s: Session) -> None:
    """A revision that is neither 0 nor the stored one is ABORTED, names both, and changes nothing."""
    app = s.given_update(anew(s, s.given_update(anew(s, s.given_stopped(), image="img:2")), image="img:3"))
    stored = app.metadata.revision
    with s.unchanged(app):
        for revision in (stored - 1, stored - 2, stored + 1, stored + 1000, 2**31, 2**63, 2**64 - 1):
            for state in (STOP, RUN):
                sent = s.app(app.metadata.id.name, image="img:9", state=state)
                sent.metadata.revision = revision
                with _expect_aborted(f"Update with revision {revision} of {stored}") as refusal:
                    s.update(sent)
                _expect_names(refusal.message, revision, stored)


@check("UP-3")
def revision_0_and_the_stored_one_are_taken(s: Session) -> None:
    """Revision 0 means whatever is there; the stored one is taken, once."""
    app = s.given_stopped()
    for number, revision in enumerate((0, app.metadata.revision + 1, 0)):
        sent = anew(s, app, image=f"img:2.{number}")
        sent.metadata.revision = revision
        app = s.update(sent)
        expect_equal(app.spec.container.image, f"img:2.{number}", f"the image after an update with revision {revision}")
    sent = anew(s, app, image="img:3")
    sent.metadata.revision = app.metadata.revision
    app = s.update(sent)
    sent.spec.container.image = "img:4"
    with s.unchanged(app), _expect_aborted("an Update with the revision of before"):
        s.update(sent)


@check("UP-3")
def the_revision_is_looked_at_first(s: Session) -> None:
    """An update without a change and with another revision is refused for its revision: the message names both."""
    app = s.given_update(anew(s, s.given_stopped(), image="img:2"))
    with s.unchanged(app):
        for revision in (app.metadata.revision - 1, app.metadata.revision + 1):
            sent = copy(app)
            sent.metadata.revision = revision
            with _expect_aborted(f"Update without a change, with revision {revision}") as refusal:
                s.update(sent)
            _expect_names(refusal.message, revision, app.metadata.revision)


# ---- UP-4


@check("UP-4")
def an_update_without_a_change_is_aborted(s: Session) -> None:
    """The stored app sent back is ABORTED, whatever its status, revision 0 or its own: no new revision, no event."""
    app = s.given_update(rich(s, s.given_stopped(), "1"))
    bare, foreign, unrevised = copy(app), copy(app), copy(app)
    bare.ClearField("status")
    foreign.status.CopyFrom(foreign_status())
    unrevised.metadata.revision = 0
    with s.unchanged(app):
        for sent in (app, bare, foreign, unrevised):
            for reason in ("", "once more"):
                with _expect_aborted("Update without a change"):
                    s.update(sent, reason)


@check("UP-4")
def what_the_plane_fills_is_no_change(s: Session) -> None:
    """An ingress that is absent or default and a creator that is absent or another's make no change."""
    app = s.given_stopped()
    empty = anew(s, app)
    empty.spec.ingress.SetInParent()
    other = anew(s, app)
    other.spec.creator.user.id.subject = "somebody-else"
    with s.unchanged(app):
        for sent in (anew(s, app), empty, other):
            with _expect_aborted("Update without a change, save what the plane fills"):
                s.update(sent)


@check("UP-4")
def the_order_of_labels_is_no_change(s: Session) -> None:
    """The same labels in another order are no change."""
    labels = {f"key-{number}": str(number) for number in range(30)}
    app = s.given_stopped(labels=labels)
    with s.unchanged(app):
        for keys in (sorted(labels), sorted(labels, reverse=True), sorted(labels, key=lambda key: key[::-1])):
            with _expect_aborted("Update with the labels in another order"):
                s.update(anew(s, app, labels={key: labels[key] for key in keys}))


@check("UP-4")
def the_same_desired_state_twice_is_aborted(s: Session) -> None:
    """A second stop and a second start are ABORTED, before and after the cluster obeyed."""
    for app in (s.given_stopped(), s.given()):
        for reason in ("", "again"):
            sent = copy(app)
            sent.metadata.revision = 0
            with _expect_aborted("Update to the same desired state"):
                s.update(sent, reason)
        expect_equal(s.get(app.metadata.id).metadata.revision, app.metadata.revision, "the revision")


@check("UP-4")
def every_difference_is_a_change(s: Session) -> None:
    """One difference in spec, labels, code_bundle_uri or source_code is a change: none is ABORTED."""
    app = s.given_update(rich(s, s.given_stopped(), "1"))
    for what, change in DIFFERENCES.items():
        sent = copy(app)
        change(sent)
        try:
            after = s.update(sent)
        except Refused as error:
            raise Broken(f"an Update that changes nothing but {what}: refused with {error}") from error
        expect_equal(after.metadata.revision, app.metadata.revision + 1, f"the revision after a change of {what}")
        app = after


@check("UP-4")
def words_for_running_are_distinct(s: Session) -> None:
    """STARTED, ACTIVE and UNSPECIFIED differ as desired states, though each means "run": a change is no ABORTED."""
    app = s.given()
    for state in (STARTED, UNSPECIFIED, RUN):
        sent = copy(app)
        sent.spec.desired_state = state
        after = s.update(sent)
        expect_equal(after.metadata.revision, app.metadata.revision + 1, "the revision")
        expect_equal(after.spec.desired_state, state, "the desired state")
        app = after


# ---- expectations


def _expect_aborted(what: str) -> AbstractContextManager[Refusal]:
    return expect_refusal("ABORTED", what, opening=OPENING)


def _expect_names(message: str, *revisions: int) -> None:
    for revision in revisions:
        named = re.search(rf"(?<![\w-]){revision}(?![\w-])", message)
        expect(named, f"the message should name revision {revision}: {message}")


def _expect_own_status(before: model.App, after: model.App) -> None:
    """Return what a client may not set is as it was, save what an update does to a stopped app."""
    for name in ("assigned_cluster", "current_replicas", "created_at", "lease_expiration", "k8s_metadata"):
        expect_equal(getattr(after.status, name), getattr(before.status, name), f"status.{name} after an update")
    for name in ("materialized_inputs", "last_started_at", "last_assigned_cluster"):
        expect_equal(getattr(after.status, name), getattr(before.status, name), f"status.{name} after an update")
    foreign = foreign_status()
    expect(after.status.ingress.public_url != foreign.ingress.public_url, "status.ingress is the client's")
    expect(after.status.last_updated_at != foreign.last_updated_at, "status.last_updated_at is the client's")
    expect(statuses(after)[: len(before.status.conditions)] == statuses(before), "conditions were replaced")
    expect(FAILED not in [each.deployment_status for each in after.status.conditions], "a condition is the client's")
