"""Update, many in a row and of apps that move: row UP-2, creator and revision.

What the plane owns stays the plane's whatever a client sends, in whatever state the app is, and however often.
"""

from __future__ import annotations

from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common.identity_pb2 import EnrichedIdentity

from flyteapps_contract.checks.support.clusters import Cluster
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect_equal
from flyteapps_contract.session import (
    ACTIVE,
    ASSIGNED,
    DEPLOYING,
    FAILED,
    PENDING,
    RUN,
    STOP,
    STOPPED,
    Session,
    copy,
    preparing,
    status_name,
)

MANY = 24
"""Updates in a row: the revision has a second digit then, and passes 16."""


@check("UP-2")
def a_long_row_of_updates_raises_the_revision_by_one_each(s: Session) -> None:
    """However many updates there are, each raises the revision by exactly 1: in the answer, Get, List and a watch."""
    app = s.given_stopped()
    watcher = s.watch(app_id=app.metadata.id)
    with preparing("reading the snapshot"):
        watcher.until(lambda seen: seen.app == app, "the snapshot")
    for number in range(MANY):
        sent = copy(app)
        sent.metadata.labels["n"] = str(number)
        sent.metadata.revision = app.metadata.revision if number % 2 else 0
        after = s.update(sent)
        expect_equal(after.metadata.revision, number + 2, f"the revision after {number + 1} updates")
        expect_equal(s.get(app.metadata.id), after, f"Get after {number + 1} updates")
        expect_equal(watcher.next("the event of an update").app, after, f"the event of update {number + 1}")
        app = after
    listed = [each for each in s.list().apps if each.metadata.id == app.metadata.id]
    expect_equal(listed, [app], f"List after {MANY} updates")


@check("UP-2")
def every_kind_of_update_raises_the_revision_by_one(s: Session) -> None:
    """An update of any kind, with a reason or without, raises the revision by 1; none counts twice."""
    app = s.given_stopped()
    changes: tuple[Callable[[model.App], object], ...] = (
        lambda app: app.metadata.labels.update(a="b"),
        lambda app: setattr(app.metadata, "code_bundle_uri", "s3://bundle"),
        lambda app: setattr(app.metadata.source_code, "link", "https://source.example"),
        lambda app: app.spec.container.args.append("--more"),
        lambda app: setattr(app.spec.profile, "name", "profile"),
        lambda app: app.spec.links.add(path="/x", title="x"),
        lambda app: setattr(app.spec, "cluster_pool", s.name("-pool")),
        lambda app: setattr(app.spec, "desired_state", RUN),
        lambda app: setattr(app.spec.autoscaling.replicas, "max", 3),
        lambda app: setattr(app.spec, "desired_state", STOP),
        lambda app: app.metadata.labels.clear(),
    )
    for number, change in enumerate(changes):
        for reason in ("", "because"):
            sent = copy(app)
            change(sent)
            sent.spec.container.image = f"img:{number}{reason}"
            after = s.update(sent, reason)
            expect_equal(after.metadata.revision, app.metadata.revision + 1, "the revision after an update")
            app = after


@check("UP-2")
def an_update_in_any_state_raises_the_revision_by_one(s: Session) -> None:
    """In each state that a cluster has an app in, reports leave the revision, and an update raises it by 1."""
    for status in (ASSIGNED, PENDING, DEPLOYING, ACTIVE, FAILED, STOPPED):
        mine = Cluster(s)
        app = mine.given(status)
        expected = 2 if status == STOPPED else 1
        expect_equal(app.metadata.revision, expected, f"the revision of an app that is {status_name(status)}")
        for number in range(2):
            sent = copy(app)
            sent.metadata.labels["n"] = str(number)
            if number:
                sent.spec.desired_state = RUN if app.spec.desired_state == STOP else STOP
            after = s.update(sent)
            what = f"the revision after an update of an app that was {status_name(status)}"
            expect_equal(after.metadata.revision, expected + number + 1, what)
            expect_equal(after.spec.creator, app.spec.creator, f"the creator of an app that was {status_name(status)}")
            app = after
        if status == PENDING:
            app = mine.given_reports(app, STOPPED)
            expect_equal(app.metadata.revision, expected + 2, "the revision after a report")


@check("UP-2")
def any_creator_stays_through_any_update(s: Session) -> None:
    """A creator, user or application, with all of its fields, stays as it was stored, whatever creator is sent."""
    for kind in ("user", "application", ""):
        new = s.app(state=STOP)
        if kind == "user":
            new.spec.creator.user.id.subject = "alice"
            new.spec.creator.user.spec.email = "alice@example.com"
        elif kind == "application":
            new.spec.creator.application.id.subject = "robot"
            new.spec.creator.application.spec.name = "Robot"
        app = s.given(new)
        for number, creator in enumerate(_creators(app)):
            for state in (STOP, RUN):
                sent = copy(app)
                sent.metadata.revision = 0
                sent.spec.container.image = f"img:{number}"
                sent.spec.desired_state = state
                sent.spec.cluster_pool = s.name("-pool")
                sent.spec.creator.CopyFrom(creator)
                if not creator.WhichOneof("principal"):
                    sent.spec.ClearField("creator")
                after = s.update(sent)
                for what, got in (("an update", after), ("Get after an update", s.get(app.metadata.id))):
                    expect_equal(got.spec.creator, app.spec.creator, f"the creator in {what}")


def _creators(app: model.App) -> list[EnrichedIdentity]:
    """Return creators that a client may send: another user, an application, none, and its own with more in it."""
    user, robot, more = model.Spec(), model.Spec(), model.Spec()
    user.creator.user.id.subject = "somebody-else"
    robot.creator.application.id.subject = "another-robot"
    more.creator.CopyFrom(app.spec.creator)
    if more.creator.HasField("application"):
        more.creator.application.spec.name = "renamed"
    else:
        more.creator.user.spec.first_name = "renamed"
    return [user.creator, robot.creator, model.Spec().creator, more.creator]
