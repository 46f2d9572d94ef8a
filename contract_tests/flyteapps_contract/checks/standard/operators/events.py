"""Watch while a cluster of the check's own moves an app: row WA-5. No commit of any kind is without its event."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.clusters import Cluster
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.session import (
    ACTIVE,
    DEPLOYING,
    FAILED,
    PENDING,
    RUN,
    STOP,
    STOPPED,
    Session,
    last_status,
    preparing,
    status_name,
)


@check("WA-5")
def every_kind_of_commit_is_an_event(s: Session) -> None:
    """Each write, lease, report and release is an event of its own on streams of the app, its project and its org."""
    mine = Cluster(s)
    app = s.given(mine.app(state=STOP))
    app_id = app.metadata.id
    targets = ({"app_id": app_id}, {"project": s.scope()}, {"org": app_id.org})
    watchers = [s.watch(**target) for target in targets]
    with preparing("reading the snapshots"):
        for watcher in watchers:
            watcher.until(lambda seen: seen.app == app, "the snapshot")
    written = [app, *_moved(s, mine, app)]
    s.given_deleted(written[-1])
    written.append(s.given(mine.app(name=app_id.name, state=STOP)))
    for target, watcher in zip(targets, watchers, strict=True):
        with preparing("reading the stream up to the last write"):
            watcher.until(lambda seen: seen.app == written[-1], "the event of the last write")
        shown = [seen.app for seen in watcher.seen if seen.app.metadata.id == app_id and seen.kind != "delete"]
        kind = next(iter(target))
        for each in written:
            what = f"{_condition_text(each)}, revision {each.metadata.revision}"
            expect(each in shown, f"a watch of {kind} has no event with the app as a call returned it: {what}")
        for before, after in pairwise(shown):
            again = after.status.created_at != before.status.created_at
            expected = 1 if again else before.status.conditions[-1].revision + 1
            counted = after.status.conditions[-1].revision
            what = f"the counter in the event after {_condition_text(before)} on a watch of {kind}"
            expect_equal(counted, expected, what)


def _moved(s: Session, cluster: Cluster, app: model.App) -> Iterator[model.App]:
    """Yield a stopped app as each call returns it, while it is changed, started, reported and stopped, twice."""
    for number in range(2):
        changed = s.changed(app, str(number))
        changed.metadata.revision = 0
        yield s.given_update(changed)
        changed.spec.desired_state = RUN
        s.given_update(changed)
        with preparing("a lease"):
            leased = cluster.leases.take(1)[0]
        yield leased
        for status, replicas, message in (
            (PENDING, 0, "accepted"),
            (DEPLOYING, 0, ""),
            (DEPLOYING, 1, ""),
            (DEPLOYING, 1, "another message"),
            (ACTIVE, 1, ""),
            (ACTIVE, 3, ""),
            (ACTIVE, 3, "a message alone"),
            (FAILED, 3, "crashed"),
        ):
            leased = cluster.given_reports(leased, status, replicas=replicas, message=message)
            yield leased
        changed.spec.container.image += "-more"
        yield s.given_update(changed)
        changed.spec.desired_state = STOP
        asked = s.given_update(changed)
        yield asked
        app = cluster.given_reports(asked, STOPPED, replicas=0)
        yield app


def _condition_text(app: model.App) -> str:
    """Return the app's last condition for a reader."""
    return f"{status_name(last_status(app))} ({app.status.conditions[-1].revision})"
