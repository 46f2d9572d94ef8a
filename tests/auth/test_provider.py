"""Tokens of an existing provider: its keys are fetched, kept, and fetched again for one that is unknown."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from connectrpc.code import Code
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from auth.support import app, refusal, user_info
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.auth import Auth, User
from flyteapps_fake.auth.provider import Pending, Provider
from flyteapps_fake.auth.tokens import InvalidToken

ISSUER, AUDIENCE = "https://idp.example.com/", "flyte"
GET = GetRequest(app_id=app().metadata.id)


class FakeProvider:
    """A provider that publishes keys, and may be down."""

    def __init__(self) -> None:
        self.keys: list[Any] = [RSAKey.generate_key(2048, {"kid": "r1"})]
        self.fetched = 0
        self.down = False
        self.release = threading.Event()
        self.release.set()
        self.documents: dict[str, bytes] = {}

    def fetch(self, url: str) -> bytes:
        """Return a document."""
        self.release.wait(60)
        if self.down:
            raise OSError("connection refused")
        if url in self.documents:
            return self.documents[url]
        if url.endswith("/openid-configuration"):
            self.fetched += 1
            found: Any = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}jwks", "token_endpoint": f"{ISSUER}token"}
        else:
            found = KeySet(self.keys).as_dict(private=False)
        return json.dumps(found).encode()

    def token(self, number: int = 0, alg: str = "RS256", **claims: Any) -> str:
        """Return a token that is signed by one of the keys."""
        key = self.keys[number]
        standard = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 600}
        return jwt.encode({"alg": alg, "kid": key.kid}, {**standard, **claims}, key, algorithms=[alg])


@pytest.fixture
def idp(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """A provider that planes reach without a network."""
    found = FakeProvider()

    def provider(issuer: str, audience: str) -> Provider:
        return Provider(issuer, audience, found.fetch)

    monkeypatch.setattr("flyteapps_fake.auth.authentication.Provider", provider)
    yield found
    found.release.set()


def plane_of(**fields: Any) -> FakeControlPlane:
    """Return a plane that checks the provider's tokens."""
    return FakeControlPlane(auth=Auth(provider=ISSUER, audience=AUDIENCE, **fields))


def headers(token: str) -> dict[str, str]:
    """Return the headers of a call with that token."""
    return {"authorization": f"Bearer {token}"}


def test_a_token_of_the_provider_counts(idp: FakeProvider) -> None:
    """Its subject is the caller; users of the settings have their roles, others the one for others."""
    with plane_of(users=[User("boss", "admin")], others="viewer") as plane:
        boss, ann = headers(idp.token(sub="boss")), headers(idp.token(sub="ann"))
        assert plane.stub().create(CreateRequest(app=app()), headers=boss).app.spec.creator.user.id.subject == "boss"
        assert plane.stub().get(GET, headers=ann).app.metadata.id.name == "hello"
        assert refusal(lambda: plane.stub().create(CreateRequest(app=app("b")), headers=ann))[0] is (
            Code.PERMISSION_DENIED
        )
        assert idp.fetched == 1


def test_subjects_without_a_role_are_refused(idp: FakeProvider) -> None:
    """Where the settings have none for others."""
    with plane_of(users=[User("boss", "admin")]) as plane:
        found = refusal(lambda: plane.stub().get(GET, headers=headers(idp.token())))
    assert found == (Code.UNAUTHENTICATED, "the token is refused: its subject is unknown here")


def test_the_plane_issues_none(idp: FakeProvider) -> None:
    """Its own endpoints aren't there, its metadata are the provider's."""
    with plane_of(others="viewer") as plane, plane.serve() as server, httpx.Client(base_url=server.url) as http:
        assert http.get("/oauth2/jwks").status_code == 404
        assert user_info(http, idp.token(sub="ann", email="ann@example.com")).json()["email"] == "ann@example.com"
        metadata = http.post("/flyteidl2.auth.AuthMetadataService/GetOAuth2Metadata", json={}).json()
        assert (metadata["issuer"], metadata["tokenEndpoint"]) == (ISSUER, f"{ISSUER}token")
        with pytest.raises(ValueError, match="issues no tokens"):
            plane.token("ann")


WRONG: dict[str, Callable[[FakeProvider], str]] = {
    "another audience": lambda idp: idp.token(aud="other"),
    "another issuer": lambda idp: idp.token(iss="https://other.example.com"),
    "expired": lambda idp: idp.token(exp=int(time.time()) - 60),
    "not yet": lambda idp: idp.token(nbf=int(time.time()) + 60),
    "no subject": lambda idp: idp.token(sub=""),
    "forged": lambda idp: idp.token()[:-8] + "AAAAAAAA",
    "an unknown key": lambda idp: jwt.encode(
        {"alg": "ES256", "kid": "x"}, {"sub": "ann"}, ECKey.generate_key("P-256"), algorithms=["ES256"]
    ),
    "a secret": lambda idp: jwt.encode(
        {"alg": "HS256", "kid": "r1"}, {"sub": "ann"}, OctKey.generate_key(256), algorithms=["HS256"]
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_token_that_doesnt_count(idp: FakeProvider, kind: str) -> None:
    """It is refused, and the first fetch of the keys doesn't change that."""
    with plane_of(others="viewer") as plane:
        token = WRONG[kind](idp)
        assert refusal(lambda: plane.stub().get(GET, headers=headers(token)))[0] is Code.UNAUTHENTICATED


def test_keys_are_fetched_again_for_an_unknown_one_but_not_often() -> None:
    """A rotated key counts after the next fetch; between two there are ten seconds."""
    idp, clock = FakeProvider(), [0.0]
    provider = Provider(ISSUER, AUDIENCE, idp.fetch, lambda: clock[0])
    with pytest.raises(Pending) as pending:
        provider.check(idp.token())
    while not pending.value.done():
        time.sleep(0.001)
    provider.check(idp.token())
    idp.keys.append(ECKey.generate_key("P-256", {"kid": "e2"}))
    for seconds, outcome in ((1.0, InvalidToken), (9.0, Pending)):
        clock[0] += seconds
        with pytest.raises(outcome) as raised:
            provider.check(idp.token(1, "ES256"))
        if isinstance(raised.value, Pending):
            while not raised.value.done():
                time.sleep(0.001)
    assert provider.check(idp.token(1, "ES256"))["sub"] == "ann"
    assert idp.fetched == 2


def test_a_provider_that_is_down(idp: FakeProvider) -> None:
    """A call says so; keys that are known count on."""
    idp.down = True
    with plane_of(others="viewer") as plane:
        code, message = refusal(lambda: plane.stub().get(GET, headers=headers(idp.token())))
        assert (code, "can't be asked for its keys: connection refused" in message) == (Code.UNAUTHENTICATED, True)


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("/.well-known/openid-configuration", b"<html>", "has no JSON object"),
        ("/.well-known/openid-configuration", b'{"issuer": "https://evil/"}', "is of another issuer"),
        ("/jwks", b'{"keys": []}', "has no key for signatures"),
        ("/jwks", b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA"}, 3]}', "has no key for signatures"),
    ],
)
def test_documents_that_cant_be_read(path: str, body: bytes, problem: str) -> None:
    """The refusal says what is wrong with them."""
    idp = FakeProvider()
    idp.documents[ISSUER.rstrip("/") + path] = body
    provider = Provider(ISSUER, AUDIENCE, idp.fetch)
    provider.fetch()
    assert problem in provider.problem


def test_calls_wait_for_the_keys_without_holding_up_others(idp: FakeProvider) -> None:
    """While a fetch takes long, calls without credentials are answered; the call goes on once it is over."""
    idp.release.clear()
    with plane_of(others="viewer") as plane, plane.serve() as server, httpx.Client(base_url=server.url) as http:
        found: list[int] = []
        token = idp.token()

        def call() -> None:
            with httpx.Client(base_url=server.url, trust_env=False) as own:
                found.append(user_info(own, token).status_code)

        waiting = threading.Thread(target=call)
        waiting.start()
        assert user_info(http, None).status_code == 401
        assert found == []
        idp.release.set()
        waiting.join(60)
        assert found == [200]
