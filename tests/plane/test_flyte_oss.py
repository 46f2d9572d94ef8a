"""The dialect of the open-source backend: what its recording doesn't show, or what only a stand-in has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from connectrpc.code import Code
from flyteidl2.app import app_logs_payload_pb2 as logs_rpc
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_definition_pb2 import App

from flyteapps_control.arguments import parse_dialect
from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.dialect import Notice
from flyteapps_fake.core.draws import drawn
from flyteapps_fake.core.operations import GET, TAIL_LOGS
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.flyte_oss.simulation.environment import ClusterEnvironment
from flyteapps_fake.flyte_oss.watch_hub import MAX_BUFFERED_EVENTS

from .api import STOP, Api, app_id, app_of, kind, new_app, shown, statuses
from .conftest import Refusal

HEALTHY_SECONDS = 2.0
"""Until an app that starts serves."""


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane of the dialect on the manual clock."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual") as fresh:
        yield fresh


def served(api: Api, app: App | None = None) -> App:
    """Return an app that serves, as a Watch shows it: a Get would be kept."""
    sent = app or new_app()
    api.stub.create(rpc.CreateRequest(app=sent))
    api.plane.advance(HEALTHY_SECONDS)
    return shown(api, sent)


def test_an_update_shows_the_old_state_until_the_operator_reports(api: Api, plane: FakeControlPlane) -> None:
    """After an update an app is ACTIVE for a spec that will fail, as long as `report_seconds` says."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual", report_seconds=7) as slow:
        other = Api(slow)
        served(other)
        slow.advance(7)
        failing = new_app(image="img:2")
        failing.metadata.labels["flyteapps.dev/scenario"] = "image-pull-error"
        assert statuses(other.stub.update(rpc.UpdateRequest(app=failing)).app) == ["ACTIVE"] * 3
        slow.advance(6.9)
        assert statuses(shown(other, failing)) == ["ACTIVE"] * 3
        slow.advance(0.2)
        assert statuses(shown(other, failing)) == ["PENDING"] * 2
        slow.advance(HEALTHY_SECONDS)
        failed = shown(other, failing)
        assert statuses(failed) == ["FAILED"] * 3
        assert failed.status.conditions[1].message.startswith('RevisionFailed: Revision "demo-proj-dev-00002" failed')
        other.close()


def test_a_write_that_meets_the_operators_is_refused(api: Api, plane: FakeControlPlane) -> None:
    """A deploy within 2 ms before a report is due is INTERNAL and changes nothing; a stop is a patch, and never is."""
    api.stub.create(rpc.CreateRequest(app=new_app()))
    plane.advance(0.0485)
    with Refusal(Code.INTERNAL) as refused:
        api.stub.update(rpc.UpdateRequest(app=new_app(image="img:2")))
    assert refused.message == (
        "failed to update KService demo-proj-dev: Operation cannot be fulfilled on services.serving.knative.dev "
        '"demo-proj-dev": the object has been modified; please apply your changes to the latest version and try again'
    )
    assert shown(api, new_app()).spec.container.image == "img:1"
    assert api.stub.create(rpc.CreateRequest(app=new_app())).app.spec.container.image == "img:1"
    api.stub.update(rpc.UpdateRequest(app=new_app(state=STOP)))
    assert statuses(shown(api, new_app())) == ["STOPPED"]


def test_what_is_overdue_refuses_nothing() -> None:
    """On the auto clock, where another app's steps leave a report of this one behind, a write to it is taken."""
    now = 0.0
    with FakeControlPlane.of(Settings(dialect="flyte-oss"), real=lambda: now) as plane:
        api = Api(plane)
        api.create(name="moving")
        api.create(name="left")
        for _ in range(50):
            now += 0.06
            api.get("moving")
        assert api.update(new_app("left", image="img:2")).spec.container.image == "img:2"
        api.close()


def test_the_write_after_a_conflict_is_taken() -> None:
    """The report that a write met has been made by then, also on a clock that stands still and with no delay at all."""
    for clock in ("auto", "manual"):
        with FakeControlPlane(dialect="flyte-oss", clock=clock, report_seconds=0) as plane:
            api = Api(plane)
            api.create()
            with Refusal(Code.INTERNAL):
                api.update(new_app(image="img:2"))
            assert api.update(new_app(image="img:2")).spec.container.image == "img:2"
            api.close()


def test_a_conflict_on_demand(api: Api, plane: FakeControlPlane) -> None:
    """The first write to each version of an app of the scenario `write-conflict` is refused, the next one isn't."""
    app = new_app()
    app.metadata.labels["flyteapps.dev/scenario"] = "write-conflict"
    served(api, app)
    for image in ("img:2", "img:3"):
        app.spec.container.image = image
        with Refusal(Code.INTERNAL):
            api.stub.update(rpc.UpdateRequest(app=app))
        assert api.stub.update(rpc.UpdateRequest(app=app)).app.spec.container.image == image
        plane.advance(HEALTHY_SECONDS)


def test_a_watch_right_after_a_write_hears_of_it_twice(api: Api, plane: FakeControlPlane) -> None:
    """A write of a moment ago is in the snapshot and comes as an event; 5 ms later only in the snapshot."""
    api.stub.create(rpc.CreateRequest(app=new_app()))
    stream = api.watch(app_id=app_id())
    assert [kind(event) for event in stream.drain()] == ["create", "create"]
    plane.advance(0.006)
    later = api.watch(app_id=app_id())
    assert [kind(event) for event in later.drain()] == ["create"]


def test_events_that_do_not_fit_are_dropped(api: Api, plane: FakeControlPlane) -> None:
    """A watcher that doesn't read keeps 100 events and never receives the others; its stream goes on."""
    stream = api.watch(app_id=app_id())
    for number in range(MAX_BUFFERED_EVENTS + 20):
        api.stub.create(rpc.CreateRequest(app=new_app(image=f"img:{number}")))
    seen = stream.drain()
    assert len(seen) == MAX_BUFFERED_EVENTS
    assert app_of(seen[-1]).spec.container.image == f"img:{MAX_BUFFERED_EVENTS - 1}"
    api.stub.create(rpc.CreateRequest(app=new_app(image="img:last")))
    assert [app_of(event).spec.container.image for event in stream.drain()] == ["img:last"]


def test_a_kept_answer_is_given_for_thirty_seconds(api: Api, plane: FakeControlPlane) -> None:
    """A Get is answered as it was, also of another org, for 30 s or until exactly that id is written."""
    api.stub.create(rpc.CreateRequest(app=new_app()))
    assert statuses(api.get("demo")) == []
    plane.advance(29.9)
    assert statuses(api.stub.get(rpc.GetRequest(app_id=app_id(org="other"))).app) == []
    plane.advance(0.2)
    assert statuses(api.get("demo")) == ["ACTIVE"] * 3
    api.stub.delete(rpc.DeleteRequest(app_id=app_id("DEMO")))
    assert api.get("demo")
    api.stub.delete(rpc.DeleteRequest(app_id=app_id("demo")))
    with Refusal(Code.NOT_FOUND):
        api.get("demo")


def test_a_polled_app_moves_on_the_auto_clock() -> None:
    """A client that polls on the auto clock sees an app start, though the first answer is kept at first."""
    now = 0.0
    with FakeControlPlane.of(Settings(dialect="flyte-oss"), real=lambda: now) as plane:
        api = Api(plane)
        api.stub.create(rpc.CreateRequest(app=new_app()))
        seen: list[list[str]] = []
        for _ in range(50):
            plane.call(Call(GET, rpc.GetRequest(app_id=app_id())))
            now += 0.06
            seen.append(statuses(api.get("demo")))
            if seen[-1] == ["ACTIVE"] * 3:
                break
        assert seen[0] == [] and seen[-1] == ["ACTIVE"] * 3
        api.close()


def test_an_idle_app_has_no_pods_until_somebody_asks(api: Api, plane: FakeControlPlane) -> None:
    """An app without requests during its scaledown_period goes to zero without an event; a request brings it back."""
    app = new_app()
    app.spec.autoscaling.scaledown_period.FromSeconds(60)
    assert served(api, app).status.current_replicas == 1
    stream = api.watch(app_id=app_id())
    stream.drain()
    plane.advance(61)
    assert not stream.drain() and shown(api, app).status.current_replicas == 0
    with Refusal(Code.NOT_FOUND) as refused:
        list(api.plane.logs_stub().tail_logs(logs_rpc.TailLogsRequest(app_id=app_id())))
    assert refused.message == "no replicas found"
    assert plane.ask("demo-proj-dev.apps.localhost") is not None
    assert shown(api, app).status.current_replicas == 1


def test_logs_are_for_a_hundred(api: Api, plane: FakeControlPlane) -> None:
    """The 101st log stream is RESOURCE_EXHAUSTED, whatever it asks for; when one is closed, there is room again."""
    served(api)
    streams = [plane.open(Call(TAIL_LOGS, logs_rpc.TailLogsRequest(app_id=app_id()))) for _ in range(100)]
    with Refusal(Code.RESOURCE_EXHAUSTED) as refused:
        next(iter(plane.logs_stub().tail_logs(logs_rpc.TailLogsRequest())))
    assert refused.message == "too many concurrent log streams"
    streams.pop().close()
    streams.append(plane.open(Call(TAIL_LOGS, logs_rpc.TailLogsRequest(app_id=app_id()))))
    for stream in streams:
        stream.close()


def test_logs_end_with_the_pod(api: Api, plane: FakeControlPlane) -> None:
    """A log is followed as long as its pod runs: the list, the lines, and the end after the app is stopped."""
    served(api)
    stream = plane.open(Call(TAIL_LOGS, logs_rpc.TailLogsRequest(app_id=app_id(org="asked"))))
    messages = [logs_rpc.TailLogsResponse.FromString(each) for each in iter(stream.take, None)]
    assert [each.app_id.org for each in messages[0].replicas.replicas] == ["asked"]
    assert messages[1].batches.logs[0].structured_lines[0].message == "Running serve"
    api.stub.update(rpc.UpdateRequest(app=new_app(state=STOP)))
    with pytest.raises(EOFError):
        stream.take()
    stream.close()


def test_a_pod_is_followed_before_its_revision_serves(api: Api, plane: FakeControlPlane) -> None:
    """The log of a new revision's pod, asked for by its name, goes on while the old revision still serves."""
    served(api)
    api.stub.update(rpc.UpdateRequest(app=new_app(image="img:2")))
    plane.advance(0.9)
    assert statuses(shown(api, new_app())) != ["ACTIVE"] * 3
    seed = drawn(0, "demo-proj-dev", 2, 1)
    name = ClusterEnvironment().pod_name("demo-proj-dev", 2, seed)
    request = logs_rpc.TailLogsRequest(replica_id={"app_id": app_id(), "name": name})  # pyright: ignore[reportArgumentType]
    stream = plane.open(Call(TAIL_LOGS, request))
    assert list(iter(stream.take, None))
    assert stream.take() is None
    stream.close()


def test_a_pod_spec_that_is_none_is_internal(api: Api, plane: FakeControlPlane) -> None:
    """A pod whose quantities or containers can't be read is INTERNAL, in the backend's words, and isn't created."""
    for containers in ([{"resources": {"requests": {"cpu": "lots"}}}], "nope"):
        app = new_app()
        app.spec.pod.pod_spec.update({"containers": containers})
        with Refusal(Code.INTERNAL) as refused:
            api.create(app)
        assert refused.message.startswith(
            "failed to build KService for app demo-proj-dev: failed to unmarshal K8sPod spec: "
        )
    assert plane.count() == 0


def test_a_notice_names_the_quantity_that_panics(api: Api, plane: FakeControlPlane) -> None:
    """The answer to an invalid quantity of a container says nothing of it; a notice, for the terminal, names it."""
    notices: list[Notice] = []
    plane.notify(notices.append)
    app = new_app()
    app.spec.container.resources.limits.add(name="MEMORY", value="1Gi")
    app.spec.container.resources.limits.add(name="CPU", value="lots")
    with Refusal(Code.UNAVAILABLE) as refused:
        api.create(app)
    [notice] = notices
    assert (notice.app, refused.message, plane.count()) == ("demo", "unexpected EOF", 0)
    assert notice.message.startswith("spec.container.resources.limits[1] (CPU) is 'lots', which is no quantity")


def test_any_host_can_be_asked_for() -> None:
    """A host is that of an app or it isn't, whatever characters a name and a host have."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual", kubernetes="none") as plane:
        Api(plane).create(name="a[b")
        assert plane.find_by_host("a[b-proj-dev.apps.localhost") is not None
        assert plane.find_by_host("A[B-PROJ-DEV.apps.localhost") is not None
        for host in ("a[b-proj-dev", "a[b-proj-dev.apps.example", "[", "", ".apps.localhost"):
            assert plane.find_by_host(host) is None


def test_without_a_base_domain_there_is_no_url() -> None:
    """An empty base_domain, which the standard dialect refuses, means no public URL at all."""
    with FakeControlPlane(dialect="flyte-oss", clock="manual", base_domain="") as plane:
        app = plane.stub().create(rpc.CreateRequest(app=new_app())).app
        assert app.HasField("status") and not app.status.HasField("ingress")
    with pytest.raises(ValueError, match="base_domain must be a DNS name"):
        FakeControlPlane(base_domain="")


def test_a_dialect_of_a_version() -> None:
    """A name without a version is the newest; one with it, or beside it, is that; settings and states have the name."""
    for settings in (
        Settings(dialect="flyte-oss"),
        Settings(dialect="flyte-oss@2.0.43"),
        Settings(dialect="flyte-oss", dialect_version="2.0.43"),
    ):
        assert (settings.dialect, settings.dialect_version) == ("flyte-oss", "2.0.43")
        assert replace(settings, ingress_port=8080).dialect_version == "2.0.43"
    with FakeControlPlane(dialect="flyte-oss@2.0.43") as plane:
        assert plane.settings.dialect == "flyte-oss"
    assert Settings().dialect_version == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dialect": "flyte-oss@2.0.44"}, "2.0.44 isn't known; known is 2.0.43, as in flyte-oss@2.0.43"),
        ({"dialect": "flyte-oss@"}, "the version is missing; known is 2.0.43"),
        ({"dialect": "standard@1"}, "standard has no versions; give standard"),
        ({"dialect": "flyte-oss", "dialect_version": "2"}, "2 isn't known; known is 2.0.43"),
        ({"dialect": "flyte-oss@2.0.43", "dialect_version": "2"}, "dialect_version '2' isn't that of dialect"),
        ({"dialect": "flyte-2@1"}, "dialect must be one of standard, flyte-oss, not 'flyte-2@1'"),
    ],
)
def test_a_version_that_is_not_there(options: dict[str, str], message: str) -> None:
    """The error names the versions that are known."""
    with pytest.raises(ValueError, match=message):
        FakeControlPlane(**options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # texts


def test_several_versions_that_are_known() -> None:
    """The error names them all, and the newest as an example."""
    with pytest.raises(ValueError, match="3 isn't known; known are 1, 2, as in some@2; some alone is the newest"):
        parse_dialect("some@3", {"some": ("1", "2")})


def test_a_dialect_that_is_not_there() -> None:
    """The error names the dialects that there are."""
    with pytest.raises(ValueError, match="dialect must be one of standard, flyte-oss, not 'flyte-2'"):
        FakeControlPlane(dialect="flyte-2")
    with pytest.raises(ValueError, match="dialect must be one of standard, flyte-oss, not None"):
        FakeControlPlane(dialect=None)  # type: ignore[arg-type]  # what is wrong is the point


def test_there_are_no_leases() -> None:
    """Settings that only make sense with leases are refused, not ignored."""
    made: dict[str, dict[str, Any]] = {
        "data_plane 'none'": {"data_plane": "none"},
        "data_plane 'processes'": {"data_plane": "processes"},
        "pools": {"pools": {"default": ["east"]}},
    }
    for named, options in made.items():
        with pytest.raises(ValueError, match=f"^{named}: clusters .* flyte-oss has no leases: leave it out"):
            FakeControlPlane(dialect="flyte-oss", **options)


def test_the_same_seed_gives_the_same_history() -> None:
    """With the same seed the same calls give the same bytes."""

    def history(seed: int) -> list[bytes]:
        with FakeControlPlane(dialect="flyte-oss", clock="manual", seed=seed) as plane:
            api = Api(plane)
            stream = api.watch(app_id=app_id())
            served(api)
            api.stub.update(rpc.UpdateRequest(app=new_app(image="img:2")))
            plane.advance(HEALTHY_SECONDS)
            tail = plane.open(Call(TAIL_LOGS, logs_rpc.TailLogsRequest(app_id=app_id())))
            taken = [event.SerializeToString(deterministic=True) for event in stream.drain()]
            taken += list(iter(tail.take, None))
            tail.close()
            api.close()
            return taken

    assert history(1) == history(1)
    assert history(1) != history(2)
