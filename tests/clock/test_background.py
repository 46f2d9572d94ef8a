"""Background steps on the auto clock: they happen when time moves past them for another app, at their own time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec, Status
from flyteidl2.app.app_payload_pb2 import CreateRequest, CreateResponse, WatchRequest, WatchResponse
from flyteidl2.core.tasks_pb2 import Container
from innards import state_of

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE, WATCH
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.time.clock import SECOND, from_timestamp

ACTIVE, FAILED = Status.DEPLOYMENT_STATUS_ACTIVE, Status.DEPLOYMENT_STATUS_FAILED


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane on the auto clock whose real time stands still: only an app's one watcher moves it."""
    with FakeControlPlane.of(Settings(org="o"), real=lambda: 0.0) as fresh:
        yield fresh


def create(plane: FakeControlPlane, name: str, scenario: str = "healthy", idle_seconds: int = 0) -> App:
    spec = Spec(container=Container(image="x"))
    if idle_seconds:
        spec.autoscaling.replicas.max = 1
        spec.autoscaling.scaledown_period.seconds = idle_seconds
    meta = Meta(id=Identifier(project="p", domain="d", name=name), labels={"flyteapps.dev/scenario": scenario})
    return CreateResponse.FromString(plane.call(Call(CREATE, CreateRequest(app=App(metadata=meta, spec=spec))))).app


def watched(plane: FakeControlPlane, app: App, until: Callable[[App], bool]) -> App:
    """Return the app once its watcher has seen that."""
    stream = plane.open(Call(WATCH, WatchRequest(app_id=app.metadata.id)))
    try:
        while True:
            item = stream.take()
            if item is None:
                stream.sent()
                assert not stream.idle(), "nothing more comes"
                continue
            event = WatchResponse.FromString(item)
            seen = event.update_event.updated_app if event.HasField("update_event") else event.create_event.app
            if until(seen):
                return seen
    finally:
        stream.close()


def is_active(app: App) -> bool:
    return app.status.conditions[-1].deployment_status == ACTIVE


def has_failed(app: App) -> bool:
    return app.status.conditions[-1].deployment_status == FAILED


def now_of(plane: FakeControlPlane, name: str) -> App:
    """Return the app as it is, read past the plane's own counting of reads."""
    state = state_of(plane)  # a Get would count as polling
    return next(record.parse() for record in state.store.members(("org",)) if record.key.name == name)


def substates(app: App) -> list[str]:
    return [Status.Substate.Name(each.substate) for each in app.status.conditions if each.substate]


def test_an_idle_app_goes_to_zero_at_its_time(plane: FakeControlPlane) -> None:
    """Time moves for another app: the idle one went to zero when its period was over, not when time moved."""
    idle = watched(plane, create(plane, "idle", idle_seconds=60), is_active)
    watched(plane, create(plane, "other", "slow-image"), is_active)
    scaled = now_of(plane, "idle")
    assert substates(scaled)[-2:] == ["SCALING_DOWN", "SCALED_TO_ZERO"]
    began, ended = (from_timestamp(scaled.status.conditions[at].last_transition_time) for at in (-3, -2))
    assert 60 * SECOND <= ended - began < 61 * SECOND
    assert (idle.status.current_replicas, scaled.status.current_replicas) == (1, 0)


def test_an_app_at_zero_wakes_up_when_it_is_asked_for(plane: FakeControlPlane) -> None:
    """A request to its URL wakes it, and its watcher sees it run again."""
    app = watched(plane, create(plane, "idle", idle_seconds=60), is_active)
    watched(plane, create(plane, "other", "slow-image"), is_active)
    assert plane.ask(urlsplit(app.status.ingress.public_url).hostname or "") is not None
    woken = watched(plane, app, lambda seen: substates(seen)[-1] == "RUNNING")
    assert substates(woken)[-3:] == ["SCALED_TO_ZERO", "SCALING_FROM_ZERO", "RUNNING"]
    assert woken.status.current_replicas == 1


def test_the_simulated_clusters_lease_does_not_run_out_for_want_of_a_watcher(plane: FakeControlPlane) -> None:
    """Minutes pass for another app: an unwatched one is still leased, and comes up once it is watched."""
    unwatched = create(plane, "unwatched")
    watched(plane, create(plane, "other", "slow-image"), is_active)
    assert now_of(plane, "unwatched") == unwatched
    active = watched(plane, unwatched, is_active)
    assert len(active.status.conditions) == 6, "no lease ran out on the way"


def test_a_crashed_container_is_started_again_in_the_background(plane: FakeControlPlane) -> None:
    """A watcher that waits for the failure is notified once; later crashes show when time has moved on."""
    failed = watched(plane, create(plane, "broken", "crash-loop"), has_failed)
    assert substates(failed).count("CRASH_LOOP") == 1
    watched(plane, create(plane, "other", "slow-image"), is_active)
    assert substates(now_of(plane, "broken")).count("CRASH_LOOP") > 3
