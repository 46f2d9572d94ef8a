"""The state of a plane has its signing keys, revocations and logins: a caller stays logged in over a restart."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from auth.support import AUTH, CLI, DEVICE_GRANT, code_for, redeem, refresh, user_info
from google.protobuf import json_format

from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.state.document import WrongState


@contextmanager
def serving(**settings: Any) -> Generator[tuple[FakeControlPlane, httpx.Client]]:
    """Serve a plane with authentication, each at a port of its own."""
    wanted: dict[str, Any] = {"auth": AUTH, "clock": "manual", **settings}
    with (
        FakeControlPlane(**wanted) as plane,
        plane.serve() as server,
        httpx.Client(base_url=server.url, trust_env=False) as http,
    ):
        yield plane, http


def through_json(document: PlaneState) -> PlaneState:
    """Return a document as it is read from JSON."""
    return json_format.Parse(json_format.MessageToJson(document), PlaneState())


def through_bytes(document: PlaneState) -> PlaneState:
    """Return a document as it is read from bytes."""
    return PlaneState.FromString(document.SerializeToString())


def counts(http: httpx.Client, token: str) -> bool:
    """Return whether a token is one of a caller."""
    return user_info(http, token).status_code == 200


@pytest.mark.parametrize("through", [through_bytes, through_json])
def test_a_login_survives(through: Callable[[PlaneState], PlaneState]) -> None:
    """Tokens count on a plane that has loaded the state, at another port; those revoked, or used, do not."""
    with serving() as (plane, http), serving() as (other, there):
        kept, revoked = plane.token("alice"), plane.token("alice")
        assert counts(http, revoked)
        plane.revoke_token(revoked)
        code, used = code_for(http, "bob"), code_for(http, "bob")
        first = redeem(http, used).json()
        replaced = refresh(http, first["refresh_token"]).json()
        device = http.post("/oauth2/device_authorization", data={"client_id": CLI, "scope": "all"}).json()
        fields = {"grant_type": DEVICE_GRANT, "client_id": CLI, "device_code": device["device_code"]}
        assert http.post("/oauth2/token", data=fields).json()["error"] == "authorization_pending"
        assert not counts(there, kept)

        other.load_document(through(plane.document()))
        assert counts(there, kept)
        assert not counts(there, revoked)
        assert there.get("/oauth2/jwks").json() == http.get("/oauth2/jwks").json()
        assert redeem(there, code).status_code == 200
        again = refresh(there, replaced["refresh_token"])
        assert again.status_code == 200
        assert "used before" in refresh(there, first["refresh_token"]).text
        assert not counts(there, again.json()["access_token"])
        approval = {"user_code": device["user_code"], "subject": "vera"}
        assert there.post("/oauth2/device", data=approval).status_code == 200
        token = there.post("/oauth2/token", data=fields).json()["access_token"]
        assert user_info(there, token).json()["subject"] == "vera"


def test_a_used_code_stays_used() -> None:
    """The second use of a code ends its session, although the first was answered by another plane."""
    with serving() as (plane, http), serving() as (other, there):
        code = code_for(http, "bob")
        token = redeem(http, code).json()["access_token"]
        other.load_document(through_bytes(plane.document()))
        assert counts(there, token)
        assert "used before" in redeem(there, code).text
        assert not counts(there, token)


def test_a_snapshot_has_them() -> None:
    """A restore undoes revocations and rotations, and forgets the logins since."""
    with serving() as (plane, http):
        token, code = plane.token("alice"), code_for(http, "bob")
        plane.take_snapshot("then")
        later = redeem(http, code).json()
        plane.revoke_token(token)
        plane.rotate_keys(keep=False)
        new = plane.token("alice")
        plane.restore_snapshot("then")
        assert counts(http, token)
        assert not counts(http, new)
        assert refresh(http, later["refresh_token"]).status_code == 400
        assert redeem(http, code).status_code == 200


def test_a_reset_leaves_callers_logged_in() -> None:
    """Keys, sessions and revocations stay; the skew of the tokens' clock ends."""
    with serving() as (plane, http):
        token, revoked = plane.token("alice", 60), plane.token("alice")
        plane.revoke_token(revoked)
        session = redeem(http, code_for(http, "bob")).json()
        authentication = plane.authentication
        assert authentication is not None
        plane.run(lambda: authentication.skew(120))
        assert not counts(http, token)
        plane.reset_state()
        assert counts(http, token)
        assert not counts(http, revoked)
        assert refresh(http, session["refresh_token"]).status_code == 200


def test_a_plane_without_authentication_keeps_them() -> None:
    """The state passes through a plane that answers everyone; one without credentials changes none of a plane's own."""
    with serving() as (plane, http), serving() as (other, there), FakeControlPlane(clock="manual") as plain:
        token = plane.token("alice")
        plain.load_document(through_bytes(plane.document()))
        plain.reset_state()
        other.load_document(through_json(plain.document()))
        assert counts(there, token)
        plane.load_document(FakeControlPlane(clock="manual").document())
        assert counts(http, token)


def test_the_first_token_survives_a_restart(tmp_path: Path) -> None:
    """The keys of a new plane are saved before anything else happens."""
    with serving(state=str(tmp_path / "state")) as (plane, http):
        token = plane.token("alice")
        assert counts(http, token)
    with serving(state=str(tmp_path / "state")) as (_, http):
        assert counts(http, token)


@pytest.mark.parametrize(
    ("section", "fields", "message"),
    [
        ("credentials", {"keys": ["{"]}, "no private"),
        ("credentials", {"keys": ['{"kty": "EC"}']}, "no private"),
        ("credentials", {"keys": []}, "no key"),
        ("refresh_tokens", {}, "key is missing"),
    ],
)
def test_a_wrong_piece_is_refused(section: str, fields: dict[str, Any], message: str) -> None:
    """A document with a bad key changes nothing."""
    plane = FakeControlPlane(auth=AUTH, clock="manual")
    document = plane.document()
    document.ClearField(section)  # type: ignore[arg-type]  # a name of a field
    if section == "credentials":
        document.credentials.SetInParent()
        document.credentials.keys.extend(fields["keys"])
    else:
        getattr(document, section).add(**fields)
    with pytest.raises(WrongState, match=f"{section}.*: .*{message}"):
        plane.load_document(document)
