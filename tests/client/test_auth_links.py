"""Credentials over what lies between: client certificates, proxies, forks."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from client.authority import CLIENT_ID, SCOPE, SECRET
from client.conftest import WIRES
from client.relays import tunnelling
from client.servers import certificate, http, listening
from flyteapps import Client
from flyteapps.auth import ClientSecret
from flyteapps.errors import ConfigError, Error

WIRE_OPTIONS: dict[str, dict[str, Any]] = {
    "connect": {},
    "connect-h2": {"http_version": "2"},
    "grpc": {"protocol": "grpc"},
    "grpcio": {"protocol": "grpcio"},
}


@pytest.mark.parametrize("wire", WIRES)
def test_a_client_certificate_is_presented(wire: str, tmp_path: Path) -> None:
    """On each wire, blocking and awaiting, and to the token endpoint; from one file or from two."""
    context, pem = certificate(tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    certificate(own, "client")
    (own / "both.pem").write_bytes((own / "cert.pem").read_bytes() + (own / "key.pem").read_bytes())
    context.load_verify_locations(own / "cert.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    if wire != "connect":
        context.set_alpn_protocols(["h2"])
    seen: list[Any] = []

    def behave(connection: Any) -> None:
        seen.append(connection.getpeercert())
        connection.recv(65_536)
        connection.sendall(http("404 Not Found", "text/plain", b""))

    with listening(behave, context) as port:
        for given in ((own / "cert.pem", own / "key.pem"), own / "both.pem"):
            client = Client(
                f"https://127.0.0.1:{port}", ca_cert=pem, client_cert=given, timeout=60, retries=1,
                **WIRE_OPTIONS[wire], **SCOPE,
            )  # fmt: skip
            with pytest.raises(Error):
                client.apps.get("hello")
            with pytest.raises(Error):
                asyncio.run(client.apps.get.aio("hello"))
            client.close()
        names = [dict(pair[0] for pair in each["subject"])["commonName"] for each in seen if each]
        assert len(names) >= 4 and set(names) == {"client"}


def test_a_client_certificate_for_the_token_endpoint(tmp_path: Path) -> None:
    """The same one, blocking and awaiting."""
    context, pem = certificate(tmp_path)
    context.load_verify_locations(tmp_path / "cert.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    seen: list[Any] = []

    def behave(connection: Any) -> None:
        seen.append(connection.getpeercert())
        connection.recv(65_536)
        connection.sendall(http("401 Unauthorized", "application/json", b'{"error": "invalid_client"}'))

    with listening(behave, context) as port:
        auth = ClientSecret(CLIENT_ID, SECRET, token_endpoint=f"https://127.0.0.1:{port}/token")
        pair = (tmp_path / "cert.pem", tmp_path / "key.pem")
        for awaiting in (False, True):
            client = Client(
                f"https://127.0.0.1:{port}", ca_cert=pem, client_cert=pair, auth=auth, timeout=60, retries=1, **SCOPE
            )
            with pytest.raises(Error, match="invalid_client"):
                asyncio.run(client.apps.get.aio("hello")) if awaiting else client.apps.get("hello")
    assert len(seen) == 2 and all(seen)


def test_certificates_that_are_none(tmp_path: Path) -> None:
    """A file without a key, and a client without TLS, are refused when the client is made."""
    certificate(tmp_path)
    for given in (tmp_path / "cert.pem", (tmp_path / "key.pem", tmp_path / "cert.pem"), (tmp_path / "cert.pem",)):
        with pytest.raises(ConfigError, match="client_cert"):
            Client("https://127.0.0.1:1", client_cert=given)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="without TLS"):
        Client("http://127.0.0.1:1", client_cert=(tmp_path / "cert.pem", tmp_path / "key.pem"))


@pytest.mark.parametrize("by", ["the environment", "http_proxy"])
@pytest.mark.parametrize("awaiting", [False, True])
def test_a_token_endpoint_behind_a_proxy(
    by: str, awaiting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reached by CONNECT, through the environment's proxy or one of its own."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    context, pem = certificate(tmp_path, "auth.example.org")
    body = b'{"error": "invalid_client"}'

    def behave(connection: Any) -> None:
        connection.recv(65_536)
        connection.sendall(http("401 Unauthorized", "application/json", body))

    asked: list[bytes] = []
    with listening(behave, context) as port, listening(tunnelling(port, asked)) as proxy:
        own = f"http://127.0.0.1:{proxy}"
        auth = ClientSecret(
            CLIENT_ID,
            SECRET,
            token_endpoint="https://auth.example.org/token",
            http_proxy=own if by == "http_proxy" else None,
        )
        if by != "http_proxy":
            monkeypatch.setenv("https_proxy", own)
        client = Client("https://127.0.0.1:9", ca_cert=pem, auth=auth, timeout=60, retries=1, **SCOPE)
        with pytest.raises(Error, match=r"ClientSecret: .*auth\.example\.org/token answered 401 invalid_client"):
            asyncio.run(client.apps.get.aio("hello")) if awaiting else client.apps.get("hello")
    assert asked and asked[0].startswith(b"CONNECT auth.example.org:443 ")


FORKING = """
import json, os, sys, threading
sys.path.insert(0, TESTS)
from client.authority import Authority, plane_of, SCOPE, CLIENT_ID, SECRET
from flyteapps import Client
from flyteapps.auth import ClientSecret

with Authority() as authority:
    client = Client(transport=plane_of(authority), auth=ClientSecret(CLIENT_ID, SECRET), **SCOPE)
    client.apps.get("hello")
    authority.valid.add("Bearer token-2")  # which the child's copy of the plane doesn't learn
    credentials = client.settings.auth._parts[0]
    credentials._lock.acquire()  # as another thread may hold it in the instant of a fork
    from flyteapps.auth.credentials import _Renewal
    credentials._renewal = _Renewal()  # and another may get a token
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            client.apps.get("hello")
            credentials.token.expires_at = credentials.token.renew_at = 0.0
            client.apps.get("hello")
            os.write(writer, b"ok")
        finally:
            os._exit(0)
    os.close(writer)
    print(os.read(reader, 10).decode(), len(authority.requests))
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_renews_by_itself() -> None:
    """It goes on with the parent's token, whatever the parent's threads were about, and then gets its own."""
    program = FORKING.replace("TESTS", json.dumps(str(Path(__file__).parents[1])))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.stdout.split() == ["ok", "2"], done.stdout + done.stderr
