"""CONTRACT, section Watch (WA-1 to WA-10)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.common import identifier_pb2

from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.errors import Code, RpcError

from .api import STOP, Api, Stream, app_id, app_of, kind, project, statuses


def names(events: list[rpc.WatchResponse]) -> list[str]:
    """Return kind and app of each event."""
    return [f"{kind(e)} {app_of(e).metadata.id.name}" for e in events]


def test_a_stream_opens_with_a_snapshot(api: Api) -> None:
    """WA-1: one CreateEvent per matching app, oldest first, each the app as it is, and no end marker."""
    for name in ("b", "a", "c"):
        api.create(name=name)
    app = api.get("b")
    app.spec.container.image = "img:2"
    api.update(app)
    events = api.watch().drain()
    assert names(events) == ["create b", "create a", "create c"]
    assert [app_of(e) for e in events] == [api.get(n) for n in ("b", "a", "c")]


def test_the_snapshot_is_of_one_moment(api: Api) -> None:
    """WA-1, WA-4: writes after the opening come after the whole snapshot, which does not show them."""
    for name in ("a", "b"):
        api.create(name=name, state=STOP)
    stream = api.watch()
    first = stream.next()
    api.delete("b")
    api.create(name="c", state=STOP)
    assert first is not None
    assert names([first, *stream.drain()]) == ["create a", "create b", "delete b", "create c"]


def test_only_the_targets_apps_appear(api: Api) -> None:
    """WA-2: by app, by project and domain, by org."""
    streams = {
        "app": api.watch(app_id=app_id("a")),
        "project": api.watch(project=project()),
        "org": api.watch(org="acme"),
        "other": api.watch(project=project("p2")),
    }
    api.create(name="a", state=STOP)
    api.create(name="b", state=STOP)
    api.create(name="a", state=STOP, domain="d2")
    seen = {target: names(stream.drain()) for target, stream in streams.items()}
    assert seen == {
        "app": ["create a"],
        "project": ["create a", "create b"],
        "org": ["create a", "create b", "create a"],
        "other": [],
    }


def test_a_cluster_sees_its_apps_come_and_go(api: Api) -> None:
    """WA-2: a CreateEvent when the app is assigned to the cluster, a DeleteEvent when it leaves."""
    cluster = api.running().status.assigned_cluster
    stream = api.watch(cluster_id=identifier_pb2.ClusterIdentifier(name=cluster))
    assert names(stream.drain()) == ["create demo"]
    api.create(name="two")
    assert names(stream.drain()) == ["create two"]
    api.stop("demo")
    api.settle()
    ours = [e for e in stream.drain() if app_of(e).metadata.id.name == "demo"]
    assert kind(ours[0]) == "update"
    assert [kind(e) for e in ours].count("delete") == 1 and kind(ours[-1]) == "delete"


def test_every_commit_is_one_event_in_order(api: Api) -> None:
    """WA-3, WA-5, LE-6: creation, assignment, each step, an update, the stop: nothing merged or missing."""
    stream = api.watch(app_id=app_id())
    api.create()
    api.settle()
    app = api.get()
    app.spec.container.image = "img:2"
    api.update(app)
    api.settle()
    api.stop()
    api.settle()
    api.delete()
    events = stream.drain()
    assert [kind(e) for e in events] == ["create", *["update"] * (len(events) - 2), "delete"]
    assert statuses(app_of(events[0])) == ["UNASSIGNED"]
    seen = [statuses(app_of(e)) for e in events[:-1]]
    assert all(len(after) - len(before) in (0, 1) for before, after in pairwise(seen))
    last = [s[-1] for i, s in enumerate(seen) if i == 0 or s[-1] != seen[i - 1][-1]]
    start = ["PENDING", "DEPLOYING", "ACTIVE"]
    assert last == ["UNASSIGNED", "ASSIGNED", *start, *start, "PENDING", "STOPPED"]


def test_no_event_comes_twice(api: Api) -> None:
    """WA-4: two events of one stream never show the same state of one app."""
    api.create()
    stream = api.watch()
    api.settle()
    seen = [app_of(e).SerializeToString(deterministic=True) for e in stream.drain()]
    assert len(seen) == len(set(seen)) > 3


def test_an_update_event_holds_the_state_before(api: Api) -> None:
    """WA-6: old_app is the app of the previous event of the same app on that stream, also after a snapshot."""
    api.create()
    api.create(name="two")
    stream = api.watch()
    api.settle()
    before: dict[str, model.App] = {}
    updates = 0
    for event in stream.drain():
        name = app_of(event).metadata.id.name
        if kind(event) == "update":
            updates += 1
            assert event.update_event.old_app == before[name]
        before[name] = app_of(event)
    assert updates >= 6
    assert before["two"] == api.get("two")


def test_a_creation_is_a_first_event(api: Api) -> None:
    """WA-7, WA-9: an absent app can be watched; each incarnation is a CreateEvent first, the last state last."""
    stream = api.watch(app_id=app_id())
    assert stream.drain() == []
    api.create(state=STOP)
    last = api.get()
    api.delete()
    api.create(state=STOP)
    events = stream.drain()
    assert [kind(e) for e in events] == ["create", "delete", "create"]
    assert events[1].delete_event.app == last


def test_failed_writes_are_no_events(api: Api) -> None:
    """WA-3: a refused write is not to be seen."""
    api.create()
    stream = api.watch()
    stream.drain()
    for attempt in (api.create, api.delete):
        with pytest.raises(Exception, match="demo"):
            attempt()
    assert stream.drain() == []


def test_a_watcher_too_far_behind_is_ended() -> None:
    """WA-5: more than the buffer behind gives RESOURCE_EXHAUSTED after a gapless prefix; others are not disturbed."""
    with FakeControlPlane(clock="manual", org="acme", watch_buffer=5) as plane:
        api = Api(plane)
        for i in range(20):
            api.create(name=f"old{i}", state=STOP)
        slow, quick = api.watch(), api.watch()
        assert len(quick.drain()) == 20
        for i in range(8):
            api.create(name=f"new{i}", state=STOP)
            assert names(quick.drain()) == [f"create new{i}"]
        taken: list[rpc.WatchResponse] = []
        with pytest.raises(RpcError) as refused:
            taken.extend(iter(lambda: slow.next() or pytest.fail("a silent gap"), None))
        assert refused.value.code == Code.RESOURCE_EXHAUSTED
        api.close()


def test_the_snapshot_does_not_count_as_behind() -> None:
    """WA-5: a snapshot larger than the buffer, and as many events as the buffer holds, are delivered."""
    with FakeControlPlane(clock="manual", org="acme", watch_buffer=5) as plane:
        api = Api(plane)
        for i in range(20):
            api.create(name=f"old{i}", state=STOP)
        stream = api.watch()
        for i in range(5):
            api.create(name=f"new{i}", state=STOP)
        assert len(stream.drain()) == 25
        api.close()


def test_a_new_stream_converges(api: Api) -> None:
    """WA-8: whenever a stream is dropped, the snapshot of the next one is the state of that moment."""
    api.create()
    for _ in range(12):
        stream = api.watch()
        assert [app_of(e) for e in stream.drain()] == [api.get()]
        stream.close()
        api.plane.advance(0.1)


def test_a_closed_stream_is_gone(api: Api) -> None:
    """WA-10: closing frees the subscription, and closing twice is harmless."""
    stream = api.watch()
    assert api.plane.open_streams() == 1
    stream.close()
    stream.close()
    assert api.plane.open_streams() == 0


def test_a_plane_that_ends_says_unavailable(api: Api) -> None:
    """WA-10: open streams end with UNAVAILABLE and the message given; new ones are refused so, too."""
    stream = api.watch()
    api.plane.end_streams("going down")
    with pytest.raises(RpcError, match="going down") as refused:
        stream.drain()
    assert refused.value.code == Code.UNAVAILABLE
    with pytest.raises(RpcError) as refused:
        Stream(api.plane, rpc.WatchRequest()).drain()
    assert refused.value.code == Code.UNAVAILABLE


def test_the_generated_client_sees_the_same(api: Api) -> None:
    """WA-1: flyteidl2's client iterates over the direct transport what a subscription delivers."""
    app = api.running()
    responses = iter(api.stub.watch(rpc.WatchRequest(app_id=app_id())))
    assert next(responses).create_event.app == app
    close = getattr(responses, "close", None)
    assert close is not None
    close()
    assert api.plane.open_streams() == 0
