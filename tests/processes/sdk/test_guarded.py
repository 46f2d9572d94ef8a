"""An app that requires credentials, on a plane that has them."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import httpx
import pytest
from sdk.field import Server, User

from flyteapps import Client
from flyteapps.auth import ClientSecret

from .developing import Developer, get

pytestmark = pytest.mark.slow

CLIENT, SECRET = "ci", "a-secret"
SETTINGS = f"""
clients:
  - {{client_id: cli, redirect_uris: ["http://localhost:1/callback"]}}
  - {{client_id: {CLIENT}, secret: {SECRET}, role: admin}}
"""


def token(address: str, ca: str) -> str:
    """Return a token of the client."""
    form, trust = {"grant_type": "client_credentials"}, ssl.create_default_context(cafile=ca)
    response = httpx.post(f"https://{address}/oauth2/token", data=form, auth=(CLIENT, SECRET), verify=trust)
    found: str = response.json()["access_token"]
    return found


@pytest.mark.slow
def test_callers_need_a_token(tmp_path: Path) -> None:
    """Without a token of the plane the answer is 401; the app calls the plane with one, and itself without."""
    settings, secret = tmp_path / "auth.yaml", tmp_path / "secret"
    settings.write_text(SETTINGS)
    secret.write_text(SECRET)
    server = Server(tmp_path, ["--run", "--auth", str(settings), "--tls", "self-signed"])
    try:
        address, ca = f"localhost:{server.port}", str(server.ca)
        login = {"insecure": False, "caCertFilePath": ca, "clientId": CLIENT, "clientSecretLocation": str(secret)}
        user = User(tmp_path, address, login=login, env={"SSL_CERT_FILE": ca})
        with Client(address, ca_cert=ca, auth=ClientSecret(CLIENT, SECRET), project="proj", domain="dev") as client:
            developer = Developer(user, client)
            endpoint = developer.deploy("guarded")["guarded"]
            refused = get(endpoint)
            assert refused.status == 401
            assert json.loads(refused.text)["code"] == "unauthenticated"
            for path in ("/", "/inside"):
                answer = get(endpoint + path, authorization=f"Bearer {token(address, ca)}")
                assert (answer.status, json.loads(answer.text)) == (200, endpoint)
    finally:
        server.stop()
