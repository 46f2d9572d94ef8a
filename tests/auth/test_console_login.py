"""The login of the console: a client of its own, on both ports, under each name of the server."""

from __future__ import annotations

import httpx
import pytest

from auth.support import AUTH, authorization_request, code_for, redeem, refresh, user_info
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.auth import Auth, Client, User
from flyteapps_fake.auth.oauth.clients import CONSOLE
from serving.server_process import ServerProcess


def of_console(origin: str) -> dict[str, str]:
    """Return the fields in which the console's requests differ from those of the command line."""
    return {"client_id": CONSOLE, "redirect_uri": f"{origin}/login"}


@pytest.mark.parametrize("kind", ["auto", "portable"])
def test_a_person_logs_in_to_the_console(kind: str) -> None:
    """By either port and each name that the server answers under, without an entry in the settings."""
    with ServerProcess("--auth", "demo", "--auth-approve", "bob", "--server", kind) as served:
        for port in (served.port, served.console_port):
            for host in ("localhost", "127.0.0.1"):
                origin = f"http://{host}:{port}"
                with httpx.Client(base_url=origin, trust_env=False) as http:
                    health = http.get("/healthz").json()
                    assert health["authentication"] == {"header": "authorization", "provider": None}
                    asked = authorization_request(**of_console(origin))
                    sent = httpx.URL(http.get("/oauth2/authorize", params=asked).headers["location"])
                    assert str(sent).startswith(f"{origin}/login?") and sent.params["state"] == "s1"
                    tokens = redeem(http, sent.params["code"], **of_console(origin)).json()
                    claims = user_info(http, tokens["access_token"]).json()["additionalClaims"]
                    assert claims == {"role": "contributor", "projects": ["flytesnacks", "demo"]}
                    form = {"grant_type": "refresh_token", "client_id": CONSOLE}
                    form["refresh_token"] = tokens["refresh_token"]
                    renewed = http.post("/oauth2/token", data=form).json()
                    assert user_info(http, renewed["access_token"]).json()["subject"] == "bob"
                    ended = {"client_id": CONSOLE, "token": renewed["refresh_token"]}
                    assert http.post("/oauth2/revoke", data=ended).status_code == 200
                    assert user_info(http, renewed["access_token"]).status_code == 401


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://evil.example/login",
        "{origin}/other",
        "{origin}/login/../x",
        "{origin}/login?next=//evil.example",
        "{origin}/login#x",
        "http://evil.example@{host}/login",
        "javascript://{host}/login",
        "{origin}0/login",
        "http://localhost/login",
        "",
    ],
)
def test_nothing_is_sent_elsewhere(http: httpx.Client, redirect_uri: str) -> None:
    """A request with another address than the console's page of the same host and port is refused on a page."""
    origin = str(http.base_url).rstrip("/")
    given = redirect_uri.format(origin=origin, host=origin.partition("://")[2])
    refused = http.get("/oauth2/authorize", params=authorization_request(client_id=CONSOLE, redirect_uri=given))
    assert refused.status_code == 400 and "location" not in refused.headers


def test_a_browser_may_send_the_form_of_the_login_page(http: httpx.Client) -> None:
    """It names its origin, unless the page's policy forbids it: then the origin is "null", which is refused."""
    origin = str(http.base_url).rstrip("/")
    asked = authorization_request(**of_console(origin))
    assert http.get("/oauth2/authorize", params=asked).headers["referrer-policy"] == "same-origin"
    form = {**asked, "subject": "vera"}
    for given, status in ((origin, 302), ("null", 403), ("https://evil.example", 403)):
        assert http.post("/oauth2/login", data=form, headers={"origin": given}).status_code == status, given


def test_the_client_of_the_console_logs_people_in_and_no_more(http: httpx.Client) -> None:
    """It gets no tokens for itself nor for a device, and needs PKCE; its refresh token is no other client's."""
    for form in ({"grant_type": "client_credentials"}, {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}):
        answer = http.post("/oauth2/token", data={**form, "client_id": CONSOLE, "device_code": "x"})
        assert answer.json()["error"] in ("invalid_client", "unauthorized_client"), form
    origin = str(http.base_url).rstrip("/")
    without = authorization_request(**of_console(origin), code_challenge="", code_challenge_method="")
    assert "error=invalid_request" in http.get("/oauth2/authorize", params=without).headers["location"]
    code = code_for(http, "vera", **of_console(origin))
    tokens = redeem(http, code, **of_console(origin)).json()
    assert refresh(http, tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_the_metadata_name_the_client_of_command_lines(http: httpx.Client) -> None:
    """As before: the console's own client is for the console alone."""
    found = http.post("/flyteidl2.auth.AuthMetadataService/GetPublicClientConfig", json={}).json()
    assert found["clientId"] == AUTH.clients[0].client_id


def test_a_client_of_the_settings_has_the_name() -> None:
    """Settings that have a client of that id keep it as it is."""
    own = Auth(users=[User("ann")], clients=[Client(CONSOLE, redirect_uris=["http://localhost:1/own"])])
    with FakeControlPlane(auth=own) as plane, plane.serve() as server, httpx.Client(base_url=server.url) as http:
        found = [
            http.get(
                "/oauth2/authorize", params=authorization_request(client_id=CONSOLE, redirect_uri=each)
            ).status_code
            for each in ("http://localhost:1/own", f"{server.url}/login")
        ]
        assert found == [200, 400]


def test_the_caller_learns_its_rights(plane: FakeControlPlane, http: httpx.Client) -> None:
    """UserInfo has the role, and the projects where the caller may write; without authentication neither."""
    for subject, role, projects in (
        ("alice", "admin", ["*"]),
        ("carl", "contributor", ["open-1"]),
        ("vera", "viewer", ["*"]),
        ("ci", "contributor", ["*"]),
    ):
        found = user_info(http, plane.token(subject)).json()
        assert found["additionalClaims"] == {"role": role, "projects": projects}, subject
    with FakeControlPlane() as other, other.serve() as server, httpx.Client(base_url=server.url) as bare:
        assert "additionalClaims" not in user_info(bare, None).json()
        health = bare.get("/healthz").json()
        assert health["authentication"] is None and health["control"] is True
