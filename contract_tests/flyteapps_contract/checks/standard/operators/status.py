"""UpdateStatus: rows US-0 to US-6.

Each check is a cluster of its own (clusters.py), so that no other reports on its apps.
"""

from __future__ import annotations

from collections.abc import Callable

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.clusters import Cluster, counter
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.checks.support.update_requests import foreign_status
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.model import lifecycle, reports
from flyteapps_contract.session import (
    ACTIVE,
    ASSIGNED,
    DEPLOYING,
    FAILED,
    PENDING,
    STOP,
    STOPPED,
    UNASSIGNED,
    Session,
    copy,
    last_status,
    status_name,
)

S = model.Status
STATUSES = (UNASSIGNED, ASSIGNED, PENDING, DEPLOYING, ACTIVE, FAILED, STOPPED)
TIMES = 3


# ---- US-0


@check("US-0")
def the_cluster_owns_five_things(s: Session) -> None:
    """Of a report are taken the last condition, current_replicas, k8s_metadata, materialized_inputs and vpc_url."""
    mine = Cluster(s)
    app = mine.given(PENDING)
    sent = mine.message(app, DEPLOYING, message="first", replicas=3)
    sent.status.conditions.add(deployment_status=ACTIVE, substate=S.RUNNING, message="last")
    sent.status.k8s_metadata.namespace = "space"
    sent.status.materialized_inputs.items.add(name="data").artifact_id.version = "v7"
    sent.status.materialized_inputs.revision = 1
    sent.status.ingress.vpc_url = f"https://{app.metadata.id.name.lower()}.vpc.example"
    after = s.update_status(sent)
    expected = copy(app)
    expected.status.conditions.append(after.status.conditions[-1])
    expected.status.current_replicas = 3
    expected.status.k8s_metadata.CopyFrom(sent.status.k8s_metadata)
    expected.status.materialized_inputs.CopyFrom(sent.status.materialized_inputs)
    expected.status.ingress.vpc_url = sent.status.ingress.vpc_url
    expected.status.last_started_at.CopyFrom(after.status.conditions[-1].last_transition_time)
    expect_equal(after, expected, "the app after a report")
    expect_equal(after.status.conditions[-1].message, "last", "the message of the condition that was taken")
    expect_equal(s.get(app.metadata.id), after, "Get after a report")
    expect_equal(s.get_by_ingress(vpc_url=sent.status.ingress.vpc_url), after, "Get by the reported vpc_url")


@check("US-0")
def the_rest_of_a_report_is_ignored(s: Session) -> None:
    """Metadata, spec and whatever else of the status a report changes stay as they are."""
    mine = Cluster(s)
    app = mine.given(PENDING)
    sent = mine.message(app, None)
    sent.metadata.labels["new"] = "label"
    sent.metadata.code_bundle_uri = "s3://another"
    sent.spec.container.image = "another:1"
    sent.spec.desired_state = model.Spec.DESIRED_STATE_STOPPED
    foreign = foreign_status()
    for field in ("created_at", "last_updated_at", "lease_expiration", "last_started_at"):
        getattr(sent.status, field).CopyFrom(getattr(foreign, field))
    sent.status.last_assigned_cluster = foreign.last_assigned_cluster
    sent.status.ingress.public_url = foreign.ingress.public_url
    with s.unchanged(app):
        expect_equal(s.update_status(sent), app, "the app after a report that holds nothing which is a cluster's")


@check("US-0")
def a_condition_is_stamped_by_the_plane(s: Session) -> None:
    """Of the condition are taken status, substate and message; its time, deployment_id and revision are the plane's."""
    mine = Cluster(s)
    app = mine.given(PENDING)
    sent = mine.message(app, DEPLOYING, substate=S.INITIALIZING, message="m")
    condition = sent.status.conditions[0]
    condition.last_transition_time.FromSeconds(1)
    condition.deployment_id = "mine"
    after = s.update_status(sent).status.conditions[-1]
    before = app.status.conditions[-1]
    expect_equal(
        (after.deployment_status, after.substate, after.message),
        (DEPLOYING, S.INITIALIZING, "m"),
        "what was taken of a condition",
    )
    expect(_time(after) > _time(before), "the time of a condition should be later than that of the one before")
    expect_equal(after.deployment_id, before.deployment_id, "the deployment_id of the same spec")
    expect_equal(after.revision, before.revision + 1, "the revision of a condition")


@check("US-0")
def a_report_has_to_be_valid_and_of_an_app(s: Session) -> None:
    """An invalid report is INVALID_ARGUMENT, one on an absent app NOT_FOUND, one without a cluster is refused."""
    mine = Cluster(s)
    app = mine.given(PENDING)
    bad_id, bad_spec, nobody = (mine.message(app, ACTIVE) for _ in range(3))
    bad_id.metadata.id.ClearField("project")
    bad_spec.ClearField("spec")
    nobody.status.assigned_cluster = ""
    with s.unchanged(app):
        for what, sent in (("an id without a project", bad_id), ("no spec", bad_spec)):
            with expect_refusal("INVALID_ARGUMENT", f"a report with {what}"):
                s.update_status(sent)
        with expect_refusal("FAILED_PRECONDITION", "a report that names no cluster"):
            s.update_status(nobody)
        with expect_refusal("NOT_FOUND", "a report on an absent app"):
            mine.report(s.app(), ACTIVE)


# ---- US-1


@check("US-1")
def a_report_on_another_revision_is_aborted(s: Session) -> None:
    """metadata.revision is 0 or the app's; else ABORTED, and nothing changed."""
    mine = Cluster(s)
    app = s.given_update(_anew(mine.given(ACTIVE)))
    with s.unchanged(app):
        for revision in (1, 3):
            with expect_refusal("ABORTED", f"a report on revision {revision} of an app at revision 2"):
                mine.report(app, ACTIVE, revision=revision)
    app = mine.report(app, DEPLOYING, revision=2)
    expect_equal(last_status(mine.report(app, ACTIVE, revision=0)), ACTIVE, "the status after a report on revision 0")


@check("US-1")
def a_report_on_another_condition_is_aborted(s: Session) -> None:
    """The new condition's revision is 0 or the stored counter; else ABORTED, and nothing changed."""
    mine = Cluster(s)
    app = mine.given(PENDING)
    last = counter(app)
    with s.unchanged(app):
        for stale in (last - 1, last + 1):
            with expect_refusal("ABORTED", f"a report on condition {stale} where the counter is {last}"):
                mine.report(app, ACTIVE, counter=stale)
    expect_equal(counter(mine.report(app, ACTIVE, counter=last)), last + 1, "the counter after a report")


@check("US-1")
def the_counter_counts_every_effective_report(s: Session) -> None:
    """The counter grows by 1 with each report that changes anything, also where no condition is appended."""
    mine = Cluster(s)
    app = mine.given(ACTIVE, replicas=1)
    for replicas in (2, 3):
        after = mine.report(app, ACTIVE, replicas=replicas)
        expect_equal(after.status.current_replicas, replicas, "current_replicas as reported")
        expect_equal(len(after.status.conditions), len(app.status.conditions), "the conditions, none is appended")
        expect_equal(counter(after), counter(app) + 1, "the counter, stamped on the last condition")
        expect_equal(_time(after.status.conditions[-1]), _time(app.status.conditions[-1]), "the condition's time")
        app = after


@check("US-1")
def the_counter_is_never_reset(s: Session) -> None:
    """Updates, stops, releases and leases leave the counter growing as long as the app exists."""
    mine = Cluster(s)
    app = mine.given(ACTIVE)
    seen = [counter(app)]
    for _ in range(TIMES):
        stopped = mine.given_stopped(app)
        started = mine.given_started(stopped)
        app = mine.given_reports(started, PENDING, ACTIVE)
        seen += [counter(stopped), counter(started), counter(app)]
    expect_equal(seen, sorted(set(seen)), "the counters, which only grow")


@check("US-1")
def a_condition_is_appended_where_it_differs(s: Session) -> None:
    """Another status, substate or message appends a condition, whose time is later."""
    mine = Cluster(s)
    app = mine.given(PENDING)
    for status, substate, message in (
        (DEPLOYING, S.PULLING_IMAGE, "pulling"),
        (DEPLOYING, S.PULLING_IMAGE, "pulling still"),
        (DEPLOYING, S.INITIALIZING, "pulling still"),
        (ACTIVE, S.RUNNING, "pulling still"),
    ):
        after = mine.report(app, status, substate=substate, message=message)
        expect_equal(len(after.status.conditions), len(app.status.conditions) + 1, "the conditions, one is appended")
        last = after.status.conditions[-1]
        expect_equal(
            (last.deployment_status, last.substate, last.message), (status, substate, message), "the new condition"
        )
        expect(_time(last) > _time(app.status.conditions[-1]), "a new condition should be later than the one before")
        app = after


@check("US-1")
def a_report_that_changes_nothing_is_no_event(s: Session) -> None:
    """The same report again is OK and changes nothing: no condition, no counter, no event."""
    mine = Cluster(s)
    app = mine.given(ACTIVE, substate=S.RUNNING, message="up", replicas=2)
    with s.unchanged(app):
        for _ in range(TIMES):
            again = mine.report(app, ACTIVE, substate=S.RUNNING, message="up", replicas=2)
            expect_equal(again, app, "the app after the same report again")


@check("US-1")
def old_words_are_stored_as_new_ones(s: Session) -> None:
    """STARTED is stored as ACTIVE, SCALING_UP and SCALING_DOWN as ACTIVE with that substate."""
    mine = Cluster(s)
    app = mine.given(PENDING)
    for old, (status, substate) in reports.STORED.items():
        last = mine.report(app, old, message=str(old)).status.conditions[-1]
        expect_equal(
            (last.deployment_status, last.substate), (status, substate), f"what is stored for {status_name(old)}"
        )


# ---- US-2


@check("US-2")
def only_legal_moves_are_taken(s: Session) -> None:
    """From each status a cluster's report leads where the state machine says, else it is FAILED_PRECONDITION."""
    mine = Cluster(s)
    for source in (ASSIGNED, PENDING, DEPLOYING, ACTIVE, FAILED):
        for target in STATUSES:
            app = mine.given(source)
            before = app.status.conditions[-1]
            after = model.Condition(deployment_status=target, message="reported")
            legal = target in REPORTED[source] and lifecycle.may_follow(before, after, renewed=False, stopping=False)
            _expect_move(s, mine, app, target, legal)


@check("US-2")
def a_failed_app_recovers_in_place_as_running(s: Session) -> None:
    """From FAILED an app becomes ACTIVE with RUNNING, and with no other substate."""
    mine = Cluster(s)
    app = mine.given(FAILED)
    with s.unchanged(app):
        for substate in sorted(lifecycle.SUBSTATES[ACTIVE] - {S.RUNNING} | {S.SUBSTATE_UNSPECIFIED}):
            with expect_refusal("FAILED_PRECONDITION", "from FAILED to ACTIVE that doesn't run"):
                mine.report(app, ACTIVE, substate=substate)
    expect_equal(last_status(mine.report(app, ACTIVE, substate=S.RUNNING)), ACTIVE, "the status after it recovered")


@check("US-2")
def an_app_that_should_run_is_not_stopped(s: Session) -> None:
    """STOPPED is taken only of an app whose desired state is STOPPED, and then from each status after ASSIGNED."""
    mine = Cluster(s)
    for status in (PENDING, DEPLOYING, ACTIVE, FAILED):
        app = mine.given(status)
        _expect_move(s, mine, app, STOPPED, False)
        asked = copy(app)
        asked.spec.desired_state = STOP
        _expect_move(s, mine, s.given_update(asked), STOPPED, True)


@check("US-2")
def only_the_holder_reports(s: Session) -> None:
    """A cluster that doesn't hold the app, or any where none does, is refused with FAILED_PRECONDITION."""
    mine, other = Cluster(s), Cluster(s)
    for app in (mine.given(ACTIVE), s.given(mine.app(state=STOP))):
        cluster = other if app.status.assigned_cluster else mine
        with s.unchanged(app), expect_refusal("FAILED_PRECONDITION", "a report of a cluster that doesn't hold the app"):
            cluster.report(app, ACTIVE, message="mine")


@check("US-2")
def a_substate_has_to_qualify_its_status(s: Session) -> None:
    """A substate that doesn't qualify its status is INVALID_ARGUMENT; each that does is taken."""
    mine = Cluster(s)
    deploying = mine.given(DEPLOYING)
    with s.unchanged(deploying):
        for status in (DEPLOYING, ACTIVE, FAILED):
            for substate in S.Substate.values():
                if not lifecycle.qualifies(substate, status):
                    with expect_refusal("INVALID_ARGUMENT", f"{status_name(status)} with {S.Substate.Name(substate)}"):
                        mine.report(deploying, status, substate=substate)
    app = deploying
    for status in (DEPLOYING, ACTIVE, FAILED):
        for substate in sorted(lifecycle.SUBSTATES[status]):
            app = mine.report(app, status, substate=substate)
            last = app.status.conditions[-1]
            expect_equal((last.deployment_status, last.substate), (status, substate), "the condition as reported")


# ---- US-3 to US-6


@check("US-3")
def last_started_at_is_the_first_active_of_a_revision(s: Session) -> None:
    """last_started_at is the time of a revision's first ACTIVE; scaling and recovery in place leave it."""
    mine = Cluster(s)
    app = mine.given(PENDING)
    expect(not app.status.HasField("last_started_at"), "an app that was never ACTIVE has a last_started_at")
    for revision in (1, 2):
        app = mine.report(app, ACTIVE, substate=S.RUNNING, replicas=1)
        started = app.status.conditions[-1].last_transition_time
        expect_equal(app.status.last_started_at, started, f"last_started_at of revision {revision}")
        for status, substate in (
            (ACTIVE, S.SCALING_DOWN),
            (ACTIVE, S.SCALED_TO_ZERO),
            (ACTIVE, S.SCALING_FROM_ZERO),
            (ACTIVE, S.RUNNING),
            (FAILED, S.CRASH_LOOP),
            (ACTIVE, S.RUNNING),
        ):
            app = mine.report(app, status, substate=substate)
            expect_equal(
                app.status.last_started_at, started, f"last_started_at after {status_name(status)} of one revision"
            )
        app = s.given_update(_anew(app))
        expect_equal(app.status.last_started_at, started, "last_started_at after an update")


@check("US-3")
def replicas_are_as_reported(s: Session) -> None:
    """current_replicas is what the last report says, whatever it is."""
    mine = Cluster(s)
    app = mine.given(ACTIVE, substate=S.RUNNING, replicas=1)
    for replicas in (5, 1, 0, 1_000_000):
        app = mine.report(app, ACTIVE, substate=S.RUNNING, replicas=replicas)
        expect_equal(app.status.current_replicas, replicas, "current_replicas as reported")
        expect_equal(s.get(app.metadata.id), app, "Get after a report of replicas")


@check("US-4")
def a_deployment_id_is_the_specs(s: Session) -> None:
    """Each condition carries the deployment_id of its spec: what no cluster sees doesn't change it, all else does."""
    mine = Cluster(s)
    app = mine.given(ACTIVE)
    expected = reports.deployment_id(app.spec)
    expect_equal([each.deployment_id for each in app.status.conditions], [expected] * 4, "the ids of one deployment")
    for what, change in UNSEEN.items():
        asked = _anew(app, change)
        app = mine.given_reports(s.given_update(asked), ACTIVE)
        expect_equal(app.status.conditions[-1].deployment_id, expected, f"the deployment_id with another {what}")
    for what, change in SEEN.items():
        app = mine.given_reports(s.given_update(_anew(app, change)), ACTIVE)
        last = app.status.conditions[-1].deployment_id
        expect_equal(last, reports.deployment_id(app.spec), f"the deployment_id with another {what}")
        expect(last != expected, f"another {what} should change the deployment_id {expected}")
        expected = last


@check("US-5")
def the_last_hundred_conditions_are_kept(s: Session) -> None:
    """At most 100 conditions are kept, the last ones; the counter shows how many were dropped."""
    mine = Cluster(s)
    app = mine.given(ACTIVE)
    first, said = counter(app), reports.KEPT + 20
    for number in range(said):
        app = mine.report(app, ACTIVE, message=f"message {number}")
    kept = [each.message for each in app.status.conditions]
    expected = [f"message {number}" for number in range(said - reports.KEPT, said)]
    expect_equal(kept, expected, "the messages of the conditions that are kept")
    expect_equal(counter(app), first + said, "the counter")
    expect_equal(s.get(app.metadata.id), app, "Get of an app with many conditions")


@check("US-6")
def last_updated_at_moves_with_clients_alone(s: Session) -> None:
    """Create and Update set last_updated_at; leases and reports leave it."""
    mine = Cluster(s)
    made = s.given(mine.app())
    updated = made.status.last_updated_at
    app = mine.leases.take(1)[0]
    for _ in range(2):
        expect_equal(app.status.last_updated_at, updated, "last_updated_at of a leased app")
        for status in (PENDING, DEPLOYING, ACTIVE, FAILED):
            app = mine.report(app, status, replicas=status)
            expect_equal(app.status.last_updated_at, updated, f"last_updated_at after {status_name(status)}")
        before = updated
        app = s.given_update(_anew(app))
        updated = app.status.last_updated_at
        expect(
            (updated.seconds, updated.nanos) > (before.seconds, before.nanos), "an update should move last_updated_at"
        )


# ---- what they share

REPORTED: dict[int, tuple[int, ...]] = {
    ASSIGNED: (PENDING,),
    PENDING: (PENDING, DEPLOYING, ACTIVE, FAILED, STOPPED),
    DEPLOYING: (DEPLOYING, ACTIVE, FAILED, STOPPED),
    ACTIVE: (ACTIVE, FAILED, STOPPED),
    FAILED: (FAILED, STOPPED),
}
"""The statuses after a report without a substate, by the status before."""

Change = Callable[[model.Spec], object]

UNSEEN: dict[str, Change] = {
    "desired state": lambda spec: setattr(spec, "desired_state", model.Spec.DESIRED_STATE_STARTED),
    "profile": lambda spec: setattr(spec.profile, "name", "other"),
    "links": lambda spec: spec.links.add(path="/docs", title="docs"),
    "runtime_metadata": lambda spec: setattr(spec.runtime_metadata, "version", "9"),
    "ingress": lambda spec: setattr(spec.ingress, "private", True),
}
SEEN: dict[str, Change] = {
    "image": lambda spec: setattr(spec.container, "image", "img:9"),
    "scaledown_period": lambda spec: spec.autoscaling.scaledown_period.FromSeconds(7),
    "input": lambda spec: spec.inputs.items.add(name="a", string_value="b"),
    "timeout": lambda spec: spec.timeouts.request_timeout.FromSeconds(9),
}


def _anew(app: model.App, change: Change | None = None) -> model.App:
    """Return the app as a client would update it: with another image, or as `change` has it."""
    asked = copy(app)
    asked.metadata.revision = 0
    if change is None:
        asked.spec.container.image += "-more"
    else:
        change(asked.spec)
    return asked


def _expect_move(s: Session, cluster: Cluster, app: model.App, target: int, legal: bool) -> None:
    if legal:
        after = cluster.report(app, target, message="reported")
        expect_equal(last_status(after), target, f"the status after {status_name(target)} was reported")
        return
    source = status_name(last_status(app))
    with s.unchanged(app), expect_refusal("FAILED_PRECONDITION", f"a report from {source} to {status_name(target)}"):
        cluster.report(app, target, message="reported")


def _time(condition: model.Condition) -> tuple[int, int]:
    return condition.last_transition_time.seconds, condition.last_transition_time.nanos
