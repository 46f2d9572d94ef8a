"""TLS on the one port: certificates of the user's and our own, every protocol, and what is wrong with a certificate."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import grpc
import httpx
import pytest
import trustme
from connectrpc.protocol import ProtocolType
from flyteidl2.app import app_service_pb2_grpc
from flyteidl2.app.app_service_connect import AppServiceClientSync
from pyqwest import HTTPVersion, SyncClient, SyncHTTPTransport
from sdk.field import CLI, RUN

import flyteapps
from flyteapps_fake.servers.certificates import self_signed

from .messages import create, get
from .server_process import HTTP, PATIENCE, ServerProcess, eventually
from .test_command import run


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of certificates."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_self_signed(kind: str, state: Path) -> None:
    """--tls self-signed serves every protocol by TLS, and says what to trust; our own client and the SDK take it so."""
    server = ServerProcess("--server", kind, "--tls", "self-signed")
    try:
        assert re.search(r"caCertFilePath: (\S+)", server.output)
        found = re.findall(r"caCertFilePath: (.+)", server.output)[0]
        ca = Path(found).read_bytes()
        url = f"https://localhost:{server.port}"
        for number, version in enumerate((HTTPVersion.HTTP1, HTTPVersion.HTTP2), 1):
            for protocol in (ProtocolType.CONNECT, ProtocolType.GRPC_WEB):
                http = SyncClient(SyncHTTPTransport(tls_ca_cert=ca, http_version=version))
                client = AppServiceClientSync(url, http_client=http, protocol=protocol)
                name = f"a{number}{protocol.value}"
                assert client.create(create(name, stopped=True)).app == client.get(get(name)).app
        console = f"https://localhost:{server.console_port}"
        assert HTTP.get(f"{console}/healthz").status_code == 200
        credentials = grpc.ssl_channel_credentials(ca)
        with grpc.secure_channel(f"127.0.0.1:{server.port}", credentials) as channel:
            assert app_service_pb2_grpc.AppServiceStub(channel).Get(get("a11")).app.metadata.id.name == "a11"
        with flyteapps.Client(url, ca_cert=found, project="p", domain="development") as ours:
            assert ours.apps.get("a11").endpoint.startswith(f"{console}/apps/a11-")
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{server.port}/", timeout=PATIENCE)
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(f"{url}/healthz")
    finally:
        assert server.stop()[0] == 0, server.output


def test_a_certificate_is_kept(state: Path) -> None:
    """A certificate is used again, so that it is trusted once; for other names it is made anew. Its key is private."""
    first = self_signed(["localhost"])
    made = first.cert.read_bytes()
    assert self_signed(["localhost"]).cert.read_bytes() == made
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600
    assert first.ca is not None and first.ca.is_relative_to(state)
    assert self_signed(["localhost", "box"]).cert.read_bytes() != made
    first.key.write_text("rubbish")
    assert self_signed(["localhost", "box"]).key.read_text() != "rubbish"


def test_own_certificate(kind: str, tmp_path: Path) -> None:
    """--tls-cert and --tls-key serve what the user has; a chain may stand in the one file."""
    ca = trustme.CA()
    middle = ca.create_child_ca()
    leaf = middle.issue_cert("localhost", "127.0.0.1")
    cert, key, trusted = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    cert.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(key))
    ca.cert_pem.write_to_path(str(trusted))
    server = ServerProcess("--server", kind, "--tls-cert", str(cert), "--tls-key", str(key))
    try:
        assert "caCertFilePath" not in server.output
        import ssl

        context = ssl.create_default_context(cafile=str(trusted))
        assert httpx.get(f"https://localhost:{server.port}/healthz", verify=context).json()["status"] == "SERVING"
    finally:
        assert server.stop()[0] == 0, server.output


@pytest.mark.slow
def test_an_sdk_that_skips_the_check(kind: str, state: Path, tmp_path: Path) -> None:
    """The Flyte SDK with insecureSkipVerify, which trusts the chain that it is sent, reaches a self-signed server."""
    pytest.importorskip("flyte")
    with ServerProcess("--server", kind, "--tls", "self-signed") as server:
        config = tmp_path / "config.yaml"
        admin = f"  endpoint: dns:///localhost:{server.port}\n  insecureSkipVerify: true"
        config.write_text(f"admin:\n{admin}\ntask:\n  project: demo\n  domain: development\n")
        command = [*RUN, "-c", CLI, "-c", str(config), "get", "app"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        assert ended.returncode == 0, ended.stderr
        eventually(lambda: "AppService/List - OK" in server.output, server.output)


def test_a_kept_certificate_without_its_authority_is_made_anew(state: Path) -> None:
    """The chain that is sent holds the authority; one that was kept before it did is not used any more."""
    made = self_signed(["localhost"])
    assert made.ca is not None
    authority = made.ca.read_bytes()
    chain = made.cert.read_bytes()
    assert chain.endswith(authority) and chain.count(b"BEGIN CERTIFICATE") == 2
    made.cert.write_bytes(chain.removesuffix(authority))
    assert self_signed(["localhost"]).cert.read_bytes().count(b"BEGIN CERTIFICATE") == 2


def _pair(folder: Path) -> tuple[Path, Path]:
    leaf = trustme.CA().issue_cert("localhost")
    cert, key = folder / "cert.pem", folder / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(str(cert))
    leaf.private_key_pem.write_to_path(str(key))
    return cert, key


def test_what_is_wrong_with_a_certificate_is_said(tmp_path: Path) -> None:
    """One without the other, a missing file, no PEM, a key of another: status 1 and which option it is."""
    cert, key = _pair(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = _pair(tmp_path / "other")
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("rubbish")
    for options, word in (
        (("--tls-cert", cert), "--tls-key"),
        (("--tls-key", key), "--tls-cert"),
        (("--tls-cert", tmp_path / "none", "--tls-key", key), "No such file"),
        (("--tls-cert", rubbish, "--tls-key", key), "no certificate and its key"),
        (("--tls-cert", cert, "--tls-key", other), "no certificate and its key"),
        (("--tls-cert", cert, "--tls-key", key, "--tls", "self-signed"), "--tls self-signed"),
    ):
        ended = run("--port", "0", "--console-port", "0", *map(str, options))
        assert ended.returncode == 1 and word in ended.stderr, (options, ended.stderr)
        assert "Traceback" not in ended.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the folder that can't be written."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    ended = run("--port", "0", "--console-port", "0", "--tls", "self-signed")
    assert ended.returncode == 1 and "can't be written" in ended.stderr and "Traceback" not in ended.stderr
