"""Fixtures of the tests of the plane: a fresh plane on the manual clock, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps_fake.control_plane import FakeControlPlane

from .api import Api


class Refusal:
    """`with refusal(code) as refused:` expects that error and keeps it in `refused.error`."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self.error: ConnectError

    def __enter__(self) -> Refusal:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is None:
            pytest.fail(f"expected {self._code.name}, but the call succeeded")
        if not isinstance(error, ConnectError):
            return False
        assert error.code is self._code, f"expected {self._code.name}, got {error.code.name}: {error.message}"
        self.error = error
        return True

    @property
    def message(self) -> str:
        """The message of the error."""
        return self.error.message


@pytest.fixture
def plane() -> Iterator[FakeControlPlane]:
    """A plane of org acme on the manual clock; fails the test that leaves a stream open."""
    with FakeControlPlane(clock="manual", org="acme") as fresh:
        yield fresh


@pytest.fixture
def pooled() -> Iterator[Api]:
    """Return a client of a plane whose pools are configured: there an app may wait for a cluster in vain."""
    with FakeControlPlane(clock="manual", org="acme", pools={"west": ["w1"]}) as plane:
        yield Api(plane)


@pytest.fixture
def api(plane: FakeControlPlane) -> Iterator[Api]:
    """Return a client of the plane."""
    client = Api(plane)
    try:
        yield client
    finally:
        client.close()
