"""Re-creation: rows CR-5 and DE-3, for apps that ran. What happened to the deleted one is nothing of the new one's.

An app is deleted and created again at once, in each state; a twin that never was before is created beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_logs_payload_pb2 as logs_rpc
from flyteidl2.logs.dataplane import payload_pb2 as logs

from flyteapps_contract.checks.support.clusters import RUNNING, Cluster
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.session import (
    ACTIVE,
    ASSIGNED,
    DEPLOYING,
    FAILED,
    PENDING,
    STOP,
    STOPPED,
    Session,
    copy,
    last_status,
    preparing,
    status_name,
    statuses,
)
from flyteapps_contract.streams import LogLine

MOMENTS = (0.0, 0.1, 0.3, 0.7, 1.2)
"""Seconds of the plane's clock after which a starting or a stopping app is deleted."""
LATER = 90.0
"""Seconds of the plane's clock in which all that was under way for an app would have happened."""
OLD = "old:1"
"""The image of the apps that are deleted."""


@check("DE-3", "CR-5", needs=("cluster",))
def an_app_created_again_at_once_starts_as_a_new_one(s: Session) -> None:
    """Deleted at any moment of its start and created again at once, an app comes to ACTIVE as one that is new."""
    for seconds in MOMENTS if s.capabilities.clock else MOMENTS[:1]:
        old = s.given(s.app(image=OLD))
        _pass(s, seconds)
        _expect_like_a_new_one(s, old)


@check("DE-3", "CR-5", needs=("cluster",))
def an_app_that_ran_and_is_created_again_at_once_starts_as_a_new_one(s: Session) -> None:
    """Deleted while it runs or stops and created again at once, an app comes to ACTIVE as one that is new."""
    for seconds in MOMENTS if s.capabilities.clock else MOMENTS[:1]:
        old = s.given_active(image=OLD)
        s.given_update(_stopping(old))
        _pass(s, seconds)
        _expect_like_a_new_one(s, old)


@check("DE-3", "CR-5", needs=("cluster", "failing"))
def an_app_that_was_to_fail_and_is_created_again_at_once_does_not_fail(s: Session) -> None:
    """Deleted on its way to FAILED and created again at once without the fault, an app comes to ACTIVE."""
    for seconds in MOMENTS if s.capabilities.clock else MOMENTS[:1]:
        old = s.given(s.app(image=OLD, labels=s.capabilities.failing))
        _pass(s, seconds)
        _expect_like_a_new_one(s, old)


@check("DE-3", "CR-5")
def an_app_created_again_is_leased_and_reported_as_a_new_one(s: Session) -> None:
    """In whatever state its cluster had it, an app that is created again equals a new one, from its lease to ACTIVE."""
    for status in (ASSIGNED, PENDING, DEPLOYING, ACTIVE, FAILED, STOPPED):
        mine = Cluster(s)
        old = _given_rich(s, mine, status)
        again, twin = _again_and_twin(s, old, mine.app)
        for what, (one, other) in (("created", (again, twin)), ("leased", _leased(mine, again, twin))):
            _expect_equal_but_for_times(one, other, f"an app that is {what} after it was {status_name(status)}")
        for after in (PENDING, DEPLOYING, ACTIVE):
            one, other = (mine.report(each, after, replicas=1) for each in (again, twin))
            what = f"reported {status_name(after)} after its deletion when it was {status_name(status)}"
            _expect_equal_but_for_times(one, other, f"an app that is {what}")


@check("DE-3", "LO-1")
def logs_of_an_app_created_again_are_its_own(s: Session) -> None:
    """An app that is created again has no logs until it starts, and none of the lines of the deleted one then."""
    mine = Cluster(s)
    old = mine.given(ACTIVE, mine.app(image=OLD), substate=RUNNING, replicas=2)
    lines = _lines(s, old)
    expect(lines, "an app that runs has no lines in its log")
    s.given_deleted(old)
    again = s.given(mine.app(name=old.metadata.id.name, state=STOP))
    for source in (logs.LIVE_OR_PERSISTED, logs.LIVE_ONLY, logs.PERSISTED_ONLY):
        request = logs_rpc.TailLogsRequest(app_id=again.metadata.id, source=source)
        with expect_refusal("NOT_FOUND", f"the log, source {source}, of an app that was created again and never ran"):
            s.logs(request).next("an answer")
    leased = mine.given_started(again)
    started = mine.given_reports(leased, PENDING, ACTIVE, substate=RUNNING, replicas=1)
    _expect_own_lines(_lines(s, started), again, 1)


@check("DE-3", "LO-1", needs=("cluster", "clock"))
def logs_of_an_app_that_the_planes_cluster_starts_again_are_its_own(s: Session) -> None:
    """Of an app that the plane's cluster runs the same holds: lines of the deleted one never show."""
    old = s.given_active(image=OLD)
    _lines(s, old)
    s.given_deleted(old)
    again = s.given(s.app(old.metadata.id.name))
    active = s.given_rest(again.metadata.id, ACTIVE)
    _expect_own_lines(_lines(s, active), again, max(1, active.status.current_replicas))


# ---- what they share


def _pass(s: Session, seconds: float) -> None:
    if seconds:
        s.advance(seconds)


def _stopping(app: model.App) -> model.App:
    wanted = copy(app)
    wanted.metadata.revision = 0
    wanted.spec.desired_state = STOP
    return wanted


def _expect_like_a_new_one(s: Session, old: model.App) -> None:
    """Delete the app and create it again, beside a new one: broken unless both come to ACTIVE, and stay so."""
    again, twin = _again_and_twin(s, old, s.app)
    with preparing("waiting for a new app"):
        s.until(twin.metadata.id, lambda app: last_status(app) == ACTIVE)
    reached = [s.until(app.metadata.id, lambda app: last_status(app) == ACTIVE) for app in (again, twin)]
    _expect_later_than_created(again, reached[0])
    if not s.capabilities.fresh:
        return  # a cluster that isn't the target's own may show or skip a state
    expect_equal(statuses(reached[0]), statuses(reached[1]), "the conditions up to ACTIVE, beside those of a new app")
    if s.capabilities.clock:
        s.advance(LATER)
        after = [s.get(app.metadata.id) for app in (again, twin)]
        _expect_equal_but_for_times(after[0], after[1], "an app that was created again, a while later")


def _again_and_twin(
    s: Session, old: model.App, make: Callable[..., model.App], **options: object
) -> tuple[model.App, model.App]:
    """Return an app that is created at once after its deletion, and a new one."""
    if old.spec.desired_state != STOP:
        s.given_deleted(s.get(old.metadata.id))
    else:
        s.given_deleted(old)
    again = s.create(make(name=old.metadata.id.name, **options))
    return again, s.given(make(**options))


def _given_rich(s: Session, cluster: Cluster, status: int) -> model.App:
    """Return an app of that status with all that a cluster can have reported."""
    app = cluster.given(status, cluster.app(image=OLD))
    if status in (ASSIGNED, STOPPED):
        return app
    sent = cluster.message(app, None, replicas=3)
    sent.status.k8s_metadata.namespace = "of-the-old-one"
    sent.status.materialized_inputs.items.add(name="data").artifact_id.version = "v7"
    sent.status.ingress.vpc_url = f"https://{app.metadata.id.name.lower()}.vpc.example"
    with preparing("a report"):
        return s.update_status(sent)


def _leased(cluster: Cluster, again: model.App, twin: model.App) -> tuple[model.App, model.App]:
    with preparing("the leases of two apps"):
        apps = {app.metadata.id.name: app for app in cluster.leases.take(2)}
        return apps[again.metadata.id.name], apps[twin.metadata.id.name]


def _expect_equal_but_for_times(one: model.App, other: model.App, what: str) -> None:
    expect_equal(_bare(one), _bare(other), f"{what}, beside one that is new, times and names apart")


def _bare(app: model.App) -> model.App:
    """Return the app without its names, its times and its messages, which may name it."""
    bare = copy(app)
    bare.metadata.ClearField("id")
    bare.spec.ClearField("ingress")
    bare.status.ingress.CopyFrom(model.Ingress(vpc_url=app.status.ingress.vpc_url))
    for name in ("created_at", "last_updated_at", "last_started_at", "lease_expiration"):
        bare.status.ClearField(name)
    for condition in bare.status.conditions:
        condition.ClearField("last_transition_time")
        condition.ClearField("message")
    return bare


def _expect_later_than_created(again: model.App, app: model.App) -> None:
    """Broken where a condition is older than its app, or was counted on from the deleted one's."""
    created = again.status.created_at.ToNanoseconds()
    expect_equal(app.status.created_at, again.status.created_at, "created_at of an app that was created again")
    for condition in app.status.conditions:
        expect(
            condition.last_transition_time.ToNanoseconds() >= created,
            f"an app that was created again is {status_name(condition.deployment_status)} since before its creation",
        )
    path = statuses(app)
    expect("STOPPED" not in path and "FAILED" not in path, f"an app that was created again went through {path}")


def _lines(s: Session, app: model.App) -> list[LogLine]:
    """Return the lines of an app that runs, as far as they are kept."""
    tail = s.logs(logs_rpc.TailLogsRequest(app_id=app.metadata.id, source=logs.PERSISTED_ONLY))
    tail.replicas()
    try:
        return tail.rest()
    finally:
        tail.close()


def _expect_own_lines(lines: Sequence[LogLine], again: model.App, replicas: int) -> None:
    created = again.status.created_at.ToNanoseconds()
    expect(lines, "an app that was created again and runs has no lines in its log")
    for line in lines:
        expect(line.at >= created, f"a line of an app that was created again is older than the app: {line.text!r}")
        expect(OLD not in line.text, f"a line of the deleted app is in the log of the next one: {line.text!r}")
    expect_equal(len({line.replica for line in lines}), replicas, "the replicas with lines of an app created again")
