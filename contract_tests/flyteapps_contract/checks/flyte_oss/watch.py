"""Watch in flyte-oss: rows OSS-24 to OSS-29."""

from __future__ import annotations

from flyteidl2.app import app_payload_pb2 as rpc

from flyteapps_contract.checks.support.oss import changed, given_watched, next_of, shown, silent, stopped, until
from flyteapps_contract.checks.support.registry import check
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import NotOffered
from flyteapps_contract.session import SERVICE, Session, copy
from flyteapps_contract.streams import Watcher

BUFFER = 100
"""Events that a consumer may be behind."""
BURST, PADDING = 250, 150_000
"""So many updates of an app of so many bytes: more than a connection holds by itself."""


@check("OSS-24")
def only_apps_are_watched(s: Session) -> None:
    """Watch by org, project or cluster is UNIMPLEMENTED."""
    for target in ({"org": s.run.org or "flyte"}, {"project": s.scope()}, {"cluster_id": s.cluster("c")}):
        error = s.watch(**target).end(f"the end of a watch by {min(target)}")
        with expect_refusal(
            "UNIMPLEMENTED", f"Watch by {min(target)}", opening="only app_id watch target is supported"
        ):
            if error is not None:
                raise error


@check("OSS-24")
def a_watch_of_nothing_gives_a_snapshot_and_is_silent(s: Session) -> None:
    """Without a target every app comes as a CreateEvent, and then nothing, whatever is written."""
    app, control = given_watched(s)
    for request in (rpc.WatchRequest(), rpc.WatchRequest(app_id={})):
        queue_stream = s.plane.link.stream(SERVICE, "Watch", request, rpc.WatchResponse)
        watcher = Watcher(queue_stream)
        try:
            seen = until(s, watcher, lambda seen: seen.name == app.metadata.id.name, "the app in the snapshot")
            expect_equal({each.kind for each in seen}, {"create"}, "the kinds of the events of a snapshot")
            s.update(changed(app, f"img:{s.run.number()}"))
            next_of(s, control, "the update")
            own = [each for each in iter(watcher.poll, None) if each.kind != "create"]
            expect(not own, "a watch without a target should show no event after its snapshot")
            silent(s, watcher)
        finally:
            queue_stream.close()


@check("OSS-25", needs=("projects",))
def apps_of_the_same_name_leak_in(s: Session) -> None:
    """A watch of an app shows what becomes of an app of the same name in another project."""
    app, watcher = given_watched(s)
    other = s.app(app.metadata.id.name, project=f"{s.project}-other")
    s.create(other)
    seen = next_of(s, watcher, "the creation of an app of the same name")
    expect_equal((seen.kind, seen.app.metadata.id.project), ("create", other.metadata.id.project), "the event")
    s.delete(other.metadata.id)
    until(s, watcher, lambda seen: seen.kind == "delete", "its deletion")


@check("OSS-25", needs=("projects",))
def a_snapshot_is_of_its_project(s: Session) -> None:
    """The snapshot of a watch leaves out the app of that name in another project."""
    app = s.given_active()
    watcher = s.watch(app_id=s.id(app.metadata.id.name, project=f"{s.project}-none"))
    silent(s, watcher)


@check("OSS-25")
def a_name_in_another_case_sees_nothing(s: Session) -> None:
    """A watch of the name in another case, though it is the same app, shows nothing at all."""
    app, control = given_watched(s)
    other = copy(app).metadata.id
    other.name = other.name.upper()
    watcher = s.watch(app_id=other)
    silent(s, watcher)
    s.update(changed(app, "img:2"))
    next_of(s, control, "the update")
    silent(s, watcher)


@check("OSS-26")
def a_watch_begins_with_the_app_as_it_is(s: Session) -> None:
    """A watch of an app that exists begins with a CreateEvent of it as it is shown now."""
    app, watcher = given_watched(s)
    expect_equal(watcher.seen[0].app, app, "the app in the first event")
    stopped(s, app)
    again = s.watch(app_id=app.metadata.id)
    first = next_of(s, again, "the snapshot")
    expect_equal((first.kind, first.app.spec), ("create", shown(s, app.metadata.id).spec), "the first event")


@check("OSS-26")
def a_watch_misses_nothing(s: Session) -> None:
    """Every update of an app that is watched is seen, in order; an event that comes again is as it was."""
    app, watcher = given_watched(s)
    images = [f"img:n{number}" for number in range(10)]
    for image in images:
        s.update(changed(app, image))
    seen = until(s, watcher, lambda seen: seen.app.spec.container.image == images[-1], "the last update")
    expect_equal(list(dict.fromkeys(each.app.spec.container.image for each in seen)), images, "the images, in order")


@check("OSS-27")
def an_update_event_has_no_old_app(s: Session) -> None:
    """UpdateEvents of writes and of the cluster's reports come without old_app."""
    app, watcher = given_watched(s)
    s.update(changed(app, "img:2"))
    stopped(s, changed(app, "img:2"))
    seen = until(s, watcher, lambda seen: not seen.app.status.HasField("k8s_metadata"), "the stop")
    for each in seen:
        expect_equal(each.kind, "update", "the kind of an event of an app that exists")
        expect(each.old is None, "an UpdateEvent should have no old_app")


@check("OSS-28")
def a_watch_of_an_absent_app_shows_its_creation(s: Session) -> None:
    """A watch of an absent app stays open, and shows its creation."""
    app = s.app()
    watcher = s.watch(app_id=app.metadata.id)
    silent(s, watcher)
    s.create(app)
    seen = next_of(s, watcher, "the creation")
    expect_equal((seen.kind, seen.app.spec), ("create", app.spec), "the first event of an app that was absent")


@check("OSS-28")
def a_deletion_does_not_end_a_watch(s: Session) -> None:
    """A deletion is a DeleteEvent with the last state; a creation of that id afterwards is a CreateEvent."""
    app, watcher = given_watched(s)
    s.delete(app.metadata.id)
    seen = next_of(s, watcher, "the deletion")
    expect_equal((seen.kind, seen.app), ("delete", app), "the event of a deletion")
    s.create(changed(app, "img:2"))
    again = next_of(s, watcher, "the creation")
    expect_equal((again.kind, again.app.spec.container.image), ("create", "img:2"), "the event of a creation")
    expect_equal(list(again.app.status.conditions), [], "the conditions of an app that was just created")


@check("OSS-29", needs=("fresh",))
def a_consumer_that_falls_behind_is_not_notified(s: Session) -> None:
    """A consumer that stops reading loses events beyond the buffer, and its stream goes on without an error."""
    app, watcher = given_watched(s)
    watcher.pause()
    new = changed(app, "img:0")
    new.spec.container.args.append("x" * PADDING)
    images = [f"img:b{number}" for number in range(BURST)]
    for image in images:
        new.spec.container.image = image
        s.update(new)
    watcher.resume()
    seen: list[str] = []
    while (event := watcher.poll(1.0)) is not None:
        seen.append(event.app.spec.container.image)
    written = [image for image in images if image in set(seen)]
    expect_equal(list(dict.fromkeys(seen)), written, "the images that a slow consumer sees, in order")
    expect(len(written) >= BUFFER, f"a consumer may be {BUFFER} events behind, but saw {len(written)} of {BURST}")
    if len(written) == BURST and s.capabilities.http:
        raise NotOffered("a client over HTTP reads ahead of its consumer, which is never behind")
    expect(len(written) < BURST, f"a consumer that was {BURST} events behind should have lost some")
    s.update(changed(app, "img:after"))
    until(s, watcher, lambda seen: seen.app.spec.container.image == "img:after", "a write after it reads again")
