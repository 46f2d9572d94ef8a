"""The methods of apps, over every transport, blocking and awaiting."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import (
    AppNotFound,
    Client,
    Code,
    ConfigError,
    Conflict,
    DeploymentStatus,
    DesiredState,
    FailedPrecondition,
    InvalidArgument,
)
from flyteapps_fake.control_plane import FakeControlPlane

from .conftest import TRANSPORTS, Run, client_of
from .messages import app, spec


def stored(plane: FakeControlPlane, name: str = "hello") -> definition.App:
    """Return the app as the plane has it; by List, as not every plane's Get is up to date."""
    [found] = [each for each in plane.stub().list(payload.ListRequest()).apps if each.metadata.id.name == name]
    return found


def test_a_created_app_can_be_got(client: Client, run: Run, nth: Callable[[int], int]) -> None:
    """The handle of create and that of get show the same app."""
    made = run(client.apps.create, app())
    assert (made.name, made.revision, made.desired_state) == ("hello", nth(1), DesiredState.UNSPECIFIED)
    found = run(client.apps.get, "hello")
    found.pb2.metadata.id.org = made.pb2.metadata.id.org  # not every plane says at once which
    assert found.pb2.metadata == made.pb2.metadata
    assert found.pb2.spec == made.pb2.spec
    assert found.url == f"{client.console.app_url('demo', 'development', 'hello')}"


def test_an_absent_app_is_not_found(client: Client, run: Run) -> None:
    """The error is ours, and says which app, by which code, from where."""
    with pytest.raises(AppNotFound) as caught:
        run(client.apps.get, "nobody")
    error = caught.value
    assert (error.code, error.app) == (Code.NOT_FOUND, "demo/development/nobody")
    assert error.endpoint == client.settings.endpoint
    assert len(error.request_id) == 16
    assert isinstance(error, LookupError)


def test_creating_again_changes_only_what_differs(
    client: Client, run: Run, plane: FakeControlPlane, nth: Callable[[int], int]
) -> None:
    """An equal app is not written; another spec is an update."""
    run(client.apps.create, app())
    assert run(client.apps.create, app()).revision == nth(1)
    changed = run(client.apps.create, app(image="example.org/hello:2"))
    assert (changed.revision, stored(plane).spec.container.image) == (nth(2), "example.org/hello:2")


def test_a_replaced_app_keeps_what_was_not_given(direct: Client, run: Run, plane: FakeControlPlane) -> None:
    """Id, creator, ingress, labels and the code's origin stay; labels that are given replace the old ones."""
    first = app(team="blue")
    first.metadata.code_bundle_uri = "s3://bundle"
    first.metadata.source_code.link = "https://example.org/code"
    run(direct.apps.create, first)
    before = stored(plane)
    run(direct.apps.replace, "hello", spec("example.org/hello:2"), "a new image")
    after = stored(plane)
    assert after.spec.container.image == "example.org/hello:2"
    assert (after.metadata.id, after.metadata.labels) == (before.metadata.id, before.metadata.labels)
    assert (after.spec.creator, after.spec.ingress) == (before.spec.creator, before.spec.ingress)
    assert after.metadata.code_bundle_uri == "s3://bundle"
    assert after.metadata.source_code.link == "https://example.org/code"
    run(direct.apps.replace, "hello", spec("example.org/hello:2"), "other labels", labels={"team": "red"})
    assert dict(stored(plane).metadata.labels) == {"team": "red"}
    run(direct.apps.replace, "hello", spec("example.org/hello:2"), "no labels", labels={})
    assert dict(stored(plane).metadata.labels) == {}


def test_the_callers_messages_are_left_alone(direct: Client, run: Run) -> None:
    """The passed message can be reused."""
    message, wanted = app(), spec("example.org/hello:2")
    copies = definition.App(), definition.Spec()
    copies[0].CopyFrom(message)
    copies[1].CopyFrom(wanted)
    run(direct.apps.create, message)
    run(direct.apps.create, message)
    run(direct.apps.replace, "hello", wanted, "test")
    assert (message, wanted) == copies


def test_an_update_at_another_revision_is_a_conflict(client: Client, run: Run) -> None:
    """An update with a revision raises the conflict, and is not retried."""
    made = run(client.apps.create, app())
    mine, theirs = definition.App(), definition.App()
    mine.CopyFrom(made.pb2)
    theirs.CopyFrom(made.pb2)
    theirs.spec.container.image = "example.org/hello:2"
    assert run(client.apps.update, theirs, "theirs").revision == 2
    mine.spec.container.image = "example.org/hello:3"
    with pytest.raises(Conflict, match="revision") as caught:
        run(client.apps.update, mine, "mine")
    assert not caught.value.maybe_applied


def test_deleting_an_absent_app_is_no_error(client: Client, run: Run) -> None:
    """Gone is gone."""
    assert run(client.apps.delete, "nobody") is None
    made = run(client.apps.create, app())
    run(made.deactivate, wait=True)
    run(client.apps.delete, "hello")
    with pytest.raises(AppNotFound):
        run(client.apps.get, "hello")


def test_deleting_a_running_app_is_refused(client: Client, run: Run) -> None:
    """With what to do."""
    run(client.apps.create, app())
    with pytest.raises(FailedPrecondition, match="hello"):
        run(client.apps.delete, "hello")


def test_a_listing_pages_as_it_is_consumed(direct: Client, run: Run, plane: FakeControlPlane) -> None:
    """Only what is consumed is fetched, the limit holds across pages, and a token goes on where it stopped."""
    for number in range(250):
        direct.apps.create(app(f"app-{number:03}"))
    assert len(run.items(direct.apps.listall)) == 100
    assert len(run.items(direct.apps.listall, limit=None)) == 250
    names = [each.name for each in run.items(direct.apps.listall, limit=230, sort_by=("name", "desc"))]
    assert names == [f"app-{number:03}" for number in range(249, 19, -1)]
    assert run.items(direct.apps.listall, limit=0) == []
    with direct.apps.listall(limit=None) as items:
        assert [next(items).name for _ in range(100)][-1] == "app-099"
        token = items.token
        assert token
    rest = run.items(direct.apps.listall, limit=None, token=token)
    assert [each.name for each in rest] == [f"app-{number:03}" for number in range(100, 250)]


def test_a_listing_filters(client: Client, run: Run) -> None:
    """By status, in any spelling, and by creator."""
    one, two = app("one"), app("two")
    for message in one, two:
        message.spec.creator.user.id.subject = "anonymous"  # not every plane fills it in
    run(run(client.apps.create, one).watch)
    run(run(client.apps.create, two).deactivate, wait=True)
    for wanted in ("active", "DEPLOYMENT_STATUS_ACTIVE", DeploymentStatus.ACTIVE, ("active", "failed")):
        assert [each.name for each in run.items(client.apps.listall, in_status=wanted)] == ["one"], wanted
    assert len(run.items(client.apps.listall, created_by_subject="anonymous")) == 2
    assert run.items(client.apps.listall, created_by_subject="somebody") == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"in_status": "running"}, "unknown status"),
        ({"sort_by": ("name", "up")}, "sort_by"),
        ({"sort_by": ("colour", "asc")}, "colour"),
        ({"limit": -1}, "limit"),
        ({"token": "forged"}, "token"),
    ],
)
def test_a_bad_listing_says_what_is_wrong(direct: Client, run: Run, arguments: dict[str, Any], says: str) -> None:
    """By the client or by the plane: one clear error."""
    direct.apps.create(app())
    with pytest.raises(InvalidArgument, match=says):
        run.items(direct.apps.listall, **arguments)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a_b", "a" * 31, "ä", "a.b", "a b", "a\0"])
def test_a_forbidden_name_is_refused_before_the_call(direct: Client, run: Run, name: str) -> None:
    """The error names the rule; no call is made."""
    with pytest.raises(InvalidArgument, match="app name") as caught:
        run(direct.apps.get, name)
    assert [violation.field for violation in caught.value.violations] == ["name"]


def test_no_project_and_no_default_is_refused(plane: FakeControlPlane, run: Run) -> None:
    """The error says where a project can be given."""
    client = Client(transport=plane.transport())
    with pytest.raises(ConfigError, match="FLYTE_TASK_PROJECT"):
        run(client.apps.get, "hello")
    with pytest.raises(ConfigError, match="domain"):
        run(client.apps.get, "hello", project="demo")


def test_violations_are_parsed(client: Client, run: Run) -> None:
    """A rejected request names its fields."""
    with pytest.raises(InvalidArgument) as caught:
        run(client.apps.create, definition.App(metadata={"id": {"name": "hello"}}))
    fields = [violation.field for violation in caught.value.violations]
    assert fields == ["app.spec"], caught.value
    assert caught.value.violations[0].reason


def test_a_handle_tells_its_app(direct: Client, nth: Callable[[int], int]) -> None:
    """Dictionary, JSON, representation."""
    made = direct.apps.create(app()).watch()
    assert made.to_dict()["metadata"]["id"]["name"] == "hello"
    assert '"hello"' in made.to_json()
    assert repr(made).startswith(f"App(name='hello', revision={nth(1)}, ")
    assert dict(made.__rich_repr__())["deployment_status"] == "ACTIVE"
    assert made.endpoint.startswith("http")


def test_copies_of_a_handle_have_its_client(direct: Client) -> None:
    """Shallow or deep; a deep one has a message of its own."""
    made = direct.apps.create(app())
    for again in (copy.copy(made), copy.deepcopy(made)):
        assert (again.client, again.pb2) == (made.client, made.pb2)
    assert copy.deepcopy(made).pb2 is not made.pb2


def test_headers_and_request_ids_are_sent(plane: FakeControlPlane, run: Run) -> None:
    """The client's headers go with every call; a request id of the caller's is kept."""
    headers = {"X-Request-Id": "mine", "authorization": "Bearer x"}
    with client_of(plane, "connect", headers=headers) as client, pytest.raises(AppNotFound) as caught:
        run(client.apps.get, "nobody")
    assert caught.value.request_id == "mine"
    assert client.settings.call_headers() == {"x-request-id": "mine", "authorization": "Bearer x"}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_proxies_are_not_used_for_the_loopback(
    plane: FakeControlPlane, run: Run, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment names a proxy at which nothing listens."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with client_of(plane, transport) as client:
        assert run(client.apps.create, app()).watch().is_active()
        assert run(client.apps.get, "hello").name == "hello"
