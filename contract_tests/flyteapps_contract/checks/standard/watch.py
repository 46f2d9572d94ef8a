"""Watch: rows WA-1 to WA-10.

Most checks take a history from writing.py and pass the events of a stream to one rule of model/watching.py: only
the rule, or an expectation of the row's own, can break a guarantee.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.common import identifier_pb2

from flyteapps_contract import streams
from flyteapps_contract.checks.support import writing
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.model import watching
from flyteapps_contract.outcomes import Refused, Unjudged
from flyteapps_contract.session import RUN, STOP, STOPPED, Session, copy, preparing
from flyteapps_contract.streams import QUIET, Watcher

POLL_SECONDS = 0.02
"""Real seconds between two looks at the number of open streams."""


def _holds(broken: str) -> None:
    expect(not broken, broken)


@check("WA-1")
def a_watch_opens_with_what_is_there(s: Session) -> None:
    """A watch of a project or an org opens with one CreateEvent an app, as it is now, by created_at."""
    writer = writing.Writer(s)
    names = [s.name() for _ in range(5)]
    apps = [writer.create(names[at]) for at in (4, 1, 3, 0, 2)]
    writer.update(apps[0])
    writer.delete(apps[2])
    writer.update(apps[1])
    expected = list(writer.now.values())
    for target in ({"project": s.scope()}, {"org": apps[0].metadata.id.org}):
        watcher = s.watch(**target)
        events = [writer.next(watcher) for _ in expected]
        expect_equal([event.kind for event in events], ["create"] * len(expected), "the kinds of the first events")
        shown = [event.name for event in events]
        expect_equal(shown, watching.in_snapshot_order(expected), "the apps of the snapshot, by created_at")
        for event in events:
            expect_equal(event.app, writer.now[event.name], f"{event.name} in the snapshot")


@check("WA-1")
def an_app_watch_opens_with_that_app(s: Session) -> None:
    """A watch of one app that exists opens with one CreateEvent of it, as it is now."""
    writer = writing.Writer(s)
    app = writer.update(writer.create())
    event = s.watch(app_id=app.metadata.id).next()
    expect_equal(event.kind, "create", "the kind of the first event")
    expect_equal(event.app, app, "the app of the snapshot")


@check("WA-1")
def a_snapshot_has_no_end_marker(s: Session) -> None:
    """A snapshot is not followed by a message without an app."""
    writer = writing.Writer(s)
    app_id = writer.create().metadata.id
    for target in ({"project": s.scope()}, {"org": app_id.org}, {"app_id": app_id}):
        watcher = writer.opened(**target)
        for _ in range(writing.FEW):  # apps of others may change all the time
            event = watcher.poll(QUIET)
            if event is None:
                break
            expect(event.name, f"a {event.kind} event without an app came after the snapshot")


@check("WA-1")
def a_snapshot_is_of_one_moment(s: Session) -> None:
    """A snapshot that races writes shows all apps as of one sequence number."""
    race = writing.Race(s)
    for stream in race.streams:
        left, right = race.first_of(stream, race.left), race.first_of(stream, race.right)
        lead = left.app.metadata.revision - right.app.metadata.revision
        expect(
            lead in (0, 1),
            "two apps were written in turn, but a snapshot shows the first at revision "
            f"{left.app.metadata.revision} and the second at {right.app.metadata.revision}",
        )


@check("WA-2", needs=("projects",))
def a_project_watch_shows_that_project_alone(s: Session) -> None:
    """A watch of a project shows no app of another project or domain, in the snapshot or later."""
    writer = writing.Writer(s)
    others = [writer.create(project=s.project + "x"), writer.create(domain=s.domain + "x")]
    own = writer.create()
    watcher = writer.opened()
    for app in others:
        writer.update(app)
        writer.delete(app)
        writer.create(project=app.metadata.id.project, domain=app.metadata.id.domain)
    writer.update(own)
    last = writer.create()
    shown = watching.ids(writer.read(watcher, last))
    expect_equal(shown, {watching.key_of(own), watching.key_of(last)}, "the ids that a watch of a project showed")


@check("WA-2", needs=("projects",))
def an_app_watch_shows_that_app_alone(s: Session) -> None:
    """A watch of an app shows no neighbour, nor the app of that name in another project or domain."""
    app = s.given_stopped()
    name = app.metadata.id.name
    watcher = s.watch(app_id=app.metadata.id)
    with preparing("reading the snapshot"):
        watcher.until(lambda seen: seen.app == app, "the snapshot")
    for other in (s.app(name + "0", state=STOP), *writing.namesakes(s, app)):
        s.given_deleted(s.given_update(s.changed(s.given(other), "other")))
    last = s.given_update(s.changed(app, "last"))
    with preparing("reading the stream up to the last write"):
        watcher.until(lambda seen: seen.app == last, "the event of the last write")
    expect_equal(watching.ids(watcher.seen), {watching.key_of(app)}, "the ids that a watch of an app showed")


@check("WA-2", needs=("projects",))
def an_org_watch_shows_all_its_projects(s: Session) -> None:
    """A watch of an org shows the changes of the apps of all its projects and domains."""
    writer = writing.Writer(s)
    apps = [writer.create(), writer.create(project=s.project + "x"), writer.create(domain=s.domain + "x")]
    watcher = writer.opened(org=apps[0].metadata.id.org)
    for app in (*apps, *apps):
        writer.update(app)
    last = writer.create()
    shown = watching.ids(event for event in writer.read(watcher, last) if event.app.metadata.revision > 1)
    expect_equal(shown, {watching.key_of(app) for app in apps}, "the ids that a watch of an org showed as updated")


@check("WA-2")
def a_watch_of_another_org_shows_nothing(s: Session) -> None:
    """A watch of another org, by any target, shows no app of this one."""
    writer = writing.Writer(s)
    app = writer.create()
    org = s.name()
    elsewhere = copy(app).metadata.id
    elsewhere.org = org
    scope = s.scope()
    scope.organization = org
    watchers = [s.watch(**target) for target in ({"org": org}, {"project": scope}, {"app_id": elsewhere})]
    own = writer.opened()
    app = writer.update(app)
    with preparing("reading the write on a watch of the app's own project"):
        own.until(lambda seen: seen.app == app, "the event")
    for watcher in watchers:
        expect(writing.silent(watcher), f"a watch of another org showed {[event.name for event in watcher.seen]}")


@check("WA-2", needs=("cluster",))
def an_app_comes_to_its_cluster_and_goes(s: Session) -> None:
    """A cluster's watch shows an app's changes, its leaving as a DeleteEvent, its return as a CreateEvent."""
    app = s.given_active()
    watcher = s.watch(cluster_id=writing.cluster_of(app))
    name = app.metadata.id.name
    with preparing("reading the snapshot of the cluster"):
        writing.next_of(watcher, name)
    app.spec.desired_state = STOP
    revision = s.given_update(app).metadata.revision
    stopped = s.given_rest(app.metadata.id, STOPPED)
    events = watcher.until(lambda seen: seen.name == name and seen.kind != "update", "the app's leaving")
    expect_equal(events[-1].kind, "delete", "the event of an app that leaves its cluster")
    shown = [event for event in events[:-1] if event.name == name and event.app.metadata.revision == revision]
    expect(shown, "the update that stops an app never showed on its cluster's watch")
    stopped.spec.desired_state = RUN
    s.given_update(stopped)
    back = writing.next_of(watcher, name)
    expect_equal(back.kind, "create", "the event of an app that is assigned again")
    expect_equal(back.app.status.assigned_cluster, app.status.assigned_cluster, "its assigned_cluster")


@check("WA-2", needs=("cluster",))
def a_cluster_watch_shows_what_is_assigned_to_it(s: Session) -> None:
    """A cluster's watch shows a new app by a CreateEvent, assigned, and no app that is not assigned to the cluster."""
    known = s.given_active()
    cluster = writing.cluster_of(known)
    nobody = s.watch(cluster_id=identifier_pb2.ClusterIdentifier(organization=cluster.organization, name=s.name()))
    watcher = s.watch(cluster_id=cluster)
    with preparing("reading the snapshot of the cluster"):
        writing.next_of(watcher, known.metadata.id.name)
    stopped = s.given_update(s.changed(s.given_stopped(), "other"))
    app = s.given()
    event = writing.next_of(watcher, app.metadata.id.name)
    expect_equal(event.kind, "create", "the event of an app that is assigned")
    expect_equal(event.app.status.assigned_cluster, cluster.name, "its assigned_cluster")
    shown = {seen.name for seen in watcher.seen}
    expect(stopped.metadata.id.name not in shown, "the watch of a cluster showed an app that is not assigned to it")
    expect(writing.silent(nobody), f"a cluster without apps was shown {[seen.name for seen in nobody.seen]}")


@check("WA-3")
def every_write_is_one_event_in_order(s: Session) -> None:
    """A watch shows each creation, update and deletion as one event, in the order in which they were written."""
    history = writing.History(s)
    seen = watching.marks(
        watching.without_duplicates(history.seen)
    )  # duplicates are WA-4's, and what is missing is WA-5's
    _holds(watching.order_rule(seen, [mark for mark in watching.marks(history.written) if mark in seen]))
    _holds(watching.merged_rule(history.seen))


@check("WA-3")
def all_streams_show_one_order(s: Session) -> None:
    """Writes from two threads come in the same order on every stream."""
    writer, other = writing.Writer(s), writing.Writer(s)
    mine, theirs = writer.create(), other.create()
    names = {mine.metadata.id.name, theirs.metadata.id.name}
    watchers = [other.opened(), other.opened(), other.opened(org=mine.metadata.id.org)]

    with ThreadPoolExecutor(2) as pool:
        for written in [pool.submit(by.update_often, app) for by, app in ((writer, mine), (other, theirs))]:
            written.result()
    last = writer.create()
    for watcher in watchers:
        writer.read(watcher, last)
    shown = [[seen for seen in watcher.seen if seen.name in names] for watcher in watchers]
    first, *others = [watching.marks(watching.without_duplicates(stream)) for stream in shown]
    for stream in others:
        common = [mark for mark in first if mark in stream]
        _holds(watching.order_rule([mark for mark in stream if mark in first], common))


@check("WA-3", needs=("cluster",))
def a_deployment_shows_every_step(s: Session) -> None:
    """An app that is deployed, changed, stopped and started shows each new condition in an event of its own."""
    events = writing.life(s)
    expect_equal(len(events[0].app.status.conditions), 1, "the number of conditions in the first event")
    _holds(watching.step_rule(events))


@check("WA-4")
def no_event_comes_twice(s: Session) -> None:
    """No creation, update or deletion shows twice on a stream."""
    _holds(watching.unique_rule(writing.History(s).seen))


@check("WA-4")
def a_write_that_races_the_subscription_shows_once(s: Session) -> None:
    """A write that races the subscription shows in the snapshot or as an event, not both."""
    for stream in writing.Race(s).streams:
        _holds(watching.unique_rule(stream))


@check("WA-5")
def a_long_burst_is_shown_without_a_gap(s: Session) -> None:
    """A consumer that reads gets every event of a burst longer than any buffer."""
    writer = writing.Writer(s)
    app = writer.create()
    watcher = writer.opened()
    written = writing.burst(s, app)
    seen = writer.read(watcher, writer.create())
    _holds(watching.gapless_rule(watching.marks(seen), [watching.mark_of("update", each) for each in written]))


@check("WA-5", needs=("fresh",))
def a_consumer_that_falls_behind_is_notified(s: Session) -> None:
    """A consumer that stops reading gets every event in the end, or RESOURCE_EXHAUSTED after a part without gaps."""
    writer = writing.Writer(s)
    app = writer.create()
    watcher = writer.opened()
    watcher.pause()
    revisions = [each.metadata.revision for each in writing.burst(s, app)]
    last = writer.create()
    watcher.resume()
    code = ""
    try:
        watcher.until(lambda seen: seen.name == last.metadata.id.name, "the event of the last write")
    except Refused as error:
        code = error.code
    shown = [seen.app.metadata.revision for seen in watcher.seen if seen.name == app.metadata.id.name]
    missing = sorted(set(range(1, shown[-1] + 1)) - set(shown))
    expect(not missing, f"a consumer that had fallen behind was shown revision {shown[-1]}, but not {missing[:1]}")
    if len(shown) <= len(revisions):
        expect_equal(code, "RESOURCE_EXHAUSTED", "the code that a stream with missing events ended with")


@check("WA-5")
def no_write_is_lost_between_snapshot_and_stream(s: Session) -> None:
    """Every write after the snapshot of a stream that was opened while another thread wrote is an event of it."""
    race = writing.Race(s)
    written = watching.marks(race.written)
    for stream in race.streams:
        shown = race.first_of(stream, race.left).app
        wrote = [at for at, each in enumerate(race.written) if each.name == race.left and each.kind == "update"]
        after = [at for at in wrote if race.written[at].app.metadata.revision > shown.metadata.revision]
        # what was written between those two updates of `left` may be in the snapshot, where a deletion can't be seen
        _holds(watching.gapless_rule(watching.marks(stream), written[after[0] if after else -1 :]))


@check("WA-6")
def old_app_is_the_app_of_the_event_before(s: Session) -> None:
    """An UpdateEvent's old_app equals the app of the previous event of that app on the stream."""
    _holds(watching.previous_rule(writing.History(s).seen))


@check("WA-6", needs=("cluster",))
def old_app_follows_a_deployment(s: Session) -> None:
    """old_app equals the app of the previous event also where the cluster moved the app."""
    _holds(watching.previous_rule(writing.life(s)))


@check("WA-6")
def old_app_is_the_app_of_the_snapshot(s: Session) -> None:
    """The first UpdateEvent after a snapshot has the snapshot's app as old_app, on every kind of target."""
    writer = writing.Writer(s)
    app = writer.update(writer.create())
    app_id = app.metadata.id
    for target in ({"project": s.scope()}, {"org": app_id.org}, {"app_id": app_id}):
        watcher = writer.opened(**target)
        writer.update(app)
        with preparing("reading the update"):
            writer.next(watcher)
        _holds(watching.previous_rule(writer.own(watcher.seen)))


@check("WA-7")
def a_create_event_is_a_first_appearance(s: Session) -> None:
    """A CreateEvent comes for the snapshot, a creation and a re-creation, and for nothing else."""
    _holds(watching.first_event_rule(writing.History(s).seen))


@check("WA-7", needs=("cluster",))
def a_deployment_is_no_first_appearance(s: Session) -> None:
    """Of an app that is deployed, changed, stopped, started and deleted, the first event alone is a CreateEvent."""
    events = writing.life(s)
    _holds(watching.first_event_rule(events))
    _holds(watching.last_state_rule(events))


@check("WA-7")
def a_delete_event_carries_the_last_state(s: Session) -> None:
    """A DeleteEvent carries the app as the event before left it."""
    _holds(watching.last_state_rule(writing.History(s).seen))


@check("WA-8")
def a_new_stream_converges(s: Session) -> None:
    """Wherever a stream was dropped, what a new one shows comes to the state that the lost events led to."""
    writer = writing.Writer(s)
    first, second = writer.create(), writer.create()
    name = first.metadata.id.name
    lost: list[Callable[[], object]] = [
        lambda: writer.update(second),
        lambda: writer.create(),
        lambda: (writer.update(first), writer.delete(first)),
        lambda: writer.create(name),
        lambda: (writer.delete(writer.now[name]), writer.create(name), writer.update(writer.now[name])),
        lambda: (writer.delete(second), writer.delete(writer.now[name])),
    ]
    dropped = writer.opened()
    for write in lost:
        dropped.close()
        write()
        dropped = s.watch()
        # created last, so that it is also the last of the snapshot where it is in there
        last = writer.create()
        state = watching.fold(writer.read(dropped, last))
        expect_equal(state, {watching.key_of(app): app for app in writer.now.values()}, "the state of a new stream")
        writer.delete(last)


@check("WA-9")
def an_absent_app_can_be_watched(s: Session) -> None:
    """A watch of an absent app is silent and stays open, and shows the app's creation."""
    app_id = s.id()
    watcher = s.watch(app_id=app_id)
    expect(watcher.poll(QUIET) is None, "a watch of an absent app showed an event")
    app = s.given_stopped(name=app_id.name)
    event = watcher.next("the creation of a watched id")
    expect_equal((event.kind, event.app), ("create", app), "the first event of a watched id")


@check("WA-9")
def a_deletion_does_not_end_the_stream(s: Session) -> None:
    """A stream outlives the deletion of its app, or of its project's last app, and shows what is created next."""
    writer = writing.Writer(s)
    app = writer.create()
    watchers = [writer.opened(app_id=app.metadata.id), writer.opened()]
    for _ in range(2):
        writer.delete(app)
        writer.create(app.metadata.id.name)
        for watcher in watchers:
            shown = watcher.until(lambda seen: seen.app == writer.now.get(seen.name), "the creation after a deletion")
            expect_equal(shown[-1].name, app.metadata.id.name, "the app that was created after a deletion")


@check("WA-10", needs=("fresh",))
def a_plane_that_shuts_down_ends_streams_with_unavailable(s: Session) -> None:
    """A plane that shuts down ends every stream with UNAVAILABLE, idle or not."""
    writer = writing.Writer(s)
    app = writer.create()
    app_id = app.metadata.id
    watchers = [writer.opened(**target) for target in ({}, {"org": app_id.org}, {"app_id": app_id})]
    writer.update(app)
    s.plane.end()
    for watcher in watchers:
        error = watcher.end("the end of a stream of a plane that shut down")
        expect(error is not None, "a stream ended without an error when the plane shut down")
        expect_equal(error.code if error else "", "UNAVAILABLE", "the code that a stream ended with")


@check("WA-10")
def a_client_that_leaves_disturbs_nobody(s: Session) -> None:
    """Streams that are closed, with and without having been read, leave other streams whole."""
    writer = writing.Writer(s)
    app = writer.create()
    stays = [writer.opened(), writer.opened(app_id=app.metadata.id)]

    def stay_whole() -> None:
        last = writer.update(app)
        for watcher in stays:
            watcher.until(lambda seen: seen.app == last, "the event of the last write")
            _holds(watching.gapless_rule(watching.marks(watcher.seen), watching.marks(writer.written)))

    with preparing("reading streams while nobody leaves"):
        writer.update(app)
        stay_whole()
    for leaving in [writer.opened() for _ in range(4)]:
        writer.update(app)
        leaving.close()
        s.watch(app_id=app.metadata.id).close()
        stay_whole()


@check("WA-10", needs=("projects",))
def closed_streams_are_freed(s: Session) -> None:
    """Streams that are closed are open at the plane no longer: read, unread, behind with events, of a deleted app."""
    s.plane.open_streams(s.project)  # or it is not offered
    writer = writing.Writer(s)
    app, deleted = writer.create(), writer.create()
    stays = writer.opened()
    before = s.plane.open_streams(s.project)

    def opened(**target: object) -> Watcher:
        watcher = s.watch(**target)
        with preparing("reading a snapshot"):
            writer.next(watcher)
        return watcher

    ids = app.metadata.id, deleted.metadata.id
    targets: list[dict[str, object]] = [{}, *({"app_id": each} for each in ids)]
    leaving = [[opened(**target) for target in targets] for _ in range(3)]
    count = sum(map(len, leaving))
    if s.plane.open_streams(s.project) < before + count:
        raise Unjudged(f"the target counts {s.plane.open_streams(s.project)} streams, where {before + count} are open")
    _close(leaving[0])
    for watcher in leaving[1]:
        watcher.pause()
    writer.update_often(app)  # which those don't read
    _close(leaving[1])
    writer.delete(deleted)
    _close(leaving[2])
    if s.plane.link.opens_at_once:
        count += len(targets)
        _close([s.watch(**target) for target in targets])
    left = _left_open(s, writer, app, before)
    expect(left <= 0, f"of {count} streams that were closed the plane holds {left} open")
    last = writer.update(app)
    stays.until(lambda seen: seen.app == last, "the event of the last write")


def _close(watchers: list[Watcher]) -> None:
    for watcher in watchers:
        watcher.close()


def _left_open(s: Session, writer: writing.Writer, app: model.App, before: int) -> int:
    """Return how many streams more than before stay open, also once there was an event to send them."""
    until = time.monotonic() + streams.PATIENCE
    looks = 0
    while (left := s.plane.open_streams(s.project) - before) > 0 and time.monotonic() < until:
        if looks in (0, 10, 100):
            writer.update(app)
        looks += 1
        time.sleep(POLL_SECONDS)
    return left
