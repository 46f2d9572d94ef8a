"""CONTRACT, section Update (UP-1 to UP-7)."""

from __future__ import annotations

import pytest
from connectrpc.code import Code
from flyteidl2.app import app_definition_pb2 as model

from .api import ABORT_OPENING, NOT_FOUND, RUN, STARTED, Api, app_of, new_app, statuses
from .conftest import Refusal


def test_an_absent_app_is_not_found(api: Api) -> None:
    """UP-1: an Update never creates."""
    with Refusal(NOT_FOUND):
        api.update(new_app())
    assert api.names() == []


def test_an_update_replaces_what_is_the_clients(api: Api) -> None:
    """UP-2: revision +1; spec, labels, code bundle and source are replaced, also by empty; the rest is kept."""
    app = new_app()
    app.metadata.labels["team"] = "red"
    app.metadata.code_bundle_uri = "s3://bundle"
    app.metadata.source_code.link = "http://source"
    app.spec.container.env.add(key="K", value="V")
    before = api.create(app)
    after = api.update(new_app(image="img:2"))
    assert after == api.get()
    assert after.metadata.revision == 2
    assert after.spec.container.image == "img:2" and not after.spec.container.env
    assert not after.metadata.labels and after.metadata.code_bundle_uri == ""
    assert not after.metadata.HasField("source_code")
    assert after.spec.creator == before.spec.creator
    assert after.spec.ingress == before.spec.ingress
    assert after.status.created_at == before.status.created_at
    assert after.status.last_updated_at.ToNanoseconds() > before.status.last_updated_at.ToNanoseconds()


def test_a_default_ingress_keeps_the_stored_one(api: Api) -> None:
    """UP-2: an absent ingress and the `ingress {}` of the SDK keep it; one with content replaces it."""
    stored = api.create().spec.ingress
    app = new_app(image="img:2")
    app.spec.ingress.SetInParent()
    assert api.update(app).spec.ingress == stored
    app = new_app(image="img:2")
    app.spec.ingress.subdomain = "blue"
    after = api.update(app)
    assert after.spec.ingress == model.IngressConfig(subdomain="blue")
    assert after.status.ingress.public_url == "http://blue.apps.localhost"


def test_the_creator_never_changes(api: Api) -> None:
    """UP-2: another creator in the spec is not taken."""
    api.create()
    app = new_app(image="img:2")
    app.spec.creator.user.id.subject = "mallory"
    assert api.update(app).spec.creator.user.id.subject == "anonymous"


def test_the_clients_status_is_ignored(api: Api) -> None:
    """UP-2: a status sent along, even a wrong one, has no effect."""
    app = api.running()
    app.spec.container.image = "img:2"
    app.status.Clear()
    app.status.current_replicas = 9
    app.status.last_assigned_cluster = "mine"
    after = api.update(app)
    assert after.status.current_replicas != 9 and after.status.last_assigned_cluster != "mine"
    assert statuses(after)[0] == "UNASSIGNED"


@pytest.mark.parametrize("revision", [1, 3, 1 << 60])
def test_another_revision_is_aborted(api: Api, revision: int) -> None:
    """UP-3: the message opens as the clients expect, names both revisions, and nothing is changed."""
    app = api.create()
    app.spec.container.image = "img:2"
    before = api.update(app)
    app = new_app(image="img:3")
    app.metadata.revision = revision
    with Refusal(Code.ABORTED) as refused:
        api.update(app)
    assert refused.message.startswith(ABORT_OPENING)
    assert str(revision) in refused.message and "2" in refused.message
    assert api.get() == before


def test_revision_0_means_whatever_is_there(api: Api) -> None:
    """UP-3: an update without a revision is applied to any."""
    api.create()
    assert [api.update(new_app(image=f"img:{i}")).metadata.revision for i in (2, 3, 4)] == [2, 3, 4]


@pytest.mark.parametrize("revision", [0, 1])
def test_an_update_without_a_change_is_aborted(api: Api, revision: int) -> None:
    """UP-4: no new revision and no event, whether the client sends the revision or not."""
    api.create()
    stream = api.watch()
    stream.drain()
    app = api.get()
    app.metadata.revision = revision
    with Refusal(Code.ABORTED) as refused:
        api.update(app)
    assert refused.message.startswith(ABORT_OPENING)
    assert stream.drain() == []
    assert api.get().metadata.revision == 1


def test_what_the_plane_fills_is_no_change(api: Api) -> None:
    """UP-4: the app as it was first sent, without ingress and creator, is the stored one."""
    api.create()
    with Refusal(Code.ABORTED):
        api.update(new_app())


def test_map_order_is_no_change(api: Api) -> None:
    """UP-4: labels compare as a map."""

    def labelled(*keys: str) -> model.App:
        app = new_app()
        for key in keys:
            app.metadata.labels[key] = key
        return app

    api.create(labelled("a", "b", "c"))
    with Refusal(Code.ABORTED):
        api.update(labelled("c", "a", "b"))


@pytest.mark.parametrize("what", ["label", "bundle", "source", "state", "spec"])
def test_each_client_field_is_a_change(api: Api, what: str) -> None:
    """UP-4: labels, code bundle, source code and each part of the spec count; STARTED differs from ACTIVE."""
    app = api.create(state=RUN)
    match what:
        case "label":
            app.metadata.labels["a"] = "b"
        case "bundle":
            app.metadata.code_bundle_uri = "s3://b"
        case "source":
            app.metadata.source_code.link = "http://l"
        case "state":
            app.spec.desired_state = STARTED
        case _:
            app.spec.profile.name = "p"
    assert api.update(app).metadata.revision == 2


def test_a_running_app_is_pending_then_active(api: Api) -> None:
    """UP-5: an update of a running app appends PENDING and ends in ACTIVE."""
    app = api.running()
    app.spec.container.image = "img:2"
    assert statuses(api.update(app)) == [*statuses(app), "PENDING"]
    api.settle()
    assert statuses(api.get())[-1] == "ACTIVE"


def test_a_stop_is_pending_then_stopped(api: Api) -> None:
    """UP-5, LE-5: PENDING at once, later STOPPED with 0 replicas and no cluster; last_assigned_cluster stays."""
    cluster = api.running().status.assigned_cluster
    assert statuses(api.stop())[-1] == "PENDING"
    api.settle()
    status = api.get().status
    assert statuses(api.get())[-1] == "STOPPED"
    assert (status.current_replicas, status.assigned_cluster) == (0, "")
    assert status.last_assigned_cluster == cluster


def test_an_app_that_was_never_acknowledged_keeps_its_condition(api: Api) -> None:
    """UP-5: an update of an app that is only ASSIGNED adds no condition."""
    app = api.create()
    app.spec.container.image = "img:2"
    assert statuses(api.update(app)) == ["UNASSIGNED", "ASSIGNED"]
    api.settle()
    assert statuses(api.get())[-1] == "ACTIVE"


def test_a_stop_without_a_cluster_is_stopped_at_once(pooled: Api) -> None:
    """UP-5: an unassigned app that should stop is STOPPED in the answer."""
    app = new_app()
    app.spec.cluster_pool = "nobodys-pool"
    pooled.create(app)
    assert statuses(pooled.stop())[-1] == "STOPPED"


def test_the_reason_is_in_the_message(api: Api) -> None:
    """UP-6: the condition that the update causes tells why, and who."""
    app = api.running()
    app.spec.container.image = "img:2"
    condition = api.update(app, reason="because of the moon").status.conditions[-1]
    assert "because of the moon" in condition.message
    assert condition.actor.user.id.subject == "anonymous"


@pytest.mark.parametrize("waited", [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0, 1.1])
def test_a_stop_cancels_the_start(api: Api, waited: float) -> None:
    """UP-7: at whatever moment of the start the stop comes, nothing of the start follows."""
    api.create()
    api.plane.advance(waited)
    before = len(api.get().status.conditions)
    api.stop()
    api.settle()
    after = statuses(api.get())[before:]
    assert after in (["PENDING", "STOPPED"], ["STOPPED"])


@pytest.mark.parametrize("waited", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_new_revision_starts_over(api: Api, waited: float) -> None:
    """UP-7: an update in the middle of a start is followed by one whole start and no late report of the old one."""
    api.create()
    api.plane.advance(waited)
    app = api.get()
    stream = api.watch()
    stream.drain()
    app.spec.container.image = "img:2"
    api.update(app)
    api.settle()
    last = [statuses(app_of(e))[-1] for e in stream.drain()]
    assert last.count("ACTIVE") == 1 and last[-1] == "ACTIVE"
    order = ["ASSIGNED", "PENDING", "DEPLOYING", "ACTIVE"]
    assert [order.index(s) for s in last] == sorted(order.index(s) for s in last)


def test_last_started_at_is_per_revision(api: Api) -> None:
    """US-3, US-6: last_started_at moves with the first ACTIVE of a revision; last_updated_at with writes alone."""
    first = api.running()
    written = first.status.last_updated_at
    app = api.get()
    app.spec.container.image = "img:2"
    api.update(app)
    assert api.get().status.last_started_at == first.status.last_started_at
    updated = api.get().status.last_updated_at
    api.settle()
    second = api.get()
    assert second.status.last_started_at.ToNanoseconds() > first.status.last_started_at.ToNanoseconds()
    assert second.status.last_updated_at == updated
    assert updated.ToNanoseconds() > written.ToNanoseconds()
