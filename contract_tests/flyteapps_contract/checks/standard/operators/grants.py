"""Lease, several clusters at once: rows LE-1 and LE-3, at the instants where two clusters could hold one app.

Grants are compared by the time that they cover, [leased, lease_expiration): two of them never overlap.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier

from flyteidl2.app import app_definition_pb2 as model
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapps_contract.checks.support.clusters import LATE, Cluster
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.checks.support.writing import QUIET
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.outcomes import Refused, Unjudged
from flyteapps_contract.session import (
    ACTIVE,
    ASSIGNED,
    PENDING,
    STOP,
    UNASSIGNED,
    Session,
    copy,
    last_status,
    preparing,
    status_name,
)
from flyteapps_contract.streams import PATIENCE, Leases

WRITERS, EACH = 2, 8
"""Threads that create apps while two clusters wait, and apps of each."""
ROUNDS, WAITING = 4, 5
"""Times that Lease streams are opened at once, and apps that wait then."""
LAPSES = 4
"""Leases of one app that run out one after the other."""
SECOND = 10**9


# ---- LE-1: no app is two clusters' at once


@check("LE-1", needs=("shared",))
def an_app_that_is_created_goes_to_one_of_two_that_wait(s: Session) -> None:
    """Of two clusters of a pool whose Lease streams wait, each new app goes to one, which Get names as its cluster."""
    clusters = _shared(s)
    for cluster in clusters:
        _begin(s, cluster)

    def create(_: int) -> list[model.App]:
        return [s.given(_of_shared(s)) for _ in range(EACH)]

    with ThreadPoolExecutor(WRITERS) as threads:
        made = [app for apps in threads.map(create, range(WRITERS)) for app in apps]
    _expect_one_holder(s, made, [(cluster, cluster.leases) for cluster in clusters])


@check("LE-1", needs=("shared",))
def an_app_that_is_started_goes_to_one_of_two_that_wait(s: Session) -> None:
    """Of two clusters of a pool whose Lease streams wait, each app that is started goes to one, and so again."""
    clusters = _shared(s)
    apps = [s.given(_of_shared(s, state=STOP)) for _ in range(WAITING)]
    for cluster in clusters:
        _begin(s, cluster)
    started = [s.given_update(_running(app)) for app in apps]
    _expect_one_holder(s, started, [(cluster, cluster.leases) for cluster in clusters])


@check("LE-1", needs=("shared",))
def apps_that_wait_go_to_one_of_two_that_come_at_once(s: Session) -> None:
    """Where both clusters of a pool open Lease streams at the same time, each app that waits goes to one of them."""
    for _ in range(ROUNDS if s.plane.link.opens_at_once else 1):  # elsewhere streams may be closed late
        clusters = [cluster for cluster in _shared(s) for _ in range(2)]
        apps = [s.given(_of_shared(s)) for _ in range(WAITING)]
        barrier = Barrier(len(clusters))

        def open_stream(cluster: Cluster, barrier: Barrier = barrier) -> Leases:
            barrier.wait()
            return s.lease(cluster.name)

        with ThreadPoolExecutor(len(clusters)) as threads:
            streams = list(threads.map(open_stream, clusters))
        _expect_one_holder(s, apps, list(zip(clusters, streams, strict=True)))
        for stream in streams:
            stream.close()


@check("LE-1", "LE-2", needs=("clock", "shared"))
def leases_of_one_app_do_not_overlap(s: Session) -> None:
    """While two clusters of a pool wait and acknowledge nothing, an app's leases follow each other without overlap."""
    clusters = _shared(s)
    for cluster in clusters:
        _begin(s, cluster)
    app = s.get(s.given(_of_shared(s)).metadata.id)
    leases = [_lease_of(app)]
    for _ in range(LAPSES):
        s.advance((leases[-1][2] - leases[-1][1]) / SECOND)
        app = s.get(app.metadata.id)
        if not app.status.HasField("lease_expiration"):
            raise Unjudged("an app whose lease ran out was leased to none of two clusters that wait")
        leases.append(_lease_of(app))
    sent = {_lease_of(each) for cluster in clusters for each in _sent(s, cluster, cluster.leases, [app])}
    for holder, begun, until in sorted(sent - set(leases)):
        expect(False, f"{holder} was sent a lease that no Get showed, from {begun} to {until} ns")
    for before, after in pairwise(leases):
        expect(
            after == before or after[1] >= before[2],
            f"{after[0]} was leased the app at {after[1]} ns, but it is {before[0]}'s until {before[2]} ns",
        )


# ---- LE-1, LE-3: the instant of lease_expiration


@check("LE-1", "LE-3", needs=("clock",))
def at_lease_expiration_no_cluster_holds_the_app(s: Session) -> None:
    """At the very instant of lease_expiration the app is read as UNASSIGNED, and a report of its cluster is refused."""
    for reported_first in (False, True):
        mine = Cluster(s)
        leased = mine.given_leased()
        _leave(s, mine)
        _advance_to(s, leased.status.lease_expiration)
        code = _code_of_report(mine, leased) if reported_first else ""
        app = s.get(leased.metadata.id)
        code = code or _code_of_report(mine, leased)
        _require_reached(s, leased.status.lease_expiration)
        expect_equal(status_name(last_status(app)), status_name(UNASSIGNED), "the status at lease_expiration")
        expect_equal(app.status.assigned_cluster, "", "assigned_cluster at lease_expiration")
        expect_equal(code, "FAILED_PRECONDITION", "the code of a report at lease_expiration")
        expect_equal(s.get(leased.metadata.id), app, "the app after a report at lease_expiration")


@check("LE-1", "LE-3", needs=("clock",))
def until_lease_expiration_its_cluster_holds_the_app(s: Session) -> None:
    """A microsecond before lease_expiration the app is its cluster's, whose report acknowledges the lease."""
    mine = Cluster(s)
    leased = mine.given_leased()
    _leave(s, mine)
    last = Timestamp()
    last.FromNanoseconds(leased.status.lease_expiration.ToNanoseconds() - 1_000)
    _advance_to(s, last)
    app = s.get(leased.metadata.id)
    expect_equal(app, leased, "the app a microsecond before lease_expiration")
    acknowledged = mine.report(leased, PENDING)
    expect_equal(acknowledged.status.assigned_cluster, mine.name, "assigned_cluster after an acknowledgement in time")
    s.advance(1.0)
    expect_equal(s.get(leased.metadata.id), acknowledged, "an acknowledged app after the lease would have run out")


@check("LE-1", "LE-3", needs=("clock", "shared"))
def at_lease_expiration_the_app_is_the_next_clusters(s: Session) -> None:
    """At the very instant of lease_expiration a cluster that waits is leased the app; the last one reports in vain."""
    first, second = _shared(s)
    _begin(s, first)
    app = _of_shared(s)
    leased = first.given_leased(app)
    _leave(s, first)
    _begin(s, second)
    _advance_to(s, leased.status.lease_expiration)
    before = _code_of_report(first, leased)
    app = s.get(leased.metadata.id)
    _require_reached(s, leased.status.lease_expiration)
    holders = [first.name] if before == "OK" else []
    holders += [second.name] if app.status.assigned_cluster == second.name else []
    expect_equal(holders, [second.name], "the clusters that hold the app at lease_expiration")
    expect_equal(_code_of_report(first, leased), "FAILED_PRECONDITION", "the code of the report of the one before")
    again = next(each for each in _sent(s, second, second.leases, [app]))
    expect_equal(again, app, "the lease that the next cluster was sent, beside Get")
    second.given_reports(again, PENDING, ACTIVE)


# ---- what they share


def _shared(s: Session) -> tuple[Cluster, Cluster]:
    """Return the two clusters that serve one pool."""
    first, second = s.capabilities.shared[1:3]
    return Cluster(s, first), Cluster(s, second)


def _of_shared(s: Session, state: int | None = None) -> model.App:
    """Return an app of the pool that both serve, not yet created."""
    app = s.app() if state is None else s.app(state=state)
    app.spec.cluster_pool = s.capabilities.shared[0]
    return app


def _running(app: model.App) -> model.App:
    changed = copy(app)
    changed.spec.desired_state = model.Spec.DESIRED_STATE_STARTED
    return changed


def _marker(s: Session, cluster: Cluster) -> model.App:
    """Return an app that goes to that cluster alone, just created."""
    app = s.app()
    app.spec.cluster = cluster.name
    return s.given(app)


def _begin(s: Session, cluster: Cluster) -> None:
    """Open the cluster's stream, and read it until it is known to have begun."""
    stream = cluster.leases
    with preparing("the first lease of a stream"):
        marker = _marker(s, cluster)
        stream.until(lambda apps: any(each.metadata.id == marker.metadata.id for each in apps), "the first lease")


def _sent(s: Session, cluster: Cluster, stream: Leases, apps: Sequence[model.App]) -> list[model.App]:
    """Return each time that one of the apps was sent on the stream up to now."""
    marker = _marker(s, cluster).metadata.id
    ids = [app.metadata.id for app in apps]
    if all(each.metadata.id != marker for batch in stream.seen for each in batch):
        with preparing("reading a Lease stream"):
            stream.until(lambda batch: any(each.metadata.id == marker for each in batch), "the last lease")
    return [each for batch in stream.seen for each in batch if each.metadata.id in ids]


def _expect_one_holder(s: Session, apps: Sequence[model.App], streams: Sequence[tuple[Cluster, Leases]]) -> None:
    """Broken unless each app was sent on one of the streams, to the cluster that Get names."""
    ids = [app.metadata.id for app in apps]
    markers = [_marker(s, cluster).metadata.id for cluster in {each.name: each for each, _ in streams}.values()]
    deadline = time.monotonic() + PATIENCE
    while not all(each in [app_id for app_id, _ in _all_sent(streams)] for each in (*ids, *markers)):
        if time.monotonic() > deadline:
            break
        for _, stream in streams:
            stream.poll(QUIET / len(streams))
    for _, stream in streams:  # what came with the last ones
        while stream.poll():
            pass
    found = sorted((app_id.name, name) for app_id, name in _all_sent(streams) if app_id in ids)
    held = sorted((each.name, s.get(each).status.assigned_cluster) for each in ids)
    expect_equal(found, held, "the apps and the clusters that they were sent to, beside Get")


def _all_sent(streams: Sequence[tuple[Cluster, Leases]]) -> list[tuple[model.Identifier, str]]:
    """Return the ids of the apps that came on the streams, each with the cluster."""
    return [(each.metadata.id, cluster.name) for cluster, stream in streams for batch in stream.seen for each in batch]


def _lease_of(app: model.App) -> tuple[str, int, int]:
    """Return the cluster, the beginning and the end of the app's lease, in nanoseconds."""
    status = app.status
    begun = status.conditions[-1].last_transition_time.ToNanoseconds()
    if last_status(app) != ASSIGNED:
        raise Unjudged(f"a leased app is {status_name(last_status(app))}")
    return status.assigned_cluster, begun, status.lease_expiration.ToNanoseconds()


def _leave(s: Session, cluster: Cluster) -> None:
    """Close the cluster's stream, and wait until the plane has noticed: it leases it nothing more."""
    cluster.leave()
    if s.plane.link.opens_at_once:
        return
    deadline = time.monotonic() + LATE
    while time.monotonic() < deadline:
        app = s.app()
        app.spec.cluster = cluster.name
        if not s.given(app).status.assigned_cluster:
            s.given_deleted(app)
            return
    raise Unjudged(f"the plane leases apps to a stream that was closed {LATE:g} s ago")


def _advance_to(s: Session, moment: Timestamp) -> None:
    """Move the plane's clock, which stands still otherwise, to that time."""
    now = s.given_stopped().status.created_at.ToNanoseconds()
    s.advance((moment.ToNanoseconds() - now) / SECOND)


def _require_reached(s: Session, moment: Timestamp) -> None:
    """Unjudged unless the plane's clock has come to that time."""
    now = s.given_stopped().status.created_at.ToNanoseconds()
    if now < moment.ToNanoseconds():
        raise Unjudged(f"the plane's clock shows {now} ns, before {moment.ToNanoseconds()} ns, where it was moved to")


def _code_of_report(cluster: Cluster, app: model.App) -> str:
    """Return how the cluster's report of PENDING ends."""
    try:
        cluster.report(app, PENDING)
    except Refused as error:
        return error.code
    return "OK"
