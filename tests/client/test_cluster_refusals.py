"""Requests that the cluster behind the open-source plane refuses for what they hold: nothing was written, and no other
attempt is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from flyteapps import Client, Code, InvalidArgument, Retries
from flyteapps_fake.control_plane import FakeControlPlane

from .conftest import SCOPE, SETTLES, Run, client_of, once
from .messages import app, spec

BAD = "example.org/Hello"
"""An image that Knative refuses."""
PATIENT = Retries(attempts=4, initial=0, maximum=0)


Request = Callable[[Run, Client], Any]


class Case(NamedTuple):
    """A refused request. `rpc`: the call that is refused. `words`: of its message. `project`: the client's."""

    request: Request
    rpc: str
    words: str
    project: str = "demo"


def create(name: str = "other", image: str = "example.org/hello:1", argument: str = "", mount: int = 0) -> Request:
    """Return the request to create an app; `mount`: the mount requirement of a secret, 0 for no secret."""
    message = app(name, image)
    message.spec.container.args.append(argument)
    if mount:
        message.spec.security_context.secrets.add(key="k", mount_requirement=mount)  # pyright: ignore[reportArgumentType]  # an open enum
    return lambda run, client: run(client.apps.create, message)


def replace(run: Run, client: Client) -> Any:
    return run(client.apps.replace, "hello", spec(BAD), "test")


def delete(run: Run, client: Client) -> Any:
    return run(client.apps.delete, "hello")


def get(run: Run, client: Client) -> Any:
    return run(client.apps.get, "hello")


def list_all(run: Run, client: Client) -> Any:
    return run.items(client.apps.listall)


def list_from_no_page(run: Run, client: Client) -> Any:
    return run.items(client.apps.listall, token="none")


OTHER = "failed to create KService other-demo-development: "
NAME = "invalid resource name"
REFUSED = {
    "a name": Case(create(), "Create", 'Service.serving.knative.dev "other-a_b-development" is invalid', "a_b"),
    "a name in a URL": Case(create(), "Create", f"failed to get KService other-a/b-development: {NAME}", "a/b"),
    "a digit first": Case(create("1a"), "Create", "not a DNS 1035 label"),
    "an image": Case(create(image=BAD), "Create", f"{OTHER}admission webhook"),
    "a long spec": Case(create(argument="x" * 250_000), "Create", "metadata.annotations: Too long"),
    "a large request": Case(create(argument="x" * 1_400_000), "Create", f"{OTHER}Request entity too large"),
    "a secret": Case(create(mount=3), "Create", "failed to build KService for app other-demo-development"),
    "another spec": Case(replace, "Update", "failed to update KService hello-demo-development: admission webhook"),
    "a deletion": Case(delete, "Delete", f"failed to delete KService hello-a/b-development: {NAME}", "a/b"),
}
"""Writes, by what is refused about them."""

READ = {
    "an app": Case(get, "Get", f"failed to get KService hello-a/b-development: {NAME}", "a/b"),
    "a list": Case(list_all, "List", "failed to list KServices for -p/development: unable to parse", "-p"),
    "a page": Case(list_from_no_page, "List", "invalid continue token"),
}
"""Reads, by what is refused about them."""


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane of that dialect, whose cluster is strict."""
    with FakeControlPlane(dialect="flyte-oss", kubernetes="knative", call_log=100) as fresh:
        yield fresh


@pytest.fixture(params=once(["connect", "grpc", "grpcio"], "connect"))
def refusal(plane: FakeControlPlane, run: Run, request: pytest.FixtureRequest) -> Callable[[Case], str]:
    """A function that returns the message of a refused request to a plane with one app, over each wire."""
    client_of(plane, "direct").apps.create(app())

    def of(case: Case) -> str:
        before = len(plane.calls.list(case.rpc))
        options: dict[str, Any] = {**SCOPE, "project": case.project, "retries": PATIENT, "waits": SETTLES}
        with client_of(plane, request.param, **options) as client, pytest.raises(InvalidArgument) as caught:
            case.request(run, client)
        error = caught.value
        assert (error.code, error.maybe_applied) == (Code.INTERNAL, False)
        assert case.words in error.message and "the plane may have applied it" not in str(error)
        assert len(plane.calls.list(case.rpc)) == before + 1
        [there] = client_of(plane, "direct").apps.listall()
        assert there.pb2.spec.container.image == "example.org/hello:1"
        return error.message

    return of


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_refused_write(case: Case, refusal: Callable[[Case], str]) -> None:
    """It is sent once, and the error says that it was refused and that nothing was written."""
    message = refusal(case)
    assert "the cluster" in message and message.endswith("; nothing was written)")


@pytest.mark.parametrize("case", READ.values(), ids=READ)
def test_a_refused_read(case: Case, refusal: Callable[[Case], str]) -> None:
    """It is sent once, and the error says that the cluster refused it."""
    assert "the cluster refused" in refusal(case)
