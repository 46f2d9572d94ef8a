"""The first things that one tries."""

from __future__ import annotations

from .developing import Developer, get


def test_a_command_twice_on_one_port(developer: Developer) -> None:
    """Two apps with `python -m http.server 8080` run at once, and two of the SDK's `fserve` with it."""
    endpoints = developer.deploy("commands", "first", "second", "third", "fourth")
    assert len(set(endpoints.values())) == 4
    for endpoint in endpoints.values():
        assert "Directory listing" in get(endpoint).text
