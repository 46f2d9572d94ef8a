"""The client over each wire, blocking and awaiting: every kind of call, stream and error once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flyteidl2.app import app_definition_pb2 as definition

from flyteapps import AppNotFound, ChangeKind, Client, Conflict, InvalidArgument
from flyteapps.testing import FaultyTransport, faults
from flyteapps_fake.control_plane import FakeControlPlane

from .conftest import QUICK, SCOPE, WIRES, Run, client_of
from .messages import app, spec

dialect = "standard"


@pytest.fixture(scope="module", params=WIRES)
def wired(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client of one plane, over each wire; the plane is served once for the tests of a wire."""
    with FakeControlPlane() as plane, client_of(plane, request.param) as made:
        yield made


@pytest.fixture
def name(run: Run, request: pytest.FixtureRequest) -> str:
    """The name of an app of this test alone."""
    test = request.node.originalname.removeprefix("test_")  # pyright: ignore[reportUnknownMemberType]
    return f"{test}-{'aio' if run.awaiting else 'blocking'}"


def test_calls(wired: Client, run: Run, name: str) -> None:
    """Create, Get, Update, List and Delete arrive and return."""
    created = run(wired.apps.create, app(name))
    assert (created.name, created.revision) == (name, 1)
    assert run(wired.apps.get, name).revision == 1
    replaced = run(wired.apps.replace, name, spec("example.org/hello:2"), "test", {"a": "b"})
    assert replaced.revision == 2 and dict(replaced.pb2.metadata.labels) == {"a": "b"}
    assert name in [each.name for each in run.items(wired.apps.listall, limit=None)]
    run(replaced.deactivate, wait=True)
    run(wired.apps.delete, name)
    with pytest.raises(AppNotFound) as caught:
        run(wired.apps.get, name)
    assert caught.value.request_id and caught.value.app.endswith(name)


def test_streams(wired: Client, run: Run, name: str) -> None:
    """Watch and TailLogs deliver, and end when they are closed."""
    made = run(run(wired.apps.create, app(name)).watch)
    assert made.is_active() and made.waited.how == "observed"
    stopped = run(run(wired.apps.get, name).deactivate, wait=True)
    assert stopped.is_deactivated()
    [change] = run.items(made.events, timeout=60, most=1)
    assert (change.kind, change.app.name) == (ChangeKind.UPDATED, name)
    assert [line.message for line in run.items(made.logs, follow=False)]


def test_errors(wired: Client, run: Run, name: str) -> None:
    """Codes, messages and details come with the error, and make it of its class."""
    with pytest.raises(InvalidArgument) as caught:
        run(wired.apps.create, definition.App(metadata={"id": {"name": name}}))
    assert [violation.field for violation in caught.value.violations] == ["app.spec"] and caught.value.details
    created = run(wired.apps.create, app(name))
    created.pb2.spec.container.image = "example.org/hello:2"
    created.pb2.metadata.revision = 7
    with pytest.raises(Conflict, match="revision"):
        run(wired.apps.update, created.pb2, "test")


def test_faults(wired: Client, run: Run, name: str) -> None:
    """FaultyTransport loses an answer and cuts and stalls streams of any wire; the client gets over it."""
    lost = faults.fail("Create", code="UNAVAILABLE", applied=True, nth=1)
    rules = lost, faults.stall("Watch", after=1, seconds=0.01, nth=1), faults.cut("Watch", after=1, nth=1)
    transport = FaultyTransport(wired.transport, rules)
    client = Client(transport=transport, retries=QUICK, **SCOPE)
    assert run(run(client.apps.create, app(name)).watch).is_active()
    assert [rule.applied for rule in transport.rules] == [1, 1, 1]
