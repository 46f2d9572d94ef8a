"""Lease: rows LE-1 to LE-6. Several clusters at once are in grants.py, releases from every state in releases.py.

Each check has clusters of its own (clusters.py). Where a lease has to run out, it needs a clock that can be moved.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support import writing
from flyteapps_contract.checks.support.clusters import Cluster, counter, require, run_out, seconds_of
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.checks.support.writing import QUIET
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
    UNASSIGNED,
    Session,
    copy,
    last_status,
    statuses,
)
from flyteapps_contract.streams import PATIENCE, Leases

BATCH = 100
"""Apps in one message, at most."""
FEW, FAIR = 4, 40
"""Apps that two streams share; each has had its turn after the second number."""
MOMENT = 0.001
"""Seconds of the plane's clock."""


# ---- LE-1


@check("LE-1")
def a_cluster_is_leased_the_apps_of_its_pool(s: Session) -> None:
    """A cluster is leased the apps that wait in the pool of its name, by last_updated_at, and no others."""
    mine, other = Cluster(s), Cluster(s)
    apps = [s.given(mine.app()) for _ in range(4)]
    s.given(other.app())
    s.given(mine.app(state=STOP))
    apps.append(s.given_update(_changed(apps.pop(1))))
    leased = mine.leases.take(len(apps))
    expect_equal(_names(leased), _names(apps), "the apps that were leased, in order")
    for app, before in zip(leased, apps, strict=True):
        expect_equal(app, s.get(app.metadata.id), "the leased app, beside Get")
        expect_equal((app.metadata, app.spec), (before.metadata, before.spec), "metadata and spec of a leased app")
    _expect_nothing_more(s, mine)


@check("LE-1")
def a_leased_app_is_assigned(s: Session) -> None:
    """A leased app is ASSIGNED, carries its cluster, and the time at which the lease runs out."""
    mine = Cluster(s)
    made = s.given(mine.app())
    app = mine.leases.take(1)[0]
    expect_equal(statuses(app), ["UNASSIGNED", "ASSIGNED"], "the conditions of a leased app")
    expect_equal(app.status.assigned_cluster, mine.name, "assigned_cluster of a leased app")
    expect_equal(app.status.last_assigned_cluster, "", "last_assigned_cluster of an app that nobody acknowledged")
    expect(counter(app) > counter(made), "the counter of a leased app should be more than before")
    _expect_lease(s, app)


@check("LE-1")
def a_restarted_app_keeps_pending_when_it_is_leased(s: Session) -> None:
    """An app that was stopped and is started again is leasable, and keeps PENDING when it is leased."""
    mine = Cluster(s)
    for app in (s.given(mine.app(state=STOP)), mine.given(STOPPED)):
        s.given_update(_changed(app, RUN))
        leased = mine.leases.take(1)[0]
        expect_equal(statuses(leased), [*statuses(app), "PENDING"], "the conditions of a restarted app that is leased")
        expect_equal(leased.status.assigned_cluster, mine.name, "assigned_cluster of a leased app")
        expect(leased.status.HasField("lease_expiration"), "a restarted app that is leased has no lease_expiration")


@check("LE-1")
def an_app_that_names_its_cluster_goes_there_alone(s: Session) -> None:
    """An app with spec.cluster set goes to that cluster, whatever its pool is, and not to those of its pool."""
    mine, other = Cluster(s), Cluster(s)
    theirs = other.leases
    for pool in (other.name, "", "default"):
        app = mine.app()
        app.spec.cluster, app.spec.cluster_pool = mine.name, pool
        s.given(app)
        expect_equal(
            _names(mine.leases.take(1)), _names([app]), f"what a cluster is leased that an app of pool {pool!r} names"
        )
    s.given(marker := other.app())
    expect_equal(_names(theirs.take(1)), _names([marker]), "what a cluster is leased that serves an app's pool alone")


@check("LE-1")
def a_lease_stream_goes_on(s: Session) -> None:
    """A Lease stream stays open, also where nothing waits, and sends what becomes leasable later."""
    mine = Cluster(s)
    _expect_nothing_more(s, mine)
    for _ in range(3):
        app = s.given(mine.app())
        expect_equal(_names(mine.leases.take(1)), _names([app]), "what an open Lease stream sends")


@check("LE-1")
def batches_are_not_empty_and_of_at_most_100(s: Session) -> None:
    """A backlog comes in batches of at most 100 apps; each app once, each batch with at least one."""
    mine = Cluster(s)
    apps = [s.given(mine.app()) for _ in range(BATCH + BATCH // 2)]
    leased = mine.leases.take(len(apps))
    sizes = [len(batch) for batch in mine.leases.seen]
    expect(all(0 < size <= BATCH for size in sizes), f"batches should hold 1 to {BATCH} apps, not {sizes}")
    expect_equal(sorted(_names(leased)), sorted(_names(apps)), "the apps that were leased")


@check("LE-1")
def two_streams_share_the_work(s: Session) -> None:
    """Of two streams of one cluster each gets apps, and no app is sent to both."""
    mine = Cluster(s)
    streams = [mine.leases, s.lease(mine.name)]
    apps: list[model.App] = []
    while len(apps) < FAIR and not (len(apps) >= FEW and all(stream.seen for stream in streams)):
        apps.append(s.given(mine.app()))
        _expect_one(streams)
    sent = [_names(app for batch in stream.seen for app in batch) for stream in streams]
    expect_equal(sorted(sent[0] + sent[1]), sorted(_names(apps)), "the apps that two streams of one cluster were sent")
    expect(all(sent), f"one of two streams got nothing, the other {len(apps)} apps")


@check("LE-1", needs=("shared",))
def a_leased_app_is_not_leased_to_another(s: Session) -> None:
    """While a lease runs no other cluster of the pool gets the app, nor after it was acknowledged."""
    pool, names = s.capabilities.shared[0], s.capabilities.shared[1:]
    first, second = (Cluster(s, name) for name in names)
    apps = [s.given(_of_pool(first, pool)) for _ in range(3)]
    leased = first.leases.take(len(apps))
    first.given_reports(leased[0], PENDING)
    theirs = second.leases
    marker = s.app()
    marker.spec.cluster = second.name
    s.given(marker)
    expect_equal(_names(theirs.take(1)), _names([marker]), "what another cluster of the pool is leased")


@check("LE-1", needs=("clock",))
def a_lease_is_as_long_as_it_says(s: Session) -> None:
    """Until lease_expiration the app stays with its cluster; from then on it doesn't."""
    mine = Cluster(s)
    app = mine.given_leased()
    mine.leave()
    condition = app.status.conditions[-1]
    length = seconds_of(app.status.lease_expiration) - seconds_of(condition.last_transition_time)
    s.advance(length - MOMENT)
    expect_equal(last_status(s.get(app.metadata.id)), ASSIGNED, "the status shortly before lease_expiration")
    s.advance(MOMENT * 2)
    expect_equal(last_status(s.get(app.metadata.id)), UNASSIGNED, "the status shortly after lease_expiration")


# ---- LE-2


@check("LE-2", needs=("clock",))
def an_app_whose_lease_ran_out_is_unassigned(s: Session) -> None:
    """A lease that no cluster acknowledges gives the app back: UNASSIGNED, without a cluster, and leasable again."""
    mine = Cluster(s)
    for _ in range(2):
        app = mine.given_leased()
        mine.leave()
        app = run_out(s, app)
        expect_equal(statuses(app)[-2:], ["ASSIGNED", "UNASSIGNED"], "the last conditions after the lease ran out")
        _expect_free(app)
        expect_equal(_names(mine.leases.take(1)), _names([app]), "what the cluster is leased afterwards")
        mine.given_reports(app, PENDING, ACTIVE)


@check("LE-2", needs=("clock",))
def a_restarted_app_whose_lease_ran_out_is_pending(s: Session) -> None:
    """An app that was acknowledged before in this incarnation keeps PENDING when its lease runs out."""
    mine = Cluster(s)
    app = mine.given_started(mine.given(STOPPED))
    mine.leave()
    after = run_out(s, app)
    expect_equal(last_status(after), PENDING, "the status of a restarted app whose lease ran out")
    expect_equal(len(after.status.conditions), len(app.status.conditions), "how many conditions it has")
    _expect_free(after)
    expect_equal(_names(mine.leases.take(1)), _names([app]), "what the cluster is leased afterwards")


@check("LE-2", needs=("clock",))
def an_app_that_should_stop_and_whose_lease_ran_out_is_stopped(s: Session) -> None:
    """An app whose desired state became STOPPED while it was leased is STOPPED when the lease runs out."""
    for restarted in (False, True):
        mine = Cluster(s)
        app = mine.given_started(mine.given(STOPPED)) if restarted else mine.given_leased()
        asked = s.given_update(_changed(app, STOP))
        expect_equal(last_status(asked), PENDING, "the status of a leased app that should stop")
        mine.leave()
        after = run_out(s, asked)
        expect_equal(last_status(after), STOPPED, "the status of an app that should stop and whose lease ran out")
        _expect_free(after)
        _expect_nothing_more(s, mine)


@check("LE-2", needs=("clock", "shared"))
def an_app_whose_lease_ran_out_goes_to_another(s: Session) -> None:
    """An app that one cluster lets run out goes to another of its pool that is there."""
    first, second = (Cluster(s, name) for name in s.capabilities.shared[1:])
    app = first.given_leased(_of_pool(first, s.capabilities.shared[0]))
    theirs = second.leases
    first.leave()
    run_out(s, app)
    leased = theirs.take(1)[0]
    expect_equal(leased.metadata.id, app.metadata.id, "the app that another cluster is leased")
    expect_equal(leased.status.assigned_cluster, second.name, "its assigned_cluster")
    second.given_reports(leased, PENDING, ACTIVE)


@check("DE-3", "LE-2", needs=("clock",))
def a_deleted_apps_lease_is_forgotten(s: Session) -> None:
    """The lease of an app that was deleted does not run out on the app that has its id by then."""
    mine = Cluster(s)
    app = mine.given_leased()
    length = seconds_of(app.status.lease_expiration) - seconds_of(app.status.conditions[-1].last_transition_time)
    s.given_deleted(app)
    s.advance(length * 2 / 3)
    again = mine.given_leased(mine.app(name=app.metadata.id.name))
    s.advance(length * 2 / 3)
    expect_equal(s.get(again.metadata.id), again, "a leased app at the time when another's lease would have run out")


# ---- LE-3


@check("LE-3")
def a_report_acknowledges_a_lease(s: Session) -> None:
    """PENDING from the holder acknowledges: lease_expiration is cleared, last_assigned_cluster is the holder."""
    mine = Cluster(s)
    for revision in (0, 1):
        app = mine.report(mine.given_leased(), PENDING, revision=revision)
        expect_equal(last_status(app), PENDING, "the status after PENDING was reported")
        _expect_acknowledged(app, mine)
        expect_equal(s.get(app.metadata.id), app, "Get after an acknowledgement")


@check("LE-3")
def a_later_report_acknowledges_a_restarted_app(s: Session) -> None:
    """A restarted app, which is PENDING, is acknowledged by PENDING again, and by what may follow it."""
    mine = Cluster(s)
    for status in (PENDING, DEPLOYING, ACTIVE, FAILED):
        leased = mine.given_started(mine.given(STOPPED))
        last = leased.status.conditions[-1]
        app = mine.report(leased, status, message=last.message if status == PENDING else "")
        _expect_acknowledged(app, mine)
        expect_equal(last_status(app), status, "the status of an acknowledged app")


@check("LE-3", needs=("clock",))
def an_acknowledged_app_stays_with_its_cluster(s: Session) -> None:
    """An acknowledged app is the cluster's, however long it takes."""
    mine = Cluster(s)
    app = mine.given(PENDING)
    mine.leave()
    for _ in range(3):
        s.advance(600.0)
    expect_equal(s.get(app.metadata.id), app, "an acknowledged app, long after the lease would have run out")


@check("LE-3")
def only_its_cluster_acknowledges(s: Session) -> None:
    """Another cluster's report is FAILED_PRECONDITION, an older revision's ABORTED; neither acknowledges."""
    mine, other = Cluster(s), Cluster(s)
    app = s.given_update(_changed(mine.given_leased()))
    with s.unchanged(app):
        for cluster in (other, Cluster(s, "x")):
            with expect_refusal("FAILED_PRECONDITION", "a report of another cluster"):
                cluster.report(app, PENDING)
        for revision in (1, 3):
            with expect_refusal("ABORTED", f"a report on revision {revision} of an app at revision 2"):
                mine.report(app, PENDING, revision=revision)
    _expect_acknowledged(mine.report(app, PENDING, revision=2), mine)


@check("LE-3")
def a_report_without_a_condition_does_not_acknowledge(s: Session) -> None:
    """A report that says nothing of the app's condition is taken, and the lease goes on."""
    mine = Cluster(s)
    app = mine.report(mine.given_leased(), None, replicas=3)
    expect_equal(app.status.current_replicas, 3, "current_replicas as reported")
    expect(app.status.HasField("lease_expiration"), "a report without a condition ended the lease")
    expect_equal(app.status.last_assigned_cluster, "", "last_assigned_cluster of an app that nobody acknowledged")


@check("LE-3", needs=("clock",))
def an_acknowledgement_that_is_late_is_refused(s: Session) -> None:
    """After lease_expiration the cluster's report is FAILED_PRECONDITION, and the app is another's to lease."""
    mine = Cluster(s)
    leased = mine.given_leased()
    mine.leave()
    app = run_out(s, leased)
    with s.unchanged(app), expect_refusal("FAILED_PRECONDITION", "a report after the lease ran out"):
        mine.report(leased, PENDING)


# ---- LE-4, LE-5


@check("LE-4")
def a_cluster_watches_its_apps(s: Session) -> None:
    """Watch(cluster_id) shows an app when the cluster is leased it, each later change, and its going."""
    mine = Cluster(s)
    marker = mine.given_leased()
    watcher = s.watch(cluster_id=s.cluster(mine.name))
    expect_equal(watcher.next("the app that is there").app, marker, "what a cluster's watch opens with")
    app = mine.given_leased()
    event = watcher.next("the leased app")
    expect_equal((event.kind, event.app), ("create", app), "the event of a lease")
    mine.given_reports(app, PENDING, ACTIVE)
    changed = s.given_update(_changed(app))
    events = watcher.until(lambda seen: seen.app.metadata.revision == 2, "the new revision")
    expect_equal([each.kind for each in events], ["update"] * 3, "the events up to a new revision")
    expect_equal(events[-1].app, changed, "the new revision as its cluster sees it")
    stopping = s.given_update(_changed(changed, STOP))
    expect_equal(watcher.next("the wish to stop").app, stopping, "the wish to stop as the cluster sees it")
    mine.given_reports(stopping, STOPPED)
    expect_equal(watcher.next("the going").kind, "delete", "the event of an app that leaves its cluster")


@check("LE-5")
def a_stopped_app_is_released(s: Session) -> None:
    """The report STOPPED clears assigned_cluster, last_assigned_cluster stays; once started it is leased again."""
    mine = Cluster(s)
    app = mine.given(ACTIVE, replicas=2)
    asked = s.given_update(_changed(app, STOP))
    require(asked, PENDING)
    expect_equal(asked.status.assigned_cluster, mine.name, "assigned_cluster of an app that should stop")
    stopped = mine.report(asked, STOPPED, replicas=0)
    expect_equal(last_status(stopped), STOPPED, "the status after STOPPED was reported")
    expect_equal(stopped.status.assigned_cluster, "", "assigned_cluster of a stopped app")
    expect_equal(stopped.status.last_assigned_cluster, mine.name, "last_assigned_cluster of a stopped app")
    expect_equal(stopped.status.current_replicas, 0, "current_replicas of a stopped app")
    with s.unchanged(stopped), expect_refusal("FAILED_PRECONDITION", "a report on an app that was released"):
        mine.report(stopped, STOPPED, message="again")
    s.given_update(_changed(stopped, RUN))
    expect_equal(_names(mine.leases.take(1)), _names([app]), "what the cluster is leased once the app is started")


# ---- LE-6


@check("LE-6", needs=("cluster",))
def a_cluster_at_hand_leases_at_once(s: Session) -> None:
    """An app of the default pool, named so or not, is ASSIGNED in the response of Create and in Get, or further."""
    for pool in ("", "default"):
        app = s.app()
        app.spec.cluster_pool = pool
        made = s.create(app)
        expect(last_status(made) != UNASSIGNED, f"Create of an app of pool {pool!r} answered with UNASSIGNED")
        expect(made.status.assigned_cluster, f"Create of an app of pool {pool!r} answered without assigned_cluster")
        expect(last_status(s.get(made.metadata.id)) != UNASSIGNED, f"Get of an app of pool {pool!r} shows UNASSIGNED")


@check("LE-6", needs=("cluster",))
def watchers_see_the_lease_of_a_cluster_at_hand(s: Session) -> None:
    """Watchers see UNASSIGNED in the CreateEvent, and then ASSIGNED with its cluster."""
    writer = writing.Writer(s)
    writer.create()
    watcher = writer.opened(project=s.scope())
    app = s.given()
    first, second = (writing.next_of(watcher, app.metadata.id.name) for _ in range(2))
    expect_equal((first.kind, last_status(first.app)), ("create", UNASSIGNED), "the first event of a new app")
    expect_equal((second.kind, last_status(second.app)), ("update", ASSIGNED), "the second event of a new app")
    expect(second.app.status.assigned_cluster, "the lease's event has no assigned_cluster")


@check("LE-6", needs=("cluster",))
def a_cluster_at_hand_leases_a_restarted_app_at_once(s: Session) -> None:
    """The response of the update that starts a stopped app has its cluster."""
    app = s.update(_changed(s.given_stopped(), RUN))
    expect(app.status.assigned_cluster, "the update that starts an app answered without assigned_cluster")
    expect(last_status(app) not in (UNASSIGNED, STOPPED), "a restarted app should show neither UNASSIGNED nor STOPPED")


# ---- what they share


def _names(apps: Iterable[model.App]) -> list[str]:
    return [app.metadata.id.name for app in apps]


def _changed(app: model.App, state: int | None = None) -> model.App:
    """Return an update of the app: another desired state, or another image."""
    changed = copy(app)
    changed.metadata.revision = 0
    if state is None:
        changed.spec.container.image += "-more"
    else:
        changed.spec.desired_state = state  # type: ignore[assignment]  # an enum value of protobuf is a plain int
    return changed


def _of_pool(cluster: Cluster, pool: str) -> model.App:
    app = cluster.app()
    app.spec.cluster_pool = pool
    return app


def _expect_one(streams: Sequence[Leases]) -> None:
    """Wait for a batch on one of the streams."""
    deadline = time.monotonic() + PATIENCE
    while not any(stream.poll(QUIET) for stream in streams):
        expect(time.monotonic() < deadline, f"neither of two streams was leased an app within {PATIENCE:g} s")


def _expect_nothing_more(s: Session, cluster: Cluster) -> None:
    """Broken unless the next app that the cluster is leased is one that is made now."""
    stream = cluster.leases
    marker = s.given(cluster.app())
    expect_equal(_names(stream.take(1)), _names([marker]), "what the cluster is leased next")


def _expect_lease(s: Session, app: model.App) -> None:
    expect(app.status.HasField("lease_expiration"), "a leased app has no lease_expiration")
    length = seconds_of(app.status.lease_expiration) - seconds_of(app.status.conditions[-1].last_transition_time)
    if s.capabilities.lease_seconds:
        expect(
            abs(length - s.capabilities.lease_seconds) < MOMENT,
            f"a lease should take {s.capabilities.lease_seconds:g} s, not {length:g}",
        )
    else:
        expect(length > 0, f"a lease should take some time, not {length:g} s")


def _expect_free(app: model.App) -> None:
    expect_equal(app.status.assigned_cluster, "", "assigned_cluster after the lease ran out")
    expect(not app.status.HasField("lease_expiration"), "lease_expiration is still there after the lease ran out")


def _expect_acknowledged(app: model.App, cluster: Cluster) -> None:
    expect(not app.status.HasField("lease_expiration"), "lease_expiration is still there after an acknowledgement")
    expect_equal(app.status.assigned_cluster, cluster.name, "assigned_cluster after an acknowledgement")
    expect_equal(app.status.last_assigned_cluster, cluster.name, "last_assigned_cluster after an acknowledgement")
