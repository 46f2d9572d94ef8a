"""Create, Update and Delete in flyte-oss: rows OSS-7 to OSS-11, OSS-16 to OSS-20, OSS-76."""

from __future__ import annotations

from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.checks.support.oss import (
    changed,
    given_watched,
    listed,
    next_of,
    resource,
    rests,
    shown,
    stopped,
)
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import Refused
from flyteapps_contract.session import RUN, SERVICE, STARTED, STOP, Session, statuses
from flyteapps_contract.streams import PATIENCE
from flyteapps_contract.targets.target import CALL_SECONDS


@check("OSS-7")
def create_replaces_what_exists(s: Session) -> None:
    """Create of an id that exists is OK, whether the app was touched since or not, and the app is the new one."""
    app = s.given_active()
    s.create(changed(app, "img:2"))
    expect_equal(shown(s, app.metadata.id).spec.container.image, "img:2", "the image after a second Create")
    s.create(changed(app, "img:3"))
    expect_equal(shown(s, app.metadata.id).spec.container.image, "img:3", "the image after a third Create")


@check("OSS-8")
def a_create_that_changes_no_spec_writes_nothing(s: Session) -> None:
    """Create with the stored spec is OK, gives back what was sent, and changes neither the org nor anything else."""
    _writes_nothing(s, s.create)


@check("OSS-8")
def an_update_that_changes_no_spec_writes_nothing(s: Session) -> None:
    """Update with the stored spec is OK, gives back what was sent, and changes neither the org nor anything else."""
    _writes_nothing(s, s.update)


@check("OSS-76")
def the_cluster_of_a_spec_is_stored(s: Session) -> None:
    """spec.cluster comes back from Create, Get, List and Update as it was sent; another one is another spec."""
    app = s.app()
    app.spec.cluster = "east"
    made = s.create(app)
    expect_equal(made.spec.cluster, "east", "spec.cluster in the response of Create")
    expect_equal(s.get(app.metadata.id).spec.cluster, "east", "spec.cluster that Get gives")
    expect_equal(shown(s, app.metadata.id).spec.cluster, "east", "spec.cluster that List gives")
    app.spec.cluster = "west"
    expect_equal(s.update(app).spec.cluster, "west", "spec.cluster in the response of Update")
    expect_equal(shown(s, app.metadata.id).spec, app.spec, "the spec after an update of its cluster alone")


def _writes_nothing(s: Session, write: Callable[[model.App], model.App]) -> None:
    app, watcher = given_watched(s)
    same = changed(app, app.spec.container.image)
    same.metadata.id.org = "elsewhere"
    same.metadata.labels["new"] = "label"
    expect_equal(write(same).metadata, same.metadata, "the metadata in the response")
    expect_equal(shown(s, app.metadata.id), app, "the app after a write with the same spec")
    s.update(changed(app, "img:next"))
    image = next_of(s, watcher, "the next change").app.spec.container.image
    expect_equal(image, "img:next", "the image in the first event after a write that changed nothing")


@check("OSS-8")
def another_desired_state_is_another_spec(s: Session) -> None:
    """STARTED instead of ACTIVE changes the spec, and is written."""
    app = s.given_active()
    other = changed(app, app.spec.container.image)
    other.spec.desired_state = STARTED if app.spec.desired_state == RUN else RUN
    s.update(other)
    expect_equal(shown(s, app.metadata.id).spec, other.spec, "the spec with another desired state")


@check("OSS-9")
def create_starts_a_stopped_app(s: Session) -> None:
    """Create of a stopped app, with the spec that it has, starts it."""
    app = s.given_active()
    stopped(s, app)
    s.create(changed(app, app.spec.container.image))
    found = shown(s, app.metadata.id)
    expect_equal(found.spec.desired_state, app.spec.desired_state, "the desired state of an app created again")
    expect("STOPPED" not in statuses(found), f"an app created again should start, and shows {statuses(found)}")
    s.until(app.metadata.id, rests)


@check("OSS-10", needs=("cluster",))
def an_app_created_as_stopped_runs(s: Session) -> None:
    """An app created with desired state STOPPED becomes active, and its spec goes on saying STOPPED."""
    app = s.app(state=STOP)
    expect_equal(s.create(app).spec.desired_state, STOP, "the desired state in the response")
    found = s.until(app.metadata.id, rests)
    expect_equal(found.spec.desired_state, STOP, "the desired state of an app that runs")


@check("OSS-11")
def create_gives_the_request_back(s: Session) -> None:
    """The response of Create is the app as it was sent, labels and revision too, with the ingress as its status."""
    app = s.app(labels={"a": "b"})
    app.metadata.revision = 7
    app.spec.creator.user.id.subject = "somebody"
    app.status.assigned_cluster, app.status.current_replicas = "theirs", 7
    made = s.create(app)
    expect_equal(made.metadata, app.metadata, "the metadata in the response")
    expect_equal(made.spec, app.spec, "the spec in the response")
    made.status.ClearField("ingress")
    expect_equal(made.status, model.Status(), "the status in the response, but for its ingress")


@check("OSS-16")
def an_update_creates_what_is_absent(s: Session) -> None:
    """Update of an absent app creates it."""
    app = s.app()
    s.may_have(app.metadata.id)
    s.update(app)
    expect_equal(shown(s, app.metadata.id).spec, app.spec, "the spec of an app that an update created")


@check("OSS-16")
def stopping_what_is_absent_is_not_found(s: Session) -> None:
    """Update of an absent app to STOPPED is NOT_FOUND, and creates nothing."""
    app = s.app(state=STOP)
    opening = f"KService {resource(app.metadata.id)} not found"
    with expect_refusal("NOT_FOUND", "stopping an absent app", opening=opening):
        s.update(app)
    expect(listed(s, app.metadata.id) is None, "stopping an absent app should not create it")


@check("OSS-17")
def no_revision_is_checked(s: Session) -> None:
    """An update with any revision is taken; its response is the request, with the status as it is."""
    app = s.given_active()
    for image, revision in (("img:2", 99), ("img:3", 1), ("img:3", 0)):
        new = changed(app, image)
        new.metadata.revision = revision
        new.metadata.labels["n"] = str(revision)
        answer = s.update(new)
        expect_equal(answer.metadata, new.metadata, "the metadata in the response of Update")
        expect_equal(answer.spec, new.spec, "the spec in the response of Update")
        expect_equal(answer.status.ingress, app.status.ingress, "the ingress in the response of Update")
    expect_equal(shown(s, app.metadata.id).metadata.revision, 0, "the revision that is shown")


@check("OSS-17")
def stopping_again_is_ok(s: Session) -> None:
    """Stopping an app that is stopped is OK, and so is an update to the spec that it has."""
    app = stopped(s, s.given_active())
    for _ in range(2):
        expect_equal(statuses(s.update(app, "again")), ["STOPPED"], "the conditions in the response")


@check("OSS-18", needs=("conflicting",))
def a_write_that_meets_the_clusters_is_internal(s: Session) -> None:
    """It is refused with the resource's name and changes nothing; the next write is taken."""
    app = s.app(labels=s.capabilities.conflicting)
    for key, value in s.capabilities.conflicting.items():
        app.spec.container.env.add(key=key, value=value)
    s.create(app)
    before = s.until(app.metadata.id, rests)
    new = changed(before, "img:2")
    opening = f"failed to update KService {resource(app.metadata.id)}: Operation cannot be fulfilled"
    with expect_refusal("INTERNAL", "the first write", opening=opening):
        s.plane.link.unary(SERVICE, "Update", rpc.UpdateRequest(app=new), rpc.UpdateResponse, CALL_SECONDS)
    expect_equal(shown(s, app.metadata.id).spec, before.spec, "the spec after a write that was refused")
    s.plane.link.unary(SERVICE, "Update", rpc.UpdateRequest(app=new), rpc.UpdateResponse, CALL_SECONDS)
    expect_equal(shown(s, app.metadata.id).spec, new.spec, "the spec after the next write")


@check("OSS-19")
def there_is_no_update_status(s: Session) -> None:
    """UpdateStatus is UNIMPLEMENTED, whatever it holds."""
    for app in (model.App(), s.given()):
        with expect_refusal("UNIMPLEMENTED", "UpdateStatus", says=("AppService.UpdateStatus is not implemented",)):
            s.call("UpdateStatus", rpc.UpdateStatusRequest(app=app), rpc.UpdateStatusResponse)


@check("OSS-19")
def there_is_no_lease(s: Session) -> None:
    """Lease is UNIMPLEMENTED."""
    queue_stream = s.plane.link.stream(SERVICE, "Lease", rpc.LeaseRequest(id=s.cluster("c")), rpc.LeaseResponse)
    try:
        with expect_refusal("UNIMPLEMENTED", "Lease", says=("AppService.Lease is not implemented",)):
            queue_stream.next(PATIENCE)
    finally:
        queue_stream.close()


@check("OSS-20")
def what_is_absent_or_runs_can_be_deleted(s: Session) -> None:
    """Delete of an absent app, of one that runs, and of the same again, is OK; the app is gone."""
    s.delete(s.id())
    app = s.given_active()
    for _ in range(2):
        s.delete(app.metadata.id)
        expect(listed(s, app.metadata.id) is None, "an app that was deleted should not be listed")
    with expect_refusal("NOT_FOUND", "Get of an app that was deleted"):
        s.get(app.metadata.id)


@check("OSS-20")
def a_deleted_app_can_be_created_again(s: Session) -> None:
    """It begins anew, without conditions, and becomes active."""
    app = s.given_active()
    s.delete(app.metadata.id)
    new = changed(app, "img:2")
    s.create(new)
    try:
        expect_equal(s.get(app.metadata.id).spec, new.spec, "the spec of an app that was created again")
    except Refused as error:
        expect(False, f"an app that was created again should be there: {error}")
    s.until(app.metadata.id, rests)
