"""The check of callers: tokens that count and tokens that don't, in process."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest, ListRequest, WatchRequest
from flyteidl2.common.list_pb2 import Filter
from flyteidl2.common.list_pb2 import ListRequest as Query
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from auth.support import AUTH, app, bearer, refusal
from flyteapps_fake import FakeControlPlane

GET = GetRequest(app_id=app().metadata.id)


def test_a_call_without_credentials_is_refused(plane: FakeControlPlane) -> None:
    """The error says how to get credentials, and nothing of the app."""
    plane.stub().create(CreateRequest(app=app()), headers=bearer(plane, "alice"))
    code, message = refusal(lambda: plane.stub().get(GET))
    assert code is Code.UNAUTHENTICATED
    assert "flyteapps login" in message and "FLYTE_API_KEY" in message
    assert "hello" not in message


def test_the_caller_is_creator_and_actor(plane: FakeControlPlane) -> None:
    """An app that names another creator is its caller's all the same; the log of calls has the caller, too."""
    wanted = app()
    wanted.spec.creator.user.id.subject = "alice"
    created = plane.stub().create(CreateRequest(app=wanted), headers=bearer(plane, "bob")).app
    assert created.spec.creator.user.id.subject == "bob"
    assert created.status.conditions[0].actor.user.id.subject == "bob"
    assert plane.calls.list("Create")[0].caller == "bob"


def test_a_program_is_an_application(plane: FakeControlPlane) -> None:
    """A client with a secret is no user."""
    created = plane.stub().create(CreateRequest(app=app()), headers=bearer(plane, "ci")).app
    assert created.spec.creator.application.id.subject == "ci"


def test_created_by_filters_by_the_caller(plane: FakeControlPlane) -> None:
    """A list of one's own apps has those alone."""
    stub = plane.stub()
    stub.create(CreateRequest(app=app("one")), headers=bearer(plane, "bob"))
    stub.create(CreateRequest(app=app("two")), headers=bearer(plane, "alice"))
    own = Filter(function=Filter.EQUAL, field="created_by", values=["bob"])
    listed = stub.list(ListRequest(org="flyte", request=Query(filters=[own])), headers=bearer(plane, "bob"))
    assert [each.metadata.id.name for each in listed.apps] == ["one"]


def test_a_token_counts_until_it_expires_by_the_planes_clock(plane: FakeControlPlane) -> None:
    """It is checked again at its expiry, even if it was checked before."""
    stub, headers = plane.stub(), bearer(plane, "bob", 10)
    stub.create(CreateRequest(app=app()), headers=headers)
    plane.clock.advance("9s")
    stub.get(GET, headers=headers)
    plane.clock.advance("1s")
    assert refusal(lambda: stub.get(GET, headers=headers)) == (
        Code.UNAUTHENTICATED,
        "the token is refused: it has expired",
    )


def test_a_token_isnt_valid_before_its_time(plane: FakeControlPlane) -> None:
    """`nbf` is respected."""
    headers = bearer(plane, "bob", nbf=plane.clock.now.timestamp() + 5)
    assert "isn't valid yet" in refusal(lambda: plane.stub().get(GET, headers=headers))[1]
    plane.clock.advance("5s")
    assert refusal(lambda: plane.stub().get(GET, headers=headers))[0] is Code.NOT_FOUND


def _forged(plane: FakeControlPlane) -> dict[str, str]:
    """Return tokens that don't count, by what is wrong with them."""
    genuine = plane.token("alice")
    header, payload, signature = genuine.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    public = plane.authentication.keys.public()["keys"][0] if plane.authentication else {}
    kid = public["kid"]
    own_key = ECKey.generate_key("P-256")
    head = {"alg": "ES256", "typ": "at+jwt", "kid": kid}
    none = base64.urlsafe_b64encode(json.dumps({**head, "alg": "none"}).encode()).rstrip(b"=").decode()
    other = FakeControlPlane(auth=AUTH)
    secret = OctKey.import_key(json.dumps(public))
    last = signature[-1]
    return {
        "empty": "",
        "no token": "x",
        "without signature": f"{header}.{payload}.",
        "another signature": f"{header}.{payload}.{'A' * len(signature)}",
        "the signature's unused bits": f"{header}.{payload}.{signature[:-1]}{chr(ord(last) + 1)}",
        "padding": f"{genuine}==",
        "alg none": f"{none}.{payload}.",
        "alg none, signed": f"{none}.{payload}.{signature}",
        "another key under our id": jwt.encode(head, claims, own_key, algorithms=["ES256"]),
        "another plane's key": other.token("alice", iss=claims["iss"], aud=claims["aud"]),
        "the public key as a secret": jwt.encode({**head, "alg": "HS256"}, claims, secret, algorithms=["HS256"]),
        "a key of its own": jwt.encode({**head, "jwk": own_key.as_dict(private=False)}, claims, own_key, ["ES256"]),
        "another audience": plane.token("alice", aud="https://elsewhere.example.com"),
        "another issuer": plane.token("alice", iss="https://elsewhere.example.com"),
        "an unknown subject": plane.token("alice", sub="mallory"),
        "no expiry": plane.token("alice", exp=None),
        "an expiry that is no number": plane.token("alice", exp="9999999999"),
        "an id token": plane.authentication.keys.sign(claims) if plane.authentication else "",
        "too long": plane.token("alice", scope="x" * 9_000),
    }


KINDS = sorted(_forged(FakeControlPlane(auth=AUTH)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_doesnt_count_is_refused(plane: FakeControlPlane, kind: str) -> None:
    """Neither a call nor a stream gets in, and the error has nothing of the app, nor of the token."""
    plane.stub().create(CreateRequest(app=app()), headers=bearer(plane, "alice"))
    token = _forged(plane)[kind]
    headers = {"authorization": f"Bearer {token}"}
    for call in (
        lambda: plane.stub().get(GET, headers=headers),
        lambda: plane.stub().watch(WatchRequest(app_id=app().metadata.id), headers=headers),
    ):
        code, message = refusal(call)
        assert code is Code.UNAUTHENTICATED
        assert "hello" not in message
        assert len(token) < 10 or token not in message


@pytest.mark.parametrize("scheme", ["bearer ", "BEARER ", "Bearer "])
def test_the_scheme_is_in_any_case(plane: FakeControlPlane, scheme: str) -> None:
    """As RFC 9110 has it."""
    headers = {"Authorization": scheme + plane.token("alice")}
    assert refusal(lambda: plane.stub().get(GET, headers=headers))[0] is Code.NOT_FOUND


@pytest.mark.parametrize("scheme", ["Basic ", "", "Bearer", "Bearer  "])
def test_another_scheme_is_refused(plane: FakeControlPlane, scheme: str) -> None:
    """A token counts behind its own scheme alone."""
    headers = {"authorization": scheme + plane.token("alice")}
    assert refusal(lambda: plane.stub().get(GET, headers=headers))[0] is Code.UNAUTHENTICATED


def test_a_revoked_token_is_refused_and_its_streams_end(plane: FakeControlPlane) -> None:
    """Streams of other tokens go on."""
    stub, token = plane.stub(), plane.token("alice")
    headers = {"authorization": f"Bearer {token}"}
    stub.create(CreateRequest(app=app()), headers=headers)
    watch = WatchRequest(app_id=app().metadata.id)
    mine, others = stub.watch(watch, headers=headers), stub.watch(watch, headers=bearer(plane, "alice"))
    for stream in (mine, others):
        next(iter(stream))
    plane.revoke_token(token)
    assert refusal(lambda: stub.get(GET, headers=headers))[1] == "the token is refused: it was revoked"
    with pytest.raises(ConnectError, match="revoked") as ended:
        list(mine)
    assert ended.value.code is Code.UNAUTHENTICATED
    assert plane.open_streams() == 1
    others.close()  # type: ignore[attr-defined]  # of a stream in process


def test_an_expired_tokens_stream_goes_on(plane: FakeControlPlane) -> None:
    """Expiry ends no stream that is open."""
    stub = plane.stub()
    watch = iter(stub.watch(WatchRequest(app_id=app().metadata.id), headers=bearer(plane, "bob", 5)))
    plane.clock.advance("1h")
    stub.create(CreateRequest(app=app()), headers=bearer(plane, "bob"))
    assert next(watch).HasField("create_event")
    watch.close()  # type: ignore[attr-defined]  # as above


def test_tokens_of_a_rotated_key(plane: FakeControlPlane) -> None:
    """A key that was kept still counts; a dropped one doesn't, even for a token that was checked before."""
    headers = bearer(plane, "alice")
    assert refusal(lambda: plane.stub().get(GET, headers=headers))[0] is Code.NOT_FOUND
    plane.rotate_keys()
    assert refusal(lambda: plane.stub().get(GET, headers=headers))[0] is Code.NOT_FOUND
    plane.rotate_keys(keep=False)
    assert "unknown key" in refusal(lambda: plane.stub().get(GET, headers=headers))[1]


def test_a_plane_without_authentication_has_no_tokens() -> None:
    """The error says how to make a plane that has."""
    with pytest.raises(RuntimeError, match=r'FakeControlPlane\(auth="demo"\)'):
        FakeControlPlane().token("alice")


def test_a_token_of_an_unknown_subject_is_an_error(plane: FakeControlPlane) -> None:
    """The error lists the users and clients."""
    with pytest.raises(ValueError, match="'mallory' is neither a user nor a client; there are alice, bob"):
        plane.token("mallory")
    with pytest.raises(ValueError, match="can't be revoked"):
        plane.revoke_token("x")
    with pytest.raises(ValueError, match="no client with a secret is called 'flyteapps-cli'; there are ci"):
        plane.api_key("flyteapps-cli")


def test_an_api_key_has_its_four_parts(plane: FakeControlPlane) -> None:
    """Endpoint, client, secret and org, with colons between; the endpoint may have some of its own."""
    with plane.serve() as server:
        found = base64.b64decode(plane.api_key()).decode().rsplit(":", 3)
        assert found == [server.url, "ci", "s3cret", "flyte"]
    key = plane.api_key("ci", endpoint="flyte.example.com")
    assert base64.b64decode(key) == b"flyte.example.com:ci:s3cret:flyte"


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        ("token", {"subject": 5}, TypeError, "subject must be a text, not 5"),
        ("token", {"subject": "alice", "expires_in": "60"}, TypeError, "expires_in must be a number, not '60'"),
        ("token", {"subject": "alice", "expires_in": float("inf")}, ValueError, "at most a hundred years, not inf"),
        ("token", {"subject": "alice", "expires_in": float("nan")}, ValueError, "at most a hundred years, not nan"),
        ("token", {"subject": "alice", "expires_in": -1e300}, ValueError, "at most a hundred years, not -1e+300"),
        ("revoke_token", {"token": ["a"]}, TypeError, "token must be a text, not ['a']"),
        ("api_key", {"client": 5}, TypeError, "client must be a text, not 5"),
        ("api_key", {"endpoint": b"x"}, TypeError, "endpoint must be a text, not b'x'"),
    ],
)
def test_an_argument_of_another_type(
    plane: FakeControlPlane, function: str, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Functions for tokens refuse it, and name it."""
    with pytest.raises(error, match=re.escape(message)):
        getattr(plane, function)(**arguments)
