"""Servers for the tests of serving: one of each kind a module, since starting one takes half a second."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from .server_process import ServerProcess

KINDS = [
    pytest.param("portable"),
    pytest.param(
        "pyvoy",
        marks=pytest.mark.skipif(importlib.util.find_spec("pyvoy") is None, reason="pyvoy is not installed"),
    ),
]


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """A server that the tests of one module share."""
    running = ServerProcess("--server", request.param)
    yield running
    status, _ = running.stop()
    assert status == 0, running.output


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a server for tests that start one of their own."""
    return str(request.param)
