"""Company networks: one rule for proxies in every transport; an unsupported option is refused with an alternative."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import traceback
from typing import Any

import pytest

from flyteapps import AppNotFound, Client, ConfigError, Error, NetworkError, PermissionDenied
from flyteapps.endpoint import Endpoint
from flyteapps.transports.proxies import proxy_of
from flyteapps_fake.control_plane import FakeControlPlane

from . import servers
from .conftest import SCOPE, Run
from .forked import OPTIONS
from .relays import tunnelling

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
ONCE: dict[str, Any] = {"retries": 1, "timeout": 10.0, **SCOPE}


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the tests asks for none."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("endpoint", "environ", "expected"),
    [
        ("http://plane.example", {"http_proxy": "http://a:1"}, "http://a:1"),
        ("http://plane.example", {"http_proxy": "a:1"}, "http://a:1"),
        ("http://plane.example", {"http_proxy": "http://a:1", "HTTP_PROXY": "http://b:1"}, "http://a:1"),
        ("http://plane.example", {"HTTP_PROXY": "http://b:1"}, "http://b:1"),
        ("http://plane.example", {"HTTP_PROXY": "http://b:1", "REQUEST_METHOD": "GET"}, None),
        ("http://plane.example", {"https_proxy": "http://a:1"}, None),
        ("https://plane.example", {"https_proxy": "https://a:1"}, "https://a:1"),
        ("https://plane.example", {"all_proxy": "socks5://a:1"}, "socks5://a:1"),
        ("https://plane.example", {"HTTPS_PROXY": "http://b:1", "all_proxy": "http://a:1"}, "http://b:1"),
        ("http://plane.example", {"http_proxy": ""}, None),
        ("http://localhost:80", {"http_proxy": "http://a:1"}, None),
        ("http://127.9.9.9", {"http_proxy": "http://a:1"}, None),
        ("http://[::1]:80", {"http_proxy": "http://a:1"}, None),
    ],
)
def test_which_variable_counts(endpoint: str, environ: dict[str, str], expected: str | None) -> None:
    """The variable of the endpoint's scheme counts, lower case first, then that for all; none for this machine."""
    proxy = proxy_of(Endpoint.parse(endpoint), environ)
    assert (proxy.url if proxy else None) == expected


@pytest.mark.parametrize(
    ("endpoint", "no_proxy", "direct"),
    [
        ("http://10.1.2.3", "10.0.0.0/8", True),
        ("http://11.1.2.3", "10.0.0.0/8", False),
        ("http://10.1.2.3", "10.1.2.3", True),
        ("http://10.1.2.30", "10.1.2.3", False),
        ("http://[2001:db8::7]:90", "2001:db8::/32", True),
        ("http://[2001:db8::7]:90", "[2001:db8::7]:90", True),
        ("http://[2001:db8::7]:90", "[2001:db8::7]:91", False),
        ("http://plane.example", "example", True),
        ("http://plane.example", ".example", True),
        ("http://plane.example", "*.example", True),
        ("http://plane.example", "plane.example", True),
        ("http://plane.example", "PLANE.EXAMPLE.", True),
        ("http://badplane.example", "plane.example", False),
        ("http://plane.example:8090", "other, plane.example:8090", True),
        ("http://plane.example:8090", "plane.example:80", False),
        ("http://plane.example", "*", True),
        ("http://plane.example", " , ,", False),
    ],
)
def test_no_proxy(endpoint: str, no_proxy: str, direct: bool) -> None:
    """A domain holds for what is below it, an address may be a network, a port limits the entry to that one."""
    environ = {"http_proxy": "http://a:1", "no_proxy": no_proxy}
    assert (proxy_of(Endpoint.parse(endpoint), environ) is None) is direct


@pytest.mark.parametrize("transport", OPTIONS)
@pytest.mark.parametrize(
    "url",
    ["http://", "http://user:secret@", "ftp://user:secret@a:1", "socks4://user:secret@a:1", "http://user:secret@a:port",
     "http://user:secret@[::1", "http://user:secret@a:99999", "http://user:secret@a b:1", "secret://user:x@a:1"],
)  # fmt: skip
def test_a_malformed_proxy(transport: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ConfigError that names the variable, and not the password; nor do its locals, or any other variable's value."""
    monkeypatch.setenv("HTTP_PROXY", url)
    monkeypatch.setenv("SOME_TOKEN", "token-of-another")
    with pytest.raises(ConfigError, match="variable HTTP_PROXY") as caught:
        Client("http://plane.invalid", **OPTIONS[transport], **ONCE)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    inner = caught.tb
    while inner.tb_frame.f_code is test_a_malformed_proxy.__code__ and inner.tb_next is not None:
        inner = inner.tb_next  # the frame of this test knows the URL
    shown = "".join(traceback.TracebackException(ConfigError, caught.value, inner, capture_locals=True).format())
    assert "SOME_TOKEN" not in shown and "token-of-another" not in shown
    assert "user:secret" not in shown and "'secret'" not in shown


@pytest.mark.parametrize(
    ("transport", "endpoint", "scheme", "options", "says"),
    [
        ("grpcio", "http://plane.invalid", "https", {}, "http:// alone"),
        ("grpcio", "https://plane.invalid", "socks5", {}, "http:// alone"),
        ("grpc", "http://plane.invalid", "http", {}, "without TLS"),
        ("connect-h2", "http://plane.invalid", "https", {}, "without TLS"),
        *((each, "https://plane.invalid", "http", {"insecure_skip_verify": True}, "ca_cert") for each in OPTIONS),
    ],
)  # fmt: skip
def test_unsupported_options_of_a_transport(
    transport: str, endpoint: str, scheme: str, options: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused when the client is made, with what to do, and not done otherwise than asked for."""
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://user:secret@proxy.invalid:1")
    with pytest.raises(ConfigError, match=says) as caught:
        Client(endpoint, **OPTIONS[transport], **options, **ONCE)
    assert "no_proxy=plane.invalid" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("transport", "scheme", "asks"),
    [
        ("connect", "socks5h", b"plane.invalid"),
        ("connect-h2", "socks5h", b"plane.invalid"),
        ("grpc", "socks5h", b"plane.invalid"),
        ("grpcio", "http", b"CONNECT plane.invalid:8090 HTTP/1.1\r\n"),
    ],
)
def test_a_plane_behind_a_proxy(
    transport: str, scheme: str, asks: bytes, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plane answers through it, and the proxy resolves the plane's name."""
    asked: list[bytes] = []
    with FakeControlPlane() as plane:
        server = plane.serve()
        target = server.grpc_target if transport == "grpcio" else server.url
        behave = tunnelling(int(target.rpartition(":")[2]), asked)
        with servers.listening(behave) as port:
            monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{port}")
            with (
                Client("http://plane.invalid:8090", **OPTIONS[transport], **ONCE) as client,
                pytest.raises(Error) as caught,
            ):
                run(client.apps.get, "hello")
    if transport == "grpcio":
        assert isinstance(caught.value, AppNotFound)
    else:  # the stand-in's own answer to calls for another host
        assert isinstance(caught.value, PermissionDenied)
        assert "doesn't answer for the host 'plane.invalid:8090'" in caught.value.message
    assert asks in asked[0]


@pytest.mark.parametrize("endpoint", ["https://[2001:db8::1]", "https://plane.invalid:8443"])
@pytest.mark.parametrize("transport", OPTIONS)
def test_connect_requests(transport: str, endpoint: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP/1.1, an IPv6 address in brackets, credentials in their header; the proxy's refusal is an error."""
    asked: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        asked.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

    with servers.listening(behave) as port:
        monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{port}")
        with Client(endpoint, **OPTIONS[transport], **ONCE) as client, pytest.raises(NetworkError) as caught:
            run(client.apps.get, "hello")
    where = Endpoint.parse(endpoint).target
    assert asked[0].startswith(f"CONNECT {where} HTTP/1.1\r\n".encode())
    assert b"proxy-authorization: basic dXNlcjpzZWNyZXQ=\r\n" in asked[0].replace(b"Proxy-A", b"proxy-a").replace(
        b"Basic", b"basic"
    )
    assert "secret" not in str(caught.value)


def test_an_https_proxy_is_spoken_to_by_tls(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bytes are a TLS handshake: no request and no password in plaintext."""
    seen: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        seen.append(connection.recv(65_536))
        connection.shutdown(socket.SHUT_RDWR)

    with servers.listening(behave) as port:
        monkeypatch.setenv("HTTP_PROXY", f"https://user:secret@127.0.0.1:{port}")
        with Client("http://plane.invalid:8090", **ONCE) as client, pytest.raises(Error):
            run(client.apps.get, "hello")
    assert seen[0][:2] == b"\x16\x03"


def test_a_proxy_is_used_for_other_hosts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call goes to the proxy of the environment, with the whole URL, and its credentials."""
    seen: list[bytes] = []

    def behave(connection: servers.socket.socket) -> None:
        seen.append(connection.recv(65_536))
        answer = servers.http("404 Not Found", "application/json", b'{"code":"not_found","message":"by the proxy"}')
        connection.sendall(answer)

    with servers.listening(behave) as port:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://user:secret@127.0.0.1:{port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        client = Client("http://plane.example:8090", project="p", domain="d", retries=1)
        with client, pytest.raises(AppNotFound, match="by the proxy"):
            run(client.apps.get, "hello")
    head = seen[0].decode().lower()
    assert head.startswith("post http://plane.example:8090/flyteidl2.app.appservice/get http/1.1")
    assert "proxy-authorization: basic " in head


KNOWS = """
import asyncio, sys
from flyteapps import Client, Error
from flyteapps_contract.targets.wire import Wire
said = []
for options in ({}, {"http_version": "2"}, {"protocol": "grpc"}, {"protocol": "grpcio"}):
    for awaiting in (False, True):
        with Client("http://foo.localhost:1", project="p", domain="d", timeout=30, retries=1, **options) as client:
            try:
                asyncio.run(client.apps.get.aio("a")) if awaiting else client.apps.get("a")
            except Error as error:
                said.append("unknown" if "is not known" in error.message else error.message)
try:
    Wire("foo.localhost:1").sync_client().get("http://foo.localhost:1/")
except ConnectionError as error:
    said.append("unknown" if "dns error" in str(error) else str(error))
print(*said, sep="\\n")
"""


def test_names_are_those_of_the_system() -> None:
    """Each way, and `flyteapps verify`, knows the hosts that the system's resolver knows, and no others."""
    try:
        socket.getaddrinfo("foo.localhost", 1)
        known = True
    except socket.gaierror:
        known = False
    environ = {name: value for name, value in os.environ.items() if name != "GRPC_DNS_RESOLVER"}
    command = [sys.executable, "-c", KNOWS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, env=environ)
    said = done.stdout.splitlines()
    assert len(said) == 9
    for each in said:
        assert (each == "unknown") is not known, said
