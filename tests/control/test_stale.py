"""Stale reads: a Get, List or Watch shows the apps as they were some time ago, on each dialect."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import call

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import Ingress
from flyteidl2.app.app_payload_pb2 import GetRequest, ListRequest, WatchRequest, WatchResponse
from flyteidl2.common.identifier_pb2 import ProjectIdentifier

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.inprocess.transport import DirectStream

from .calls import create, delete, get, update
from .test_faults import code_of, open_watch


@pytest.fixture(params=["standard", "flyte-oss"])
def plane(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """A plane of each dialect on the manual clock, whose apps change by its clients alone."""
    data_plane = "none" if request.param == "standard" else "simulated"
    with FakeControlPlane(call_log=1_000, dialect=request.param, clock="manual", data_plane=data_plane) as made:
        yield made


def image(plane: FakeControlPlane, name: str = "demo") -> str:
    """Return the image that a Get shows, or the code of its error."""
    try:
        return plane.stub().get(get(name)).app.spec.container.image
    except ConnectError as error:
        return error.code.name


def listed(plane: FakeControlPlane) -> list[tuple[str, str]]:
    """Return the names and images that a List of the project shows."""
    request = ListRequest(project=ProjectIdentifier(name="proj", domain="dev"))
    return [(app.metadata.id.name, app.spec.container.image) for app in plane.stub().list(request).apps]


def test_a_get_shows_the_app_of_some_time_ago(plane: FakeControlPlane) -> None:
    """A change is seen once it is as old as the rule says, and not earlier."""
    plane.faults.stale("Get", age="5s", app="demo")
    plane.stub().create(create())
    assert image(plane) == "NOT_FOUND"
    plane.clock.advance("5s")
    assert image(plane) == "img"
    plane.stub().update(update())
    plane.clock.advance("4s")
    assert image(plane) == "img"
    plane.clock.advance("1s")
    assert image(plane) == "img:2"


def test_a_deleted_app_is_still_there(plane: FakeControlPlane) -> None:
    """A stale read finds what was deleted since, also where the name has been used again."""
    plane.stub().create(create())
    plane.clock.advance("1m")
    plane.faults.stale("Get", age="10s", app="demo")
    plane.stub().delete(delete())
    assert image(plane) == "img"
    plane.clock.advance("5s")
    again = create()
    again.app.spec.container.image = "img:3"
    plane.stub().create(again)
    assert image(plane) == "img"
    plane.clock.advance("5s")
    assert image(plane) == "NOT_FOUND"
    plane.clock.advance("5s")
    assert image(plane) == "img:3"


def test_a_list_shows_the_apps_of_some_time_ago(plane: FakeControlPlane) -> None:
    """A stale List has the apps of then, in their versions of then."""
    for name in ("a", "b", "c"):
        plane.stub().create(create(name))
    plane.clock.advance("1m")
    plane.faults.stale("List", age="5s")
    plane.stub().delete(delete("a"))
    plane.stub().update(update("b"))
    plane.stub().create(create("d"))
    assert listed(plane) == [("a", "img"), ("b", "img"), ("c", "img")]
    plane.clock.advance("5s")
    assert listed(plane) == [("b", "img:2"), ("c", "img"), ("d", "img")]


def test_the_total_of_a_stale_list_is_that_of_its_apps() -> None:
    """Totals, pages and filters are of the apps of then."""
    with FakeControlPlane(clock="manual", data_plane="none") as plane:
        for name in ("a", "b", "c"):
            plane.stub().create(create(name))
        plane.faults.stale("List", age="5s")
        plane.stub().delete(delete("a"))
        plane.stub().delete(delete("c"))
        request = ListRequest(org=plane.org, include_total_count=True)
        request.request.limit = 2
        first = plane.stub().list(request)
        request.request.token = first.token
        second = plane.stub().list(request)
        names = [app.metadata.id.name for page in (first, second) for app in page.apps]
        assert (names, first.total_count, second.total_count) == (["a", "b", "c"], 3, 3)


def test_a_get_by_url_finds_the_owner_of_then() -> None:
    """The URL of a deleted app leads to it as long as the deletion isn't seen, and that of a new one doesn't yet."""
    with FakeControlPlane(clock="manual", data_plane="none") as plane:
        plane.faults.stale("Get", age="5s")
        made = plane.stub().create(create()).app
        request = GetRequest(ingress=Ingress(public_url=made.status.ingress.public_url))
        assert code_of(lambda: plane.stub().get(request)) == "NOT_FOUND"
        plane.clock.advance("10s")
        plane.stub().delete(delete())
        assert plane.stub().get(request).app.metadata.id.name == "demo"
        plane.clock.advance("5s")
        assert code_of(lambda: plane.stub().get(request)) == "NOT_FOUND"


def seen(stream: DirectStream[WatchResponse], count: int) -> list[tuple[str, str]]:
    """Return the next events of a Watch: their kinds, and the images that they show."""
    found: list[tuple[str, str]] = []
    for _ in range(count):
        event = stream.receive(1)
        kind = event.WhichOneof("event") or ""
        shown = event.update_event.updated_app if kind == "update_event" else getattr(event, kind).app
        found.append((kind.removesuffix("_event"), shown.spec.container.image))
    return found


def test_a_watch_begins_with_the_snapshot_of_then(plane: FakeControlPlane) -> None:
    """After the stale snapshot come the events since, and then those of now, each once."""
    plane.stub().create(create())
    plane.clock.advance("1m")
    plane.faults.stale("Watch", age="5s")
    plane.stub().update(update())
    plane.stub().delete(delete())
    plane.stub().create(create())
    with open_watch(plane) as stream:
        assert seen(stream, 4) == [("create", "img"), ("update", "img:2"), ("delete", "img:2"), ("create", "img")]
        plane.stub().update(update())
        assert seen(stream, 1) == [("update", "img:2")]


def test_a_watch_of_a_project_has_the_events_of_its_apps_alone() -> None:
    """The events since a stale snapshot are those of the watched scope."""
    with FakeControlPlane(clock="manual", data_plane="none") as plane:
        plane.faults.stale("Watch", age="5s")
        plane.stub().create(create("a", "other"))
        plane.stub().create(create("b"))
        request = WatchRequest(project=ProjectIdentifier(name="proj", domain="dev"))
        stream = iter(plane.stub().watch(request))
        assert next(stream).create_event.app.metadata.id.name == "b"
        stream.close()  # type: ignore[attr-defined]  # as every open stream


def test_no_history_is_kept_without_a_rule(plane: FakeControlPlane) -> None:
    """Changes before the rule was added are not undone, and nothing is kept once it is removed."""
    plane.stub().create(create())
    plane.stub().update(update())
    rule = plane.faults.stale("Get", age="1h")
    assert image(plane) == "img:2"
    plane.stub().delete(delete())
    assert image(plane) == "img:2"
    plane.faults.remove(rule)
    assert image(plane) == "NOT_FOUND"
    plane.faults.stale("Get", age="1h")
    assert image(plane) == "NOT_FOUND"


def test_the_oldest_of_several_ages_is_shown(plane: FakeControlPlane) -> None:
    """Rules combine: a read is as old as the oldest of them says, and may be delayed besides."""
    plane.faults.stale("Get", age="5s")
    plane.faults.stale("Get", age="20s", app="demo", times=1)
    plane.stub().create(create())
    plane.clock.advance("10s")
    assert [image(plane), image(plane)] == ["NOT_FOUND", "img"]


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_an_auto_clock_catches_up_with_a_client_that_polls(dialect: str) -> None:
    """A client that repeats a stale read sees the present at last, though nothing else moves an auto clock."""
    with FakeControlPlane(clock="auto", dialect=dialect) as plane:  # type: ignore[arg-type]  # one of the two
        plane.faults.stale("Get", age="1h")
        plane.faults.stale("List", age="1h")
        before = plane.now_ns()
        plane.stub().create(create())
        while not (apps := plane.stub().list(ListRequest(project=ProjectIdentifier(name="proj", domain="dev"))).apps):
            plane.run_due()
        assert apps[0].spec.container.image == "img"
        while image(plane) != "img":
            plane.run_due()
        assert plane.now_ns() - before >= 3_600 * 10**9
        plane.faults.clear()
        assert not [each for each in plane.clock.pending() if "stale" in each.reason]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (call("Create", age="5s"), "stale is for Get and List and Watch alone, and not for Create"),
        (call("Get", age=0), "age must be longer than nothing"),
        (call("Get", age="-1s"), "the duration '-1s' is invalid"),
    ],
)
def test_a_stale_read_that_cannot_be(plane: FakeControlPlane, arguments: object, message: str) -> None:
    """A rule for another RPC, or of no age, is refused."""
    with pytest.raises(ValueError, match=message):
        plane.faults.stale(*arguments.args, **arguments.kwargs)  # type: ignore[attr-defined]  # a mock's call
    assert plane.faults.list() == []
