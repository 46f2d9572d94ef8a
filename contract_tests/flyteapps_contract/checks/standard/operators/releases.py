"""Reports that leave something out, and releases from every state: rows US-0 and LE-5.

Each check is a cluster of its own (clusters.py), so that no other reports on its apps.
"""

from __future__ import annotations

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.clusters import Cluster
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
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
    last_status,
    status_name,
    statuses,
)

S = model.Status


@check("US-0")
def a_report_keeps_what_it_leaves_out(s: Session) -> None:
    """A part that a report leaves out stays as reported before; current_replicas are what each report says."""
    mine = Cluster(s)
    app = mine.given(DEPLOYING, replicas=2)
    full = mine.message(app, None, replicas=2)
    full.status.k8s_metadata.namespace = "space"
    full.status.materialized_inputs.items.add(name="data").artifact_id.version = "v7"
    full.status.ingress.vpc_url = f"https://{app.metadata.id.name.lower()}.vpc.example"
    known = s.update_status(full)
    for what, sent in (
        ("other replicas alone", mine.message(known, None, replicas=5)),
        ("no replicas", mine.message(known, None, replicas=0)),
        ("another message alone", mine.message(known, DEPLOYING, message="m", replicas=1)),
        ("another status alone", mine.message(known, ACTIVE, replicas=1)),
    ):
        after = s.update_status(sent)
        expect_equal(after.status.current_replicas, sent.status.current_replicas, f"replicas after a report of {what}")
        for field in ("k8s_metadata", "materialized_inputs", "ingress"):
            expected = getattr(known.status, field)
            expect_equal(getattr(after.status, field), expected, f"status.{field} after a report of {what}")
        expect_equal(s.get(app.metadata.id), after, f"Get after a report of {what}")


@check("US-0")
def each_part_of_a_report_is_taken_by_itself(s: Session) -> None:
    """Each of the parts that are a cluster's is taken where it comes alone, and replaces the one reported before."""
    mine = Cluster(s)
    app = mine.given(ACTIVE, replicas=1)
    for number in range(2):
        name = f"{app.metadata.id.name.lower()}-{number}"
        for part in ("k8s_metadata", "materialized_inputs", "vpc_url", "current_replicas"):
            sent = mine.message(app, None)
            expected = copy(app)
            for status in (sent.status, expected.status):
                if part == "k8s_metadata":
                    status.k8s_metadata.namespace = name
                elif part == "materialized_inputs":
                    status.ClearField("materialized_inputs")
                    status.materialized_inputs.items.add(name=name).artifact_id.version = "v7"
                elif part == "vpc_url":
                    status.ingress.vpc_url = f"https://{name}.vpc.example"
                else:
                    status.current_replicas = 3 + number
            expected.status.conditions[-1].revision += 1
            after = s.update_status(sent)
            expect_equal(after, expected, f"the app after a report of {part} alone")
            app = after


@check("LE-5")
def a_stopped_app_is_released_from_every_state(s: Session) -> None:
    """Stopped in any state that its cluster had it in, an app is released: no cluster, no lease, not in its List."""
    for status in (ASSIGNED, PENDING, DEPLOYING, ACTIVE, FAILED):
        for restarted in (False, True):
            _expect_released(s, status, restarted=restarted)


@check("LE-5")
def an_app_is_released_as_often_as_it_is_stopped(s: Session) -> None:
    """An app that is stopped, started, leased and acknowledged is released again when it is stopped again."""
    mine = Cluster(s)
    app = mine.given(ACTIVE)
    for time in range(3):
        stopped = mine.given_stopped(app)
        _expect_free(s, mine, stopped, f"stopped {time + 1} times")
        app = mine.given_reports(mine.given_started(stopped), PENDING, ACTIVE)
        expect_equal(app.status.assigned_cluster, mine.name, "assigned_cluster of an app that was started again")


def _expect_released(s: Session, status: int, *, restarted: bool) -> None:
    mine = Cluster(s)
    if restarted:
        leased = mine.given_started(mine.given(STOPPED))
        app = (
            leased
            if status == ASSIGNED
            else mine.given_reports(leased, *((PENDING,) if status == PENDING else (status,)))
        )
    else:
        app = mine.given(status)
    what = f"stopped when it was {'restarted and ' if restarted else ''}{status_name(status)}"
    asked = copy(app)
    asked.metadata.revision = 0
    asked.spec.desired_state = STOP
    stopping = s.given_update(asked)
    expect_equal(stopping.status.assigned_cluster, mine.name, f"assigned_cluster of an app that is to be {what}")
    stopped = mine.report(stopping, STOPPED, replicas=0)
    expect_equal(statuses(stopped)[-1], "STOPPED", f"the status of an app that was {what}")
    _expect_free(s, mine, stopped, what)
    with expect_refusal("FAILED_PRECONDITION", f"a report on an app that was {what} and released"):
        mine.report(stopped, PENDING)
    asked.spec.desired_state = RUN
    s.given_update(asked)
    leased = mine.leases.take(1)[0]
    expect_equal(leased.metadata.id, app.metadata.id, f"the app that is leased once it is started, {what}")
    expect(leased.status.HasField("lease_expiration"), f"an app that was {what} is leased again without an end")


def _expect_free(s: Session, cluster: Cluster, app: model.App, what: str) -> None:
    expect_equal(last_status(app), STOPPED, f"the status of an app that was {what}")
    expect_equal(app.status.assigned_cluster, "", f"assigned_cluster of an app that was {what}")
    expect_equal(app.status.last_assigned_cluster, cluster.name, f"last_assigned_cluster of an app that was {what}")
    expect(not app.status.HasField("lease_expiration"), f"an app that was {what} still has a lease_expiration")
    expect_equal(app.status.current_replicas, 0, f"current_replicas of an app that was {what}")
    expect_equal(s.get(app.metadata.id), app, f"Get of an app that was {what}")
    names = s.names(cluster_id=s.cluster(cluster.name))
    expect(app.metadata.id.name not in names, f"an app that was {what} is listed as its cluster's")
