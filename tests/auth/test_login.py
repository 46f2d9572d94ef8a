"""The authorization server over HTTP: its documents, the grants, pages, revocation, faults."""

from __future__ import annotations

import httpx
import pytest
from flyteidl2.app.app_payload_pb2 import ListRequest
from flyteidl2.auth.auth_service_connect import AuthMetadataServiceClientSync
from flyteidl2.auth.auth_service_pb2 import GetOAuth2MetadataRequest, GetPublicClientConfigRequest
from joserfc import jwt
from joserfc.jwk import KeySet

from auth.support import (
    AUTH,
    CLI,
    DEVICE_GRANT,
    REDIRECT,
    authorization_request,
    bearer,
    code_for,
    redeem,
    refresh,
    user_info,
)
from flyteapps.testing import ControlError
from flyteapps_fake import FakeControlPlane, Settings
from flyteapps_fake.auth import Auth, Client, User

NOBODY = ("", "")
CREDENTIALS = {"grant_type": "client_credentials", "scope": "all"}


def test_the_documents_name_the_endpoints(http: httpx.Client) -> None:
    """Both are the same, and every endpoint is where the client reached the server."""
    found = http.get("/.well-known/openid-configuration").json()
    assert http.get("/.well-known/oauth-authorization-server").json() == found
    base = str(http.base_url).rstrip("/")
    assert found["issuer"] == base
    endpoints = [value for key, value in found.items() if key.endswith(("_endpoint", "_uri"))]
    assert len(endpoints) == 5
    assert all(each.startswith(f"{base}/oauth2/") for each in endpoints)


def test_the_metadata_service_needs_no_caller(http: httpx.Client) -> None:
    """It says what the documents say, and how a command line logs in."""
    service = AuthMetadataServiceClientSync(str(http.base_url).rstrip("/"))
    found, document = (
        service.get_o_auth2_metadata(GetOAuth2MetadataRequest()),
        http.get("/.well-known/oauth-authorization-server").json(),
    )
    for name in ("issuer", "token_endpoint", "authorization_endpoint", "device_authorization_endpoint", "jwks_uri"):
        assert getattr(found, name) == document[name]
    client = service.get_public_client_config(GetPublicClientConfigRequest())
    assert (client.client_id, client.redirect_uri, [*client.scopes]) == (CLI, REDIRECT, ["all"])
    assert (client.authorization_metadata_key, client.audience) == ("authorization", document["issuer"])


def test_a_plane_without_authentication_has_none_of_it() -> None:
    """Its paths are as unknown as before."""
    with FakeControlPlane() as plane, plane.serve() as server, httpx.Client(base_url=server.url) as http:
        assert http.get("/oauth2/jwks").status_code == 404
        assert http.post("/flyteidl2.auth.AuthMetadataService/GetOAuth2Metadata", json={}).status_code == 404


def test_what_is_kept_of_a_login_is_bounded(http: httpx.Client) -> None:
    """A nonce that is longer than a line is refused; a scope is granted once, and one that there isn't is left out."""
    refused = http.get("/oauth2/authorize", params=authorization_request(nonce="n" * 300))
    assert refused.status_code == 400 and "at most 255" in refused.json()["error_description"]
    form = CREDENTIALS | {"scope": "all unknown " * 2_000}
    found = http.post("/oauth2/token", data=form, auth=("ci", "s3cret")).json()
    assert found["scope"] == "all" and len(found["access_token"]) < 1_000
    code = code_for(http, "alice", scope="all " * 1_000)
    assert redeem(http, code).json()["scope"] == "all"


@pytest.mark.parametrize("post", [False, True])
def test_a_client_gets_tokens_by_its_secret(http: httpx.Client, post: bool) -> None:
    """By Basic, or in the form; it gets no refresh token."""
    proof = {"client_id": "ci", "client_secret": "s3cret"} if post else {}
    answer = http.post("/oauth2/token", data={**CREDENTIALS, **proof}, auth=("ci", "") if post else ("ci", "s3cret"))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    found = answer.json()
    assert (found["token_type"], found["expires_in"], found["scope"]) == ("Bearer", 3600, "all")
    assert "refresh_token" not in found
    assert user_info(http, found["access_token"]).json()["subject"] == "ci"


@pytest.mark.parametrize(
    ("fields", "auth", "status", "error"),
    [
        (CREDENTIALS, ("ci", "wrong"), 401, "invalid_client"),
        (CREDENTIALS, ("nobody", "s3cret"), 401, "invalid_client"),
        (CREDENTIALS, NOBODY, 401, "invalid_client"),
        ({**CREDENTIALS, "client_id": CLI}, NOBODY, 401, "invalid_client"),
        ({**CREDENTIALS, "audience": "elsewhere"}, ("ci", "s3cret"), 400, "invalid_request"),
        ({"grant_type": "password"}, ("ci", "s3cret"), 400, "unsupported_grant_type"),
        ({}, ("ci", "s3cret"), 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "client_id": CLI, "refresh_token": "x"}, NOBODY, 400, "invalid_grant"),
        ({"grant_type": DEVICE_GRANT, "client_id": CLI, "device_code": "x"}, NOBODY, 400, "invalid_request"),
        ({"grant_type": "authorization_code", "client_id": "ci"}, ("ci", "s3cret"), 400, "unauthorized_client"),
    ],
)
def test_a_request_that_cant_be(
    http: httpx.Client, fields: dict[str, str], auth: tuple[str, str], status: int, error: str
) -> None:
    """It is refused with the error of RFC 6749, in JSON."""
    answer = http.post("/oauth2/token", data=fields, auth=auth)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_user_logs_in_on_the_page(http: httpx.Client) -> None:
    """The page lists the users; the one who is chosen is the subject of the tokens."""
    page = http.get("/oauth2/authorize", params=authorization_request())
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for user in AUTH.users:
        assert f'value="{user.subject}"' in page.text
    answer = redeem(http, code_for(http, "bob"))
    assert answer.status_code == 200
    assert user_info(http, answer.json()["access_token"]).json()["subject"] == "bob"


def test_the_page_approves_at_once() -> None:
    """With `approve`, no page is in between: the browser is sent back at once, with the state."""
    auth = Auth(users=[User("ann")], clients=[Client(CLI, redirect_uris=[REDIRECT])], approve="ann")
    with FakeControlPlane(auth=auth) as plane, plane.serve() as server, httpx.Client(base_url=server.url) as http:
        answer = http.get("/oauth2/authorize", params=authorization_request())
        where = httpx.URL(answer.headers["location"])
        assert (answer.status_code, where.params["state"]) == (302, "s1")
        token = redeem(http, where.params["code"]).json()["access_token"]
        assert user_info(http, token).json()["subject"] == "ann"
        device = http.post("/oauth2/device_authorization", data={"client_id": CLI}).json()
        fields = {"grant_type": DEVICE_GRANT, "client_id": CLI, "device_code": device["device_code"]}
        assert http.post("/oauth2/token", data=fields).status_code == 200


@pytest.mark.parametrize("uri", ["http://localhost:1/callback", "http://localhost:60000/callback"])
def test_the_redirect_may_have_any_port_of_the_loopback(http: httpx.Client, uri: str) -> None:
    """RFC 8252: a program takes the port that is free."""
    code = code_for(http, "bob", redirect_uri=uri)
    assert redeem(http, code, redirect_uri=uri).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "http://localhost.evil.example/callback"},
        {"redirect_uri": "http://user@localhost:53593/callback"},
        {"redirect_uri": "http://localhost:53593/other"},
        {"redirect_uri": "http://localhost:x/callback"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": 'http://evil/"'},
        {"client_id": "nobody"},
        {"client_id": "ci"},
    ],
)
def test_no_code_is_sent_elsewhere(http: httpx.Client, changed: dict[str, str]) -> None:
    """A request whose redirect is not the client's own is refused on a page, before and after the choice of a user."""
    fields = authorization_request(**changed)
    for answer in (
        http.get("/oauth2/authorize", params=fields),
        http.post("/oauth2/login", data={**fields, "subject": "bob"}),
    ):
        assert answer.status_code == 400
        assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_the_client_hears_of_its_mistakes(http: httpx.Client, changed: dict[str, str], error: str) -> None:
    """The error goes to its redirect URI, with its state."""
    answer = http.get("/oauth2/authorize", params=authorization_request(**changed))
    where = httpx.URL(answer.headers["location"])
    assert (answer.status_code, where.params["error"], where.params["state"]) == (302, error, "s1")


def test_a_code_counts_once_and_not_for_long(plane: FakeControlPlane, http: httpx.Client) -> None:
    """Its second use revokes the tokens of the first; after a minute it has expired."""
    code = code_for(http, "bob")
    token = redeem(http, code).json()["access_token"]
    assert user_info(http, token).status_code == 200
    assert redeem(http, code).json()["error"] == "invalid_grant"
    assert user_info(http, token).status_code == 401
    late = code_for(http, "bob")
    plane.clock.advance("61s")
    assert redeem(http, late).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("changed", [{"code_verifier": "x" * 50}, {"code_verifier": ""}, {"redirect_uri": "http://x/"}])
def test_a_stolen_code_is_worth_nothing(http: httpx.Client, changed: dict[str, str]) -> None:
    """Without the verifier of the challenge, or for another redirect, there are no tokens."""
    assert redeem(http, code_for(http, "bob"), **changed).status_code == 400


def test_a_refresh_token_is_replaced(http: httpx.Client) -> None:
    """Each one counts once; the use of an old one ends the session, also for the holder of the new one."""
    first = redeem(http, code_for(http, "bob")).json()
    second = refresh(http, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert user_info(http, second["access_token"]).status_code == 200
    again = refresh(http, first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert refresh(http, second["refresh_token"]).json()["error"] == "invalid_grant"
    assert user_info(http, second["access_token"]).status_code == 401


def test_a_refresh_token_expires(plane: FakeControlPlane, http: httpx.Client) -> None:
    """After its lifetime by the plane's clock."""
    token = redeem(http, code_for(http, "bob")).json()["refresh_token"]
    plane.clock.advance("30d")
    assert "expired" in refresh(http, token).json()["error_description"]


def test_a_device_is_approved(plane: FakeControlPlane, http: httpx.Client) -> None:
    """On its page, by the code in any case; its device code counts once."""
    found = http.post("/oauth2/device_authorization", data={"client_id": CLI, "scope": "all"}).json()
    assert (found["expires_in"], found["interval"]) == (600, 5)
    fields = {"grant_type": DEVICE_GRANT, "client_id": CLI, "device_code": found["device_code"]}
    assert http.post("/oauth2/token", data=fields).json()["error"] == "authorization_pending"
    page = http.get(found["verification_uri_complete"])
    assert found["user_code"] in page.text
    approval = {"user_code": found["user_code"].lower().replace("-", ""), "subject": "vera"}
    assert http.post("/oauth2/device", data=approval).status_code == 200
    token = http.post("/oauth2/token", data=fields).json()["access_token"]
    assert user_info(http, token).json()["subject"] == "vera"
    assert http.post("/oauth2/token", data=fields).json()["error"] == "expired_token"


def test_a_device_is_denied_or_expires(plane: FakeControlPlane, http: httpx.Client) -> None:
    """The program that polls is told which."""
    errors: list[str] = []
    for deny in (True, False):
        found = http.post("/oauth2/device_authorization", data={"client_id": CLI}).json()
        if deny:
            http.post("/oauth2/device", data={"user_code": found["user_code"], "deny": "yes"})
        else:
            plane.clock.advance("10m")
        fields = {"grant_type": DEVICE_GRANT, "client_id": CLI, "device_code": found["device_code"]}
        errors.append(http.post("/oauth2/token", data=fields).json()["error"])
    assert errors == ["access_denied", "expired_token"]
    assert http.post("/oauth2/device", data={"user_code": "XXXX-XXXX", "subject": "vera"}).status_code == 400


def test_a_device_that_polls_too_often_has_to_slow_down() -> None:
    """On a clock that moves by itself; the interval grows by five seconds each time."""
    elapsed = [0.0]
    plane = FakeControlPlane.of(Settings(auth=AUTH, clock="realtime"), real=lambda: elapsed[0])
    with plane, plane.serve() as server, httpx.Client(base_url=server.url) as http:
        found = http.post("/oauth2/device_authorization", data={"client_id": CLI}).json()
        fields = {"grant_type": DEVICE_GRANT, "client_id": CLI, "device_code": found["device_code"]}

        def poll(after: float) -> str:
            elapsed[0] += after
            return str(http.post("/oauth2/token", data=fields).json()["error"])

        assert [poll(5), poll(5), poll(1), poll(9), poll(15)] == [
            *("authorization_pending", "authorization_pending", "slow_down", "slow_down", "authorization_pending"),
        ]


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_token_is_revoked(http: httpx.Client, kind: str) -> None:
    """By its client alone; one that doesn't count is no error (RFC 7009)."""
    found = redeem(http, code_for(http, "bob")).json()
    assert http.post("/oauth2/revoke", data={"token": found[kind]}, auth=("ci", "s3cret")).status_code == 400
    assert user_info(http, found["access_token"]).status_code == 200
    assert http.post("/oauth2/revoke", data={"token": found[kind], "client_id": CLI}).status_code == 200
    assert user_info(http, found["access_token"]).status_code == 401
    assert http.post("/oauth2/revoke", data={"token": "unknown", "client_id": CLI}).status_code == 200


def test_an_id_token_is_there_for_openid(http: httpx.Client) -> None:
    """It is signed by a key of the JWKS, for the client, with the nonce."""
    found = redeem(http, code_for(http, "alice", scope="all openid", nonce="n1")).json()
    keys = KeySet.import_key_set(http.get("/oauth2/jwks").json())
    claims = jwt.decode(found["id_token"], keys, algorithms=["ES256"]).claims
    assert (claims["aud"], claims["sub"], claims["nonce"], claims["name"]) == (CLI, "alice", "n1", "Alice Adams")
    assert claims["iss"] == str(http.base_url).rstrip("/")
    assert user_info(http, found["id_token"]).status_code == 401
    assert "d" not in http.get("/oauth2/jwks").json()["keys"][0]


def test_a_refusal_over_http_has_a_challenge(plane: FakeControlPlane, http: httpx.Client) -> None:
    """WWW-Authenticate as RFC 6750 has it: without a reason for a call without credentials, else with one."""
    bare, invalid = user_info(http, None), user_info(http, "x.y.z")
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, 'Bearer realm="flyteapps"')
    assert 'error="invalid_token", error_description="it is no signed JWT"' in invalid.headers["www-authenticate"]
    proto = http.post("/flyteidl2.app.AppService/Get", headers={"content-type": "application/proto"})
    assert (proto.status_code, proto.headers["www-authenticate"]) == (401, 'Bearer realm="flyteapps"')


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/oauth2/token", 405),
        ("POST", "/oauth2/jwks", 405),
        ("GET", "/oauth2/nothing", 404),
        ("GET", "/.well-known/nothing", 404),
        ("HEAD", "/oauth2/jwks", 200),
    ],
)
def test_other_methods_and_paths(http: httpx.Client, method: str, path: str, status: int) -> None:
    """They are answered by what is wrong."""
    assert http.request(method, path).status_code == status


@pytest.mark.parametrize("body", [b"\xff", b"&".join(b"a=1" for _ in range(200)), b"x" * 70_000])
def test_a_form_that_cant_be_read(http: httpx.Client, body: bytes) -> None:
    """It is refused."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert http.post("/oauth2/token", content=body, headers=headers).status_code == 400


def test_pages_quote_what_they_were_sent(http: httpx.Client) -> None:
    """Nothing that a request has becomes markup."""
    page = http.get("/oauth2/authorize", params=authorization_request(state='"><script>'))
    assert "<script>" not in page.text and "&quot;&gt;&lt;script&gt;" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_faults_of_the_token_endpoint(plane: FakeControlPlane, http: httpx.Client) -> None:
    """Rules for `Token` apply: an answer of one's own, a refusal; the log of calls has it without secrets."""
    plane.faults.answer("Token", status=500, body="<html>", first=1)
    plane.faults.answer("Token", status=400, body='{"error": "slow_down"}', first=1)
    plane.faults.fail("Token", code="UNAVAILABLE", first=1)
    answers = [http.post("/oauth2/token", data=CREDENTIALS, auth=("ci", "s3cret")) for _ in range(4)]
    assert [each.status_code for each in answers] == [500, 400, 503, 200]
    assert answers[1].json() == {"error": "slow_down"}
    assert answers[2].json()["error"] == "server_error"
    recorded = plane.calls.list("Token")
    assert [each.code for each in recorded][-1] == "OK"
    assert "s3cret" not in str(recorded) and answers[3].json()["access_token"] not in str(recorded)


def test_a_lost_answer_of_the_token_endpoint(plane: FakeControlPlane, http: httpx.Client) -> None:
    """The client never got its new refresh token: the old one ends the session."""
    first = redeem(http, code_for(http, "bob")).json()
    plane.faults.fail("Token", code="UNAVAILABLE", applied=True, times=1)
    assert refresh(http, first["refresh_token"]).status_code == 503
    assert refresh(http, first["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_clock_before_1970(plane: FakeControlPlane) -> None:
    """Tokens count by a skewed clock that stands before the epoch of their times, too."""
    plane.control.tokens.skew(behind=100 * 365 * 86_400)
    plane.stub().list(ListRequest(), headers=bearer(plane, "alice"))


def test_a_skewed_clock(plane: FakeControlPlane) -> None:
    """Tokens from a clock that is behind are expired early for others; a reset ends the skew."""
    plane.control.tokens.skew(behind="2h")
    headers = bearer(plane, "alice")
    plane.stub().list(ListRequest(), headers=headers)
    plane.reset()
    with pytest.raises(Exception, match="expired"):
        plane.stub().list(ListRequest(), headers=headers)
    headers = bearer(plane, "alice")
    plane.control.tokens.skew(ahead="2h")
    with pytest.raises(Exception, match="expired"):
        plane.stub().list(ListRequest(), headers=headers)
    plane.control.tokens.skew()
    plane.stub().list(ListRequest(), headers=headers)
    with pytest.raises(ValueError, match="a clock is ahead or behind, not both"):
        plane.control.tokens.skew(ahead=1, behind=1)


def test_keys_rotate_by_the_control_api(plane: FakeControlPlane) -> None:
    """Tokens of the key before count until they are dropped; a plane without tokens of its own says so."""
    headers = bearer(plane, "alice")
    plane.control.tokens.rotate_keys()
    plane.stub().list(ListRequest(), headers=headers)
    plane.control.tokens.rotate_keys(keep=False)
    with pytest.raises(Exception, match="key"):
        plane.stub().list(ListRequest(), headers=headers)
    with FakeControlPlane() as other:
        for call in (other.control.tokens.rotate_keys, other.control.tokens.skew):
            with pytest.raises(ControlError, match="this plane issues no tokens: use FakeControlPlane"):
                call()
