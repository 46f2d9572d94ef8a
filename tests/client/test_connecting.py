"""Connecting of the blocking HTTP/1.1 transport: one deadline for all addresses and for the TLS handshake."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest

from flyteapps.endpoint import Endpoint
from flyteapps.transports import http1
from flyteapps.transports.http1 import Http1Client

from . import servers

SECONDS = 0.6
SLACK_SECONDS = 0.35
"""More than a busy machine needs beside the waits, and less than a second timeout."""


@pytest.fixture
def unanswered() -> Iterator[int]:
    """A port whose queue of connections is full, so that the kernel answers no further one."""
    with socket.socket() as listener, contextlib.ExitStack() as queued:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            sock = queued.enter_context(socket.socket())
            sock.setblocking(False)
            assert sock.connect_ex(listener.getsockname()) in (0, errno.EINPROGRESS)
        yield listener.getsockname()[1]


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Let each name have an address for each of these ports."""

    def addresses(*_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]

    monkeypatch.setattr(http1.socket, "getaddrinfo", addresses)


def _connect(context: ssl.SSLContext | None = None) -> socket.socket:
    scheme = "https" if context else "http"
    return Http1Client(Endpoint.parse(f"{scheme}://plane.test:1"), context).connection(SECONDS)


def test_the_deadline_bounds_all_addresses(unanswered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three addresses that don't answer take one timeout together, not one each."""
    _resolve_to(monkeypatch, unanswered, unanswered, unanswered)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        _connect()
    assert SECONDS - 0.1 < time.monotonic() - started < SECONDS + SLACK_SECONDS


def test_an_address_after_one_that_does_not_answer_is_reached(unanswered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that doesn't answer leaves time for the next one."""
    with servers.listening(servers.silent) as port:
        _resolve_to(monkeypatch, unanswered, port)
        started = time.monotonic()
        with _connect() as sock:
            assert sock.getpeername()[1] == port
        assert time.monotonic() - started < SECONDS


def test_the_deadline_bounds_the_handshake_too(unanswered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow connect followed by a server that never ends the TLS handshake takes one timeout."""
    with servers.listening(servers.silent) as port:
        _resolve_to(monkeypatch, unanswered, port)
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            _connect(ssl.create_default_context())
        assert time.monotonic() - started < SECONDS + SLACK_SECONDS


def test_the_error_is_that_of_the_last_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no address accepts, the refusal of the last one is raised."""
    _resolve_to(monkeypatch, 1, 1)
    with pytest.raises(ConnectionRefusedError):
        _connect()
