"""Reset, snapshots, export and load by the control API, in process and over the wire."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import App, Identifier, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest, WatchRequest

from flyteapps_control import states
from flyteapps_control.api import ControlError
from flyteapps_control.face import Control
from flyteapps_control.remote import connect_control
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.state import transfers
from flyteapps_fake.core.errors import RpcError


def named(name: str, project: str = "demo") -> Identifier:
    """The id of an app."""
    return Identifier(project=project, domain="development", name=name)


def create(plane: FakeControlPlane, name: str, project: str = "demo") -> App:
    """Create an app, and return it."""
    request = CreateRequest()
    request.app.metadata.id.CopyFrom(named(name, project))
    request.app.spec.container.image = "example.org/hello:1"
    request.app.spec.desired_state = Spec.DESIRED_STATE_ACTIVE
    plane.stub().create(request)
    return get(plane, name, project)


def get(plane: FakeControlPlane, name: str, project: str = "demo") -> App:
    """The app of that name."""
    return plane.stub().get(GetRequest(app_id=named(name, project))).app


def watch(plane: FakeControlPlane, name: str, project: str = "demo") -> Iterator[Any]:
    """Open a Watch of an app, and receive its snapshot."""
    events = iter(plane.stub().watch(WatchRequest(app_id=named(name, project))))
    next(events)
    return events


def ended(events: Iterator[Any]) -> str:
    """The code with which a stream ends."""
    with pytest.raises(ConnectError) as error:
        for _ in events:
            pass
    return error.value.code.name


@pytest.fixture(params=["standard", "flyte-oss"])
def plane(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """A plane of each dialect on the manual clock."""
    with FakeControlPlane(call_log=1_000, dialect=request.param, clock="manual") as made:
        yield made


@pytest.fixture(params=["in process", "over the wire"])
def control(request: pytest.FixtureRequest, plane: FakeControlPlane) -> Control:
    """The control of that plane."""
    return plane.control if request.param == "in process" else connect_control(plane.serve().url)


# ---- snapshots


def test_a_snapshot_is_restored(plane: FakeControlPlane, control: Control) -> None:
    """Apps, timers and the time are what they were, again and again; open streams end with UNAVAILABLE."""
    create(plane, "hello")
    plane.clock.advance("300ms")
    before = get(plane, "hello"), plane.clock.pending(), plane.clock.now
    control.snapshot("base")
    for _ in range(2):
        plane.clock.advance("1m")
        create(plane, "other")
        plane.reset(app="hello")
        events = watch(plane, "other")
        assert control.restore("base") == 1
        assert ended(events) == "UNAVAILABLE"
        assert (get(plane, "hello"), plane.clock.pending(), plane.clock.now) == before
    plane.clock.advance_until(app="hello", status="ACTIVE")


def test_snapshots_are_listed_and_dropped(plane: FakeControlPlane, control: Control) -> None:
    """In the order in which they were taken; one that is taken again is the last."""
    for name in ("a", "b.2", "c_3-x", "a"):
        control.snapshot(name)
    assert control.snapshots.list() == ["b.2", "c_3-x", "a"]
    with pytest.raises(ControlError, match=r"there is no snapshot 'd'; there are: b\.2, c_3-x, a") as unknown:
        control.snapshots.drop("a", "d")
    assert unknown.value.code == "NOT_FOUND"
    assert control.snapshots.drop("c_3-x", "c_3-x") == ["c_3-x"]
    assert control.snapshots.drop() == []
    assert control.snapshots.clear() == ["b.2", "a"]
    with pytest.raises(ControlError, match="there is no snapshot 'a'; there are: none") as unknown:
        control.restore("a")
    assert unknown.value.code == "NOT_FOUND"


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "ä", "a" * 64])
def test_the_name_of_a_snapshot_is_checked(plane: FakeControlPlane, name: str) -> None:
    """An invalid one is refused, and nothing is taken."""
    with pytest.raises(ControlError, match="name") as refused:
        plane.snapshot(name)
    assert refused.value.code == "INVALID_ARGUMENT" and plane.control.snapshots.list() == []


def test_there_are_not_too_many_snapshots() -> None:
    """The one too many is refused; a name that is there is replaced."""
    with FakeControlPlane() as plane:
        for number in range(100):
            plane.snapshot(f"s{number}")
        with pytest.raises(ControlError, match="at most 100 snapshots: drop one") as refused:
            plane.snapshot("more")
        assert refused.value.code == "RESOURCE_EXHAUSTED"
        plane.snapshot("s7")


# ---- resets


def test_a_project_is_as_if_it_had_never_been_there(plane: FakeControlPlane, control: Control) -> None:
    """Its apps are created again as on a new plane; other projects, their rules and their streams don't notice."""
    first = create(plane, "hello", "mine").status.ingress
    other = create(plane, "hello", "other")
    for project in ("mine", "other"):
        plane.faults.fail("Update", project=project, code="ABORTED")
        plane.loads.set("5rps", project=project)
        plane.scenarios.use("crash-loop", project=project)
    mine, others = watch(plane, "hello", "mine"), watch(plane, "hello", "other")
    assert control.reset(project="mine") == 1
    assert ended(mine) == "UNAVAILABLE"
    assert [each.app.project for each in plane.faults.list()] == ["other"]
    assert [each.app.project for each in plane.loads.list()] == ["other"]
    assert [each.app.project for each in plane.scenarios.uses()] == ["other"]
    assert get(plane, "hello", "other") == other
    plane.reset(app="hello", project="other")
    assert any(each.HasField("delete_event") for each in others)
    assert create(plane, "hello", "mine").status.ingress == first


def test_a_reset_makes_the_plane_new(plane: FakeControlPlane, control: Control) -> None:
    """Apps, rules, loads, scenarios, uses, recorded calls and timers are gone, and time is where it began."""
    began = plane.clock.now
    host = create(plane, "hello").status.ingress
    plane.faults.fail("Update", code="ABORTED")
    plane.loads.set("5rps")
    plane.scenarios.add({"scenarios": {"mine": {"steps": [{"state": "PENDING"}, {"state": "ACTIVE"}]}}})
    plane.scenarios.use("mine")
    plane.clock.advance("1m")
    events = watch(plane, "hello")
    assert control.reset() == 1
    assert ended(events) == "UNAVAILABLE"
    assert (plane.count(), plane.faults.list(), plane.loads.list(), plane.scenarios.uses()) == (0, [], [], [])
    assert "mine" not in {each.name for each in plane.scenarios.list()}
    assert (plane.calls.list(), plane.clock.pending(), plane.clock.now) == ([], [], began)
    assert create(plane, "hello").status.ingress == host


def test_a_reset_with_a_seed(control: Control, plane: FakeControlPlane) -> None:
    """Draws are those of a plane that was made with it."""
    with FakeControlPlane(dialect=plane.settings.dialect, clock="manual", seed=7) as other:
        create(other, "hello")
        expected = other.clock.advance_until(app="hello", status="ACTIVE")
    create(plane, "hello")
    assert plane.clock.advance_until(app="hello", status="ACTIVE") != expected
    control.reset(seed=7)
    create(plane, "hello")
    assert plane.clock.advance_until(app="hello", status="ACTIVE") == expected
    with pytest.raises(ControlError, match="seed: it is that of the whole plane") as refused:
        control.reset(project="demo", seed=7)
    assert refused.value.code == "INVALID_ARGUMENT" and plane.count() == 1


@pytest.mark.parametrize("seed", [2**63, -(2**63), "7", 1.5, True])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    """Anything else is refused, and nothing is removed."""
    with FakeControlPlane() as plane:
        create(plane, "hello")
        with pytest.raises((TypeError, ValueError), match="seed must be"):
            plane.reset(seed=seed)
        assert plane.count() == 1


# ---- export and load


def test_a_state_is_loaded_by_another_plane(plane: FakeControlPlane, control: Control, tmp_path: Path) -> None:
    """The file is JSON that its owner alone can read; the other plane has the apps, timers and time of this one."""
    create(plane, "hello")
    plane.faults.fail("Update", nth=2, code="ABORTED")
    plane.clock.advance("300ms")
    file = tmp_path / "state.json"
    control.export(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["dialect"] == plane.settings.dialect
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]
    with FakeControlPlane(dialect=plane.settings.dialect, clock="manual") as other:
        create(other, "gone")
        events = watch(other, "gone")
        assert other.load(file) == 1
        assert ended(events) == "UNAVAILABLE"
        assert get(other, "hello") == get(plane, "hello")
        assert other.faults.list() == plane.faults.list()
        assert (other.clock.pending(), other.clock.now) == (plane.clock.pending(), plane.clock.now)
    create(plane, "later")
    assert control.load(file) == 1
    assert plane.count() == 1


def test_a_large_state_goes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of one moment, whatever changes meanwhile, and the same file."""
    with FakeControlPlane(clock="manual") as plane:
        for number in range(3):
            create(plane, f"a{number}")
        whole = b"".join(states.exported(plane.control._api))  # pyright: ignore[reportPrivateUsage]  # of the face
        monkeypatch.setattr(states, "PART_BYTES", 100)
        monkeypatch.setattr(transfers, "PART_BYTES", 100)
        parts = list[bytes]()
        for part in states.exported(plane.control._api):  # pyright: ignore[reportPrivateUsage]
            parts.append(part)
            create(plane, f"b{len(parts)}")
        assert len(parts) > 10 and max(map(len, parts)) == 100
        assert {key: value for key, value in json.loads(b"".join(parts)).items() if key != "time"} == {
            key: value for key, value in json.loads(whole).items() if key != "time"
        }
        file = tmp_path / "state.json"
        file.write_bytes(whole)
        assert plane.load(file) == plane.count() == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("}\n", "", "state.json: is a damaged document: "),
        (
            '"standard"',
            '"flyte-oss"',
            "state.json: the state is that of a plane of the dialect flyte-oss, and this one",
        ),
        ('"format": 1', '"format": 99', "state.json: the state has the format 99"),
        ('"format"', '"formats"', "state.json:2:2: unknown field 'formats' of a file of apps"),
        ('"dialect"', '"dialekt"', "state.json: is no document of this version: "),
        ("{", "\x00", "state.json: neither YAML nor JSON"),
    ],
)
def test_a_state_that_cannot_be_taken_changes_nothing(old: str, new: str, message: str, tmp_path: Path) -> None:
    """The message says why; the plane's apps stay."""
    with FakeControlPlane(clock="manual") as plane:
        before = create(plane, "hello")
        file = tmp_path / "state.json"
        plane.export(file)
        file.write_text(new.join(file.read_text().rsplit(old, 1)) if not new else file.read_text().replace(old, new))
        with pytest.raises(ControlError) as refused:
            plane.load(file)
        assert message in str(refused.value) and refused.value.code == "INVALID_ARGUMENT"
        assert get(plane, "hello") == before


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    """The error names the file; one that is there stays as it was."""
    with FakeControlPlane() as plane:
        with pytest.raises(OSError, match=r"missing.state\.json"):
            plane.export(tmp_path / "missing" / "state.json")
        with pytest.raises(OSError, match=r"state\.json"):
            plane.load(tmp_path / "state.json")
        (tmp_path / "empty.json").touch()
        with pytest.raises(ValueError, match=r"empty\.json: is empty"):
            plane.load(tmp_path / "empty.json")


def test_parts_out_of_order_are_refused() -> None:
    """A part has to follow the one before, and ids are those of transfers that are under way."""
    with FakeControlPlane() as plane:
        api = plane.control._api  # pyright: ignore[reportPrivateUsage]

        def refused(**fields: Any) -> str:
            with pytest.raises(ControlError) as error:
                api.call("LoadState", pb.LoadStateRequest(**fields), pb.LoadStateResponse)
            return f"{error.value.code}: {error.value}"

        first = api.call("LoadState", pb.LoadStateRequest(part=b"apps:", size=20), pb.LoadStateResponse)
        assert (
            refused(id=first.id, offset=4, part=b"x", size=20) == "INVALID_ARGUMENT: offset: the next part is that of 5"
        )
        assert refused(id=first.id, offset=5, size=20) == "INVALID_ARGUMENT: part: it is empty"
        assert "more than its size" in refused(id=first.id, offset=5, part=b"x" * 16, size=20)
        assert refused(id="l9", offset=5, part=b"x", size=20).startswith(
            "NOT_FOUND: there is no load 'l9' any more (there"
        )
        assert refused(part=b"x", size=2**40).startswith("RESOURCE_EXHAUSTED: size: a file has at most ")
        with pytest.raises(ControlError, match="there is no export 'e1' any more"):
            api.call("ExportState", pb.ExportStateRequest(id="e1", offset=5), pb.ExportStateResponse)
        for _ in range(transfers.MAX_TRANSFERS):
            api.call("LoadState", pb.LoadStateRequest(part=b"apps:", size=20), pb.LoadStateResponse)
        assert "there is no load" in refused(id=first.id, offset=5, part=b"x", size=20)


def test_abandoned_transfers_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is being received together has the bytes of one file: the oldest are forgotten, not the current one."""
    monkeypatch.setattr(transfers, "MAX_FILE_BYTES", 100)
    loads = transfers.Loads()
    first, _ = loads.add("", 0, b"x" * 60, 100)
    second, _ = loads.add("", 0, b"x" * 30, 100)
    loads.add(second, 30, b"x" * 20, 100)
    with pytest.raises(RpcError, match=f"there is no load '{first}' any more"):
        loads.add(first, 60, b"x", 100)
    assert loads.add(second, 50, b"x" * 50, 100) == ("", b"x" * 100)


def test_apps_in_yaml_are_loaded_too(control: Control, plane: FakeControlPlane, tmp_path: Path) -> None:
    """They are created beside those that are there; a mistake has its place."""
    create(plane, "hello")
    file = tmp_path / "apps.yaml"
    file.write_text("apps:\n- {name: more, project: demo, image: img}\n")
    assert control.load(file) == 1
    assert plane.count() == 2
    with pytest.raises(
        ControlError, match=r"apps\.yaml:2:3: the app demo/development/more is there already"
    ) as refused:
        control.load(file)
    assert refused.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_all_of_it_is_saved_in_a_directory(dialect: Any, tmp_path: Path) -> None:
    """A plane that keeps its state in a directory has there what was loaded, and no more what was reset."""
    directory, apps, state = tmp_path / "state", tmp_path / "apps.yaml", tmp_path / "state.json"
    apps.write_text(
        "apps:\n- {name: hello, project: demo, image: img}\n- {name: other, project: elsewhere, image: img}\n"
    )

    def again() -> FakeControlPlane:
        return FakeControlPlane(state=directory, dialect=dialect, clock="manual")

    with again() as plane:
        plane.load(apps)
        plane.export(state)
    with again() as plane:
        assert (plane.count(), plane.reset(project="demo")) == (2, 1)
    with again() as plane:
        assert plane.projects() == {"elsewhere"}
        plane.snapshot("base")
        plane.load(state)
    with again() as plane:
        assert plane.projects() == {"demo", "elsewhere"}
        plane.snapshot("base")
        plane.reset()
    with again() as plane:
        assert (plane.count(), plane.control.snapshots.list()) == (0, [])
