"""Connecting of the blocking HTTP/1.1 transport: one deadline for all addresses and for the TLS handshake."""

from __future__ import annotations

import socket
import ssl
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flyteapps.endpoint import Endpoint
from flyteapps.transports import http1
from flyteapps.transports.http1 import Http1Client

SECONDS = 12.0

UNANSWERED, ACCEPTING = 1, 2
"""Ports: connecting to the first takes the socket's whole timeout, to the second no time."""


class Network:
    """The `socket` and the `monotonic` of http1 on a clock of their own: waits end at once, at their timeouts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.open = 0
        self._ports = ports
        module = dict(vars(socket), getaddrinfo=self._addresses, socket=self._socket)
        monkeypatch.setattr(http1, "socket", SimpleNamespace(**module))
        monkeypatch.setattr(http1, "monotonic", lambda: self.now)

    def _addresses(self, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in self._ports]

    def _socket(self, *_: Any) -> _Socket:
        return _Socket(self)

    def wait(self, seconds: float) -> None:
        """Let the whole timeout pass, and raise TimeoutError."""
        self.now += seconds
        self.waits.append(seconds)
        raise TimeoutError("timed out")


class _Socket:
    """A socket of the network."""

    timeout = 0.0
    peer = 0

    def __init__(self, network: Network) -> None:
        self._network = network
        network.open += 1

    def settimeout(self, seconds: float) -> None:
        self.timeout = seconds

    def setsockopt(self, *_: Any) -> None:
        """Accept each option."""

    def connect(self, address: tuple[str, int]) -> None:
        if address[1] == UNANSWERED:
            self._network.wait(self.timeout)
        self.peer = address[1]

    def close(self) -> None:
        self._network.open -= 1


class _Handshake:
    """A TLS context of a server that never ends the handshake."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def wrap_socket(self, sock: _Socket, **_: Any) -> None:
        self._network.wait(sock.timeout)


def _connect(context: _Handshake | None = None) -> Any:
    endpoint = Endpoint.parse(f"{'https' if context else 'http'}://plane.test:1")
    return Http1Client(endpoint, cast("ssl.SSLContext | None", context)).connection(SECONDS)


def test_the_deadline_bounds_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three addresses that don't answer take one timeout together, in equal shares, and leave no socket open."""
    network = Network(monkeypatch, UNANSWERED, UNANSWERED, UNANSWERED)
    with pytest.raises(TimeoutError):
        _connect()
    assert network.waits == pytest.approx([SECONDS / 3] * 3)
    assert network.open == 0


def test_an_address_after_one_that_does_not_answer_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that doesn't answer leaves its share of the time to the next one."""
    network = Network(monkeypatch, UNANSWERED, ACCEPTING)
    assert _connect().peer == ACCEPTING
    assert network.waits == pytest.approx([SECONDS / 2])
    assert network.open == 1


def test_the_deadline_bounds_the_handshake_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS handshake that never ends gets the rest of the one timeout after a slow connect."""
    network = Network(monkeypatch, UNANSWERED, UNANSWERED, ACCEPTING)
    with pytest.raises(TimeoutError):
        _connect(_Handshake(network))
    assert network.waits == pytest.approx([SECONDS / 3] * 3)
    assert network.open == 0


def test_the_error_is_that_of_the_last_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no address accepts, the refusal of the last one is raised."""

    def refusing(*_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))] * 2

    monkeypatch.setattr(http1.socket, "getaddrinfo", refusing)
    with pytest.raises(ConnectionRefusedError):
        _connect()
