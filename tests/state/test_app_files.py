"""Apps in YAML that fill a plane: what they become, on each dialect and clock, and the message of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl2.app.app_definition_pb2 import App, Identifier, Spec
from flyteidl2.app.app_payload_pb2 import GetRequest, UpdateRequest
from import_graph import ROOT

from flyteapps import Client
from flyteapps_control.v1.control_pb2 import AppSelector
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.lifecycle import short_name
from flyteapps_fake.seeding.app_file import APP, PROJECT
from flyteapps_fake.seeding.files import fill, load_file

DEMO = """\
apps:
- name: hello
  image: ghcr.io/x/hello:1
  command: [python, -m, hello]
  args: [--fast]
  env: {LEVEL: info, RETRIES: 3}
  port: 8080
  replicas: {min: 1, max: 4}
  labels: {team: search}
  description: Says hello.
- {name: worker, project: jobs, domain: production, image: "img:1", replicas: 2}
- {name: asleep, image: "img:1", desired_state: stopped}
- {name: broken, image: "img:1", scenario: crash-loop}
- {name: starting, image: "img:1", status: PENDING}
"""
STATUSES = {
    "demo/development/asleep": "STOPPED",
    "demo/development/broken": "FAILED",
    "demo/development/hello": "ACTIVE",
    "demo/development/starting": "PENDING",
    "jobs/production/worker": "ACTIVE",
}


def statuses(plane: FakeControlPlane) -> dict[str, str]:
    """The statuses of all apps."""
    return {str(app): status for app, status in plane.statuses(AppSelector())}


def get(plane: FakeControlPlane, name: str) -> App:
    """The app of that name, as a client gets it."""
    app_id = Identifier(project=PROJECT, domain="development", name=name)
    return plane.stub().get(GetRequest(app_id=app_id)).app


@pytest.mark.parametrize("clock", ["auto", "manual", "realtime"])
@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_apps_are_there_at_once(dialect: str, clock: str) -> None:
    """Their starts are over, whatever the clock, which has not moved."""
    with FakeControlPlane(dialect=dialect, clock=clock, start_time="2026-03-01T00:00:00Z") as plane:  # type: ignore[arg-type]  # one of the modes
        assert load_file(plane, DEMO.encode(), "demo.yaml") == len(STATUSES)
        assert statuses(plane) == STATUSES
        assert clock == "realtime" or plane.clock.now.isoformat()[:19] == "2026-03-01T00:00:00"


def test_an_app_is_as_the_file_says() -> None:
    """Each field is that of the app that a client gets, which is an app like any other."""
    with FakeControlPlane(clock="manual") as plane:
        load_file(plane, DEMO.encode(), "demo.yaml")
        app = get(plane, "hello")
        container = app.spec.container
        assert (container.image, [*container.command], [*container.args]) == (
            "ghcr.io/x/hello:1",
            ["python", "-m", "hello"],
            ["--fast"],
        )
        assert {each.key: each.value for each in container.env} == {"LEVEL": "info", "RETRIES": "3"}
        assert [each.container_port for each in container.ports] == [8080]
        assert (app.spec.autoscaling.replicas.min, app.spec.autoscaling.replicas.max) == (1, 4)
        assert dict(app.metadata.labels) == {"team": "search"}
        assert app.spec.profile.short_description == "Says hello."
        assert [short_name(each.deployment_status) for each in app.status.conditions][-1] == "ACTIVE"
        app.spec.desired_state = Spec.DESIRED_STATE_STOPPED
        plane.stub().update(UpdateRequest(app=app))
        plane.clock.advance("1m")
        assert statuses(plane)["demo/development/hello"] == "STOPPED"


def test_an_app_goes_on_from_there() -> None:
    """One that is still starting becomes ACTIVE on the plane's clock, and one that crashed is started again."""
    with FakeControlPlane(clock="manual") as plane:
        load_file(plane, DEMO.encode(), "demo.yaml")
        plane.clock.advance_until(app="starting", status="ACTIVE", limit="1m")
        assert "demo/development/broken" in {each.owner for each in plane.clock.pending()}


def test_a_client_finds_them(tmp_path: Path) -> None:
    """On a plane whose clock moves for its clients an app that was loaded is ready: nothing waits."""
    file = tmp_path / "demo.yaml"
    file.write_text(DEMO)
    with FakeControlPlane() as plane:
        fill(plane, file)
        client = Client(transport=plane.transport(), project="demo", domain="development")
        assert sorted(app.name for app in client.apps.listall()) == ["asleep", "broken", "hello", "starting"]
        assert client.apps.get("hello").watch(timeout=10).is_active()


FIRST = "apps:\n- name: hello\n  image: img\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml: is empty: put the apps below `apps`, as a list"),
        ("app: []", "f.yaml:1:1: unknown field 'app' of a file of apps: put the apps below `apps`"),
        ("apps: []", "f.yaml:1:7: apps must be a list of apps, with one at least"),
        ("apps: [1]", "f.yaml:1:8: an app must be a mapping with name, project"),
        ("apps:\n- image: img", "f.yaml:2:3: an app needs `name`"),
        ("apps:\n- name: hello", "f.yaml:2:3: an app needs `image`"),
        (FIRST + "  imgae: j", "f.yaml:4:3: unknown field 'imgae' of an app: did you mean image?"),
        (FIRST + "  port: http", "f.yaml:4:9: port must be a whole number, not 'http'"),
        (FIRST + "  port: 65536", "f.yaml:4:9: port must be from 1 to 65,535, not 65536"),
        (
            FIRST + "  command: python app.py",
            'f.yaml:4:12: command must be a list of texts, such as ["python", "app.py"]',
        ),
        (FIRST + "  env: [A=1]", "f.yaml:4:8: env must be texts by name"),
        (FIRST + "  env: {A: [1]}", "f.yaml:4:12: env: the value of 'A' must be a text"),
        (FIRST + "  env: {A: }", "f.yaml:4:12: env.A must be a text"),
        (FIRST + "  replicas: {min: 3, max: 2}", "f.yaml:4:13: replicas: max is 2, less than min, which is 3"),
        (FIRST + "  replicas: {mim: 3}", "f.yaml:4:14: unknown field 'mim' of replicas: did you mean min?"),
        (
            FIRST + "  desired_state: stoped",
            "f.yaml:4:18: desired_state: 'stoped' is unknown; did you mean stopped or",
        ),
        (FIRST + "  status: ACTIV", "f.yaml:4:11: status: 'ACTIV' is unknown; did you mean ACTIVE?"),
        (
            FIRST + "  scenario: crash-lop",
            "f.yaml:4:13: scenario: 'crash-lop' is unknown; did you mean crash-loop",
        ),
        (
            FIRST + "  scenario: crash-loop\n  status: ACTIVE",
            "f.yaml:5:11: the app demo/development/hello never becomes ACTIVE: its start ends as FAILED",
        ),
        (
            FIRST + "- {name: hello, image: j}",
            "f.yaml:4:3: the app demo/development/hello is given twice, before at f.yaml:2:3",
        ),
        (
            FIRST + f"- {{name: {'a' * 64}, image: j}}",
            f"f.yaml:4:3: the app demo/development/{'a' * 64} is refused: ",
        ),
        ("apps:\n\t- name: a", "f.yaml:2:1: neither YAML nor JSON"),
    ],
)
def test_a_mistake_has_its_place(text: str, message: str) -> None:
    """The message has file, line and column, and what to write instead; nothing is created."""
    with FakeControlPlane(clock="manual") as plane:
        with pytest.raises(ValueError, match=r".") as refused:
            load_file(plane, text.encode(), "f.yaml")
        assert str(refused.value).startswith(message)
        assert (plane.count(), plane.clock.pending()) == (0, [])


def test_an_app_that_is_there_stays() -> None:
    """A file with an app that the plane has is refused whole."""
    with FakeControlPlane(clock="manual") as plane:
        load_file(plane, FIRST.encode(), "f.yaml")
        before = get(plane, "hello")
        with pytest.raises(ValueError, match=r"f\.yaml:3:3: the app demo/development/hello is there already"):
            load_file(plane, b"apps:\n- {name: other, image: img}\n- {name: hello, image: img}", "f.yaml")
        assert plane.count() == 1 and get(plane, "hello") == before


def test_a_plane_without_a_cluster_has_no_status() -> None:
    """Where no cluster is simulated apps are created, and wait for theirs; a status is never reached."""
    with FakeControlPlane(data_plane="none") as plane:
        load_file(plane, FIRST.encode(), "f.yaml")
        assert statuses(plane) == {"demo/development/hello": "UNASSIGNED"}
        with pytest.raises(ValueError, match="never becomes ACTIVE: its start ends as UNASSIGNED"):
            load_file(plane, b"apps: [{name: other, image: img, status: ACTIVE}]", "f.yaml")


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    """The message has its path and the reason."""
    with FakeControlPlane() as plane, pytest.raises(ValueError, match="can't be read: "):
        fill(plane, tmp_path / name)


def test_every_field_has_a_test() -> None:
    """The demo and the mistakes have every field of the format."""
    assert not [name for name in APP if f"{name}:" not in DEMO]


def test_the_page_has_every_field() -> None:
    """The table of docs/state.md names each field, and its example is a file that can be loaded."""
    page = (ROOT / "docs" / "state.md").read_text(encoding="utf-8")
    table = page[page.index("| field |") :]
    assert not [name for name in APP if f"`{name}`" not in table]
    example = page.partition('```yaml title="apps.yaml"\n')[2].partition("```")[0]
    with FakeControlPlane() as plane:
        assert load_file(plane, example.encode(), "apps.yaml") == 4
        assert sorted(statuses(plane).values()) == ["ACTIVE", "ACTIVE", "FAILED", "STOPPED"]
