"""`flyteapps serve --auth`: its options, its banner, files of settings."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from auth.support import authorization_request, redeem, user_info
from flyteapps_fake.auth.file import parse_auth
from flyteapps_fake.cli.serve import serve
from serving.server_process import ServerProcess

FILE = """\
users:
  - subject: ann
    role: contributor
    projects: [demo]
clients:
  - client_id: my-cli
    redirect_uris: [http://localhost:1/callback]
  - client_id: my-ci
    secret: s3cret
access_token_seconds: 60
"""


@pytest.mark.parametrize("server", ["auto", "portable"])
def test_the_demo(server: str) -> None:
    """The banner has an API key, whose client gets tokens; the page approves at once, and roles are checked."""
    with ServerProcess("--auth", "demo", "--auth-approve", "bob", "--server", server) as served:
        assert "alice (admin), bob (contributor), vera (viewer)" in served.output
        assert "over TLS alone" in served.output
        found = re.search(r"export FLYTE_API_KEY=(\S+)", served.output)
        assert found is not None
        endpoint, client, secret, org = base64.b64decode(found[1]).decode().rsplit(":", 3)
        assert (endpoint, client, org) == (served.address, "flyteapps-ci", "flyte")
        with httpx.Client(base_url=endpoint, trust_env=False) as http:
            fields = {"grant_type": "client_credentials"}
            token = http.post("/oauth2/token", data=fields, auth=(client, secret)).json()["access_token"]
            assert user_info(http, token).json()["subject"] == client
            assert user_info(http, None).status_code == 401
            where = httpx.URL(http.get("/oauth2/authorize", params=authorization_request()).headers["location"])
            bob = redeem(http, where.params["code"]).json()["access_token"]
            path = "/flyteapps.control.v1.ControlService/GetClock"
            statuses = [
                http.post(path, json={}, headers={"authorization": f"Bearer {each}"}).status_code
                for each in (token, bob)
            ]
            assert statuses == [200, 403]
            assert http.get("/.well-known/openid-configuration").json()["issuer"] == endpoint


def test_a_file(tmp_path: Path) -> None:
    """Its clients and lifetimes are the server's; for other machines there is no warning, and the control API is on."""
    path = tmp_path / "auth.yaml"
    path.write_text(FILE)
    with ServerProcess("--auth", str(path), "--host", "0.0.0.0", banner=r"https?://[^:\s]+:(\d+)") as served:
        assert "there are no passwords" not in served.output
        with httpx.Client(base_url=f"http://127.0.0.1:{served.port}", trust_env=False) as http:
            fields = {"grant_type": "client_credentials"}
            found = http.post("/oauth2/token", data=fields, auth=("my-ci", "s3cret")).json()
            assert found["expires_in"] == 60
            path_of_clock = "/flyteapps.control.v1.ControlService/GetClock"
            assert http.post(path_of_clock, json={}).status_code == 401


def _refused(*arguments: str) -> str:
    result = CliRunner().invoke(serve, [*arguments, "--port", "0"])
    assert result.exit_code == 1, result.output
    return result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--auth", "nothing.yaml"], "--auth: nothing.yaml: can't be read: No such file"),
        (["--auth-approve"], "--auth-approve is for a server that authenticates: add --auth demo"),
        (["--auth-audience", "x"], "--auth-audience is for a server that authenticates"),
        (["--auth-issuer", "https://idp.example.com"], "--auth-issuer needs --auth-audience"),
        (["--auth-issuer", "idp", "--auth-audience", "x"], "auth.provider: must be a URL"),
        (["--auth", "demo", "--auth-approve", "zoe"], "auth.approve: 'zoe' is no user; the users are alice, bob, vera"),
    ],
)
def test_options_that_cant_be(arguments: list[str], message: str) -> None:
    """The message says what is wrong and what to do."""
    assert message in _refused(*arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml: is empty"),
        ("- a", "f.yaml:1:1: must be a mapping"),
        ("users: [", "f.yaml:2:1: neither YAML nor JSON"),
        ("users:\n  - subject: ann\n    role: boss\n", "f.yaml:3:11: auth.users[0].role: must be one of viewer"),
        ("users:\n  - subject: ann\n    colour: red\n", "f.yaml:3:13: auth.users[0].colour: is an unknown key"),
        ("users:\n  - role: admin\n", "f.yaml:2:5: auth.users[0]: has no subject"),
        ("users:\n  - subject: a\n  - subject: a\n", "f.yaml:3:5: auth.users[1]: 'a' is there twice"),
        ("issuer: here\n", "f.yaml:1:9: auth.issuer: must be a URL"),
        ("access_token_seconds: 1h\n", "f.yaml:1:23: auth.access_token_seconds: must be a number"),
    ],
)
def test_a_file_that_cant_be(text: str, message: str) -> None:
    """The message has file, line and column."""
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}"):
        parse_auth(text, "f.yaml")


def test_the_banner_for_the_sdk(tmp_path: Path, monkeypatch: Any) -> None:
    """With TLS it has the lines for the SDK's login."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with ServerProcess("--auth", "demo", "--tls", "self-signed") as served:
        assert "    authType: Pkce\n" in served.output
        assert "over TLS alone" not in served.output
