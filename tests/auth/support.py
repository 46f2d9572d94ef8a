"""Parts that the tests of authentication share."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import httpx
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.core.tasks_pb2 import Container

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.auth import Auth, Client, User

VERIFIER = "verifier-" * 6
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://localhost:53593/callback"
CLI = "flyteapps-cli"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

AUTH = Auth(
    users=[
        User("alice", "admin", name="Alice Adams", email="alice@example.com"),
        User("bob", "contributor", ["demo"]),
        User("vera"),
        User("nina", visible=["open-*"]),
        User("carl", "contributor", ["open-1"], ["open-*"]),
    ],
    clients=[Client(CLI, redirect_uris=[REDIRECT]), Client("ci", "s3cret", "contributor")],
)


def app(name: str = "hello", project: str = "demo") -> App:
    """Return an app that should run."""
    return App(
        metadata=Meta(id=Identifier(project=project, domain="development", name=name)),
        spec=Spec(desired_state=Spec.DESIRED_STATE_ACTIVE, container=Container(image="example.org/hello:1")),
    )


def bearer(plane: FakeControlPlane, subject: str, expires_in: float | None = None, **claims: Any) -> dict[str, str]:
    """Return the headers of a call of that caller."""
    return {"authorization": f"Bearer {plane.token(subject, expires_in, **claims)}"}


def refusal(call: Any) -> tuple[Code, str]:
    """Return the code and the message with which a call is refused."""
    try:
        call()
    except ConnectError as error:
        return error.code, error.message
    raise AssertionError("the call was not refused")


def authorization_request(**changed: str) -> dict[str, str]:
    """Return the fields of a request for the login page."""
    fields = {
        "response_type": "code",
        "client_id": CLI,
        "redirect_uri": REDIRECT,
        "scope": "all",
        "state": "s1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return {key: value for key, value in {**fields, **changed}.items() if value}


def code_for(http: httpx.Client, subject: str, **changed: str) -> str:
    """Log a user in on the page, and return the authorization code."""
    answer = http.post("/oauth2/login", data={**authorization_request(**changed), "subject": subject})
    assert answer.status_code == 302, answer.text
    return httpx.URL(answer.headers["location"]).params["code"]


def redeem(http: httpx.Client, code: str, **changed: str) -> httpx.Response:
    """Redeem an authorization code."""
    fields = {
        "grant_type": "authorization_code",
        "client_id": CLI,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    return http.post("/oauth2/token", data={**fields, **changed})


def refresh(http: httpx.Client, token: str) -> httpx.Response:
    """Redeem a refresh token."""
    return http.post("/oauth2/token", data={"grant_type": "refresh_token", "client_id": CLI, "refresh_token": token})


def user_info(http: httpx.Client, token: str | None) -> httpx.Response:
    """Call UserInfo."""
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    return http.post("/flyteidl2.auth.IdentityService/UserInfo", json={}, headers=headers)
