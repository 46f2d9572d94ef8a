"""A fresh plane of each dialect, and clients of it, over every transport.

The client's semantics are tested on the direct transport, blocking and awaiting, on both dialects; what each wire adds
is in test_wires.py. The other combinations are repetitions: the `matrix`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flyteapps import Client, Retries, Waits
from flyteapps_fake.control_plane import FakeControlPlane

from .configuration import Files

T = TypeVar("T")

WIRES = ("connect", "connect-h2", "grpc", "grpcio")

TRANSPORTS = ("direct", *WIRES)
"""The transports of a client."""


def once(values: Iterable[str], *shown: str) -> list[Any]:
    """Return parameters of a test that shows the same with each: all but `shown` are repetitions, the matrix."""
    return [each if each in shown else pytest.param(each, marks=pytest.mark.matrix) for each in values]


QUICK = Retries(attempts=4, initial=0.001, maximum=0.01, seed=1)

SCOPE: dict[str, Any] = {"project": "demo", "domain": "development"}

SETTLES = Waits(settle=0.1, poll=0.5)
"""Short times after which an unchanged state counts, for a plane without revisions."""

DIALECTS = ("standard", "flyte-oss")

STANDARD_ALONE = {
    "test_a_replaced_app_keeps_what_was_not_given": "labels and the code's origin are not kept there",
    "test_an_update_at_another_revision_is_a_conflict": "there are no revisions: the last writer wins",
    "test_deleting_a_running_app_is_refused": "it is deleted there",
    "test_an_app_created_anew_is_another": "nothing that this handle was shown says when its app was created",
    "test_violations_are_parsed": "a refusal there names no fields",
    "test_an_unassigned_app_is_stopped": "no app is UNASSIGNED there",
    "test_a_lost_answer_under_another_write": "there are no revisions: the last writer wins",
    "test_a_lost_request_before_another_write": "there are no revisions: the last writer wins",
}
"""Tests that make no sense on the other dialect, and why."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that uses a plane on both dialects."""
    if "dialect" in metafunc.fixturenames and not hasattr(metafunc.module, "dialect"):
        alone = metafunc.function.__name__ in STANDARD_ALONE
        metafunc.parametrize("dialect", DIALECTS[:1] if alone else DIALECTS)


@pytest.fixture
def plane(dialect: str) -> Iterator[FakeControlPlane]:
    """A fresh plane of the dialect, on the auto clock."""
    pools = {"west": ["w1"]} if dialect == "standard" else {}  # where some are configured, others have no cluster
    with FakeControlPlane(dialect=dialect, pools=pools) as fresh:
        yield fresh


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A home and a working directory without any configuration."""
    return Files(tmp_path)


@pytest.fixture
def nth(dialect: str) -> Callable[[int], int]:
    """The function from a counted revision to the one that such a plane returns: 0 without revisions."""
    return (lambda revision: revision) if dialect == "standard" else (lambda _: 0)


def client_of(plane: FakeControlPlane, transport: str, **options: Any) -> Client:
    """Return a client of the plane over one of the transports."""
    options = {"retries": QUICK, "waits": SETTLES, **SCOPE, **options}
    if transport == "direct":
        return Client(transport=plane.transport(), **options)
    server = plane.serve()
    if transport == "grpcio":
        return Client(server.grpc_target, insecure=True, protocol="grpcio", **options)
    if transport == "connect-h2":
        return Client(server.url, http_version="2", **options)
    return Client(server.url, protocol="grpc" if transport == "grpc" else "connect", **options)


@pytest.fixture(params=once(TRANSPORTS, "direct"))
def client(plane: FakeControlPlane, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client of `plane`, over each transport."""
    with client_of(plane, request.param) as made:
        yield made


@pytest.fixture
def direct(plane: FakeControlPlane) -> Client:
    """A client of `plane` in this process."""
    return client_of(plane, "direct")


class Run:
    """A caller of the client's methods, blocking or awaiting, so that one test holds for both."""

    def __init__(self, awaiting: bool) -> None:
        self.awaiting = awaiting

    def __call__(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.awaiting:
            return method(*args, **kwargs)
        return asyncio.run(method.aio(*args, **kwargs))

    def items(self, method: Any, *args: Any, most: int | None = None, **kwargs: Any) -> list[Any]:
        """Return the first `most` items of an iteration, which is then closed."""
        if not self.awaiting:
            with method(*args, **kwargs) as items:
                return [item for _, item in zip(range(most or 10**9), items, strict=False)]
        return asyncio.run(self._items(method, most, args, kwargs))

    async def _items(self, method: Any, most: int | None, args: Any, kwargs: Any) -> list[Any]:
        found: list[Any] = []
        async with method.aio(*args, **kwargs) as items:
            while most is None or len(found) < most:
                try:
                    found.append(await anext(items))
                except StopAsyncIteration:
                    break
        return found

    def within(self, context: Any, awaiting_context: Any, body: Callable[[], T]) -> T:
        """Run a body within a context manager, its blocking or its awaiting form."""
        if not self.awaiting:
            with context():
                return body()

        async def go() -> T:
            async with awaiting_context():
                return body()

        return asyncio.run(go())


@pytest.fixture(params=["blocking", "awaiting"])
def run(request: pytest.FixtureRequest) -> Run:
    """Calls by blocking, and by awaiting."""
    return Run(request.param == "awaiting")
