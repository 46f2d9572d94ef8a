"""Fixtures of the SDK's round trips: servers and users that are gone after the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .field import Server, User

CLOCK = os.environ.get("FLYTEAPPS_TEST_CLOCK", "auto")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers with options; each must end cleanly and without a complaint by the end of the test."""
    servers: list[Server] = []

    def begin(*options: str) -> Server:
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        servers.append(Server(folder, ["--clock", CLOCK, *options]))
        return servers[-1]

    yield begin
    assert [server.stop() for server in servers] == [0] * len(servers)
    assert "".join(server.complaints() for server in servers) == ""


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    """A server without any option, save the clock."""
    return start()


@pytest.fixture
def user(server: Server, tmp_path: Path) -> User:
    """A user of that server with a project and no org."""
    return User(tmp_path, f"127.0.0.1:{server.port}")
