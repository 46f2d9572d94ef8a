"""The unmodified SDK and CLI log in to `flyteapps serve --auth` by each of their modes, and do an app's whole life."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from .field import Server, User
from .tunnel import Tunnel

CLIENT, SECRET = "ci", "s3cret/with+signs="
HOST = "flyte.test"
pytestmark = pytest.mark.slow


class Plane:
    """A server with TLS and authentication, and what its users need."""

    def __init__(self, server: Server, redirect_port: int) -> None:
        self.server = server
        self.redirect_port = redirect_port
        self.ca = str(server.ca)
        self.endpoint = f"localhost:{server.port}"
        self.url = f"https://{self.endpoint}"
        self.trust = {"insecure": False, "caCertFilePath": self.ca}
        self.env = {"FLOW_CA": self.ca, "SSL_CERT_FILE": self.ca}

    def http(self) -> httpx.Client:
        """Return an HTTP client that trusts the server."""
        context = ssl.create_default_context(cafile=self.ca)
        return httpx.Client(base_url=self.url, verify=context, trust_env=False)

    def token(self) -> str:
        """Return a token of the client with a secret."""
        with self.http() as http:
            form = {"grant_type": "client_credentials"}
            token: str = http.post("/oauth2/token", data=form, auth=(CLIENT, SECRET)).json()["access_token"]
            return token


def free_port() -> int:
    """Return a port of the loopback that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture
def serve(start: Callable[..., Server], tmp_path: Path) -> Callable[..., Plane]:
    """Return a function that starts a server with options, whose users and clients are in a file."""

    def begin(*options: str) -> Plane:
        port = free_port()
        settings = tmp_path / "auth.yaml"
        settings.write_text(f"""\
users:
  - {{subject: alice, role: admin, name: Alice Adams, email: alice@example.com}}
  - {{subject: bob, role: contributor, projects: [proj]}}
clients:
  - {{client_id: cli, redirect_uris: ["http://localhost:{port}/callback"]}}
  - {{client_id: {CLIENT}, secret: "{SECRET}", role: admin}}
device_interval_seconds: 1
""")
        server = start("--tls", "self-signed", "--allow-host", HOST, "--auth", str(settings), *options)
        return Plane(server, port)

    return begin


def life(user: User) -> None:
    """Run an app's whole life."""
    user.bring("common")
    assert "done" in user.python("life_flow")


def test_client_secret(serve: Callable[..., Plane], tmp_path: Path) -> None:
    """A client with its secret in a file; what it creates is its own."""
    plane = serve()
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    login = {**plane.trust, "clientId": CLIENT, "clientSecretLocation": str(secret)}
    user = User(tmp_path, plane.endpoint, login=login, env=plane.env)
    life(user)
    assert CLIENT in user.flyte("whoami")


def test_pkce(serve: Callable[..., Plane], tmp_path: Path) -> None:
    """The browser that the SDK opens is sent back to it at once; `flyte whoami` and `--only-mine` know the user."""
    plane = serve("--auth-approve", "bob")
    browser = Path(__file__).parent / "flows" / "follow_redirects.py"
    env = {**plane.env, "BROWSER": f"{sys.executable} {browser} %s &"}
    user = User(tmp_path, plane.endpoint, login={**plane.trust, "authType": "Pkce"}, env=env)
    life(user)
    assert "bob" in user.flyte("whoami")
    with plane.http() as http:
        headers = {"authorization": f"Bearer {plane.token()}"}
        made = {"metadata": {"id": {"project": "proj", "domain": "dev", "name": "of-ci"}}}
        app = {**made, "spec": {"desiredState": "DESIRED_STATE_STOPPED", "container": {"image": "img:1"}}}
        answer = http.post("/flyteidl2.app.AppService/Create", json={"app": app}, headers=headers)
        assert answer.status_code == 200, answer.text
    user.python("mine_flow")
    assert "of-ci" in user.flyte("get", "app")
    mine = user.flyte("get", "app", "--only-mine")
    assert "of-bob" in mine and "of-ci" not in mine


def test_device_flow(serve: Callable[..., Plane], tmp_path: Path) -> None:
    """The user approves on the page, by each URL that the SDK prints: its clients log in one by one."""
    plane = serve()
    user = User(tmp_path, plane.endpoint, login={**plane.trust, "authType": "DeviceFlow"}, env=plane.env)
    user.bring("common")
    process = user.start("life_flow")
    assert process.stdout is not None
    output = ""
    try:
        with plane.http() as http:
            for line in process.stdout:
                output += line
                if (found := re.search(r"user_code=([A-Z-]+)", line)) is not None:
                    form = {"user_code": found[1], "subject": "alice"}
                    assert http.post("/oauth2/device", data=form).status_code == 200
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    assert "done" in output, output


def test_external_command(serve: Callable[..., Plane], tmp_path: Path) -> None:
    """A command prints the token."""
    plane = serve()
    script = Path(__file__).parent / "flows" / "print_token.py"
    command = [sys.executable, str(script), plane.url, CLIENT, SECRET]
    login = {**plane.trust, "authType": "ExternalCommand", "command": command}
    life(User(tmp_path, plane.endpoint, login=login, env=plane.env))


def test_passthrough(serve: Callable[..., Plane], tmp_path: Path) -> None:
    """The program brings the token of each call."""
    plane = serve()
    env = {**plane.env, "FLOW_TOKEN": plane.token()}
    life(User(tmp_path, plane.endpoint, login={**plane.trust, "authType": "Passthrough"}, env=env))


def test_api_key(serve: Callable[..., Plane], tmp_path: Path) -> None:
    """A key has no port for the SDK: a proxy leads its host's port 443 to the server."""
    plane = serve()
    key = base64.b64encode(f"{HOST}:{CLIENT}:{SECRET}:flyte".encode()).decode()
    with Tunnel(plane.server.port) as tunnel:
        env = {**plane.env, "FLYTE_API_KEY": key, "HTTPS_PROXY": tunnel.url, "https_proxy": tunnel.url}
        life(User(tmp_path, plane.endpoint, login=plane.trust, env=env))
    assert set(tunnel.asked_for) == {f"{HOST}:443"}
