"""Fixtures of the SDK's round trips: servers and users, removed after the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .field import Server, User

CLOCK = os.environ.get("FLYTEAPPS_TEST_CLOCK", "auto")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server with options; each must end cleanly and without error output."""
    servers: list[Server] = []

    def begin(*options: str) -> Server:
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        servers.append(Server(folder, ["--clock", CLOCK, *options]))
        return servers[-1]

    yield begin
    assert [server.stop() for server in servers] == [0] * len(servers)
    assert "".join(server.error_output() for server in servers) == ""


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    """Return a server without options other than the clock."""
    return start()


@pytest.fixture
def user(server: Server, tmp_path: Path) -> User:
    """Return a user of that server with a project and without an org."""
    return User(tmp_path, f"127.0.0.1:{server.port}")
