"""Mutated tokens: not one of a hundred thousand gets in; by hand, and by Hypothesis."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auth.support import AUTH
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.auth.authentication import Authentication
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import GET

PLANE = FakeControlPlane(auth=AUTH)
TOKEN = PLANE.token("alice")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\x00é"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def gets_in(token: str) -> bool:
    """Return whether a call with that token has a caller."""
    checker: Authentication | None = PLANE.authentication
    assert checker is not None
    try:
        checker.identify(Call(GET, GET.request(), {"authorization": f"Bearer {token}"}))
    except RpcError as error:
        assert error.code is Code.UNAUTHENTICATED
        return False
    return True


def encoded(value: Any) -> str:
    """Return a part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    """Return the bytes of a part of a token."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def bits_flipped(part: str, draws: random.Random) -> str:
    """Return a part with one bit of its bytes flipped, or unchanged if it isn't base64 any more."""
    try:
        raw = bytearray(decoded(part) or b"\0")
    except ValueError:
        return part
    raw[draws.randrange(len(raw))] ^= 1 << draws.randrange(8)
    return encoded(bytes(raw))


def test_the_genuine_one_gets_in() -> None:
    """Else the others prove nothing."""
    assert gets_in(TOKEN)


@pytest.mark.slow
def test_every_other_character_in_every_place() -> None:
    """Each character of the token replaced by each other one, dropped, doubled."""
    for place, character in enumerate(TOKEN):
        before, after = TOKEN[:place], TOKEN[place + 1 :]
        for other in ALPHABET:
            if other != character:
                assert not gets_in(f"{before}{other}{after}"), (place, other)
        assert not gets_in(before + after)
        assert not gets_in(f"{before}{character}{character}{after}")
        assert not gets_in(before)


def test_the_other_signature_of_the_same_text() -> None:
    """For ES256 (r, n - s) is valid where (r, s) is: only one of the two counts."""
    text, _, signature = TOKEN.rpartition(".")
    raw = decoded(signature)
    other = ORDER - int.from_bytes(raw[32:], "big")
    assert not gets_in(f"{text}.{encoded(raw[:32] + other.to_bytes(32, 'big'))}")


HEADERS = [
    {"alg": alg, "typ": typ, "kid": kid}
    for alg in ("none", "None", "NONE", "", None, 1, "HS256", "RS256", "ES384", "ES256", ["ES256"])
    for typ in ("at+jwt", "JWT", None)
    for kid in (PLANE.authentication.keys.current.kid if PLANE.authentication else "", "", None, "../key", 1)
]
CLAIMS = [{}, {"sub": "bob"}, {"exp": 9e12}, {"exp": "never"}, {"aud": []}, {"sub": None}, {"iss": None}, {"nbf": -1}]


@pytest.mark.slow
def test_other_headers_and_claims_under_the_same_signature() -> None:
    """Each is refused: without a signature, with the genuine one, or with one of zeros."""
    _, payload, signature = TOKEN.split(".")
    claims = json.loads(decoded(payload))
    for header in HEADERS:
        for changed in CLAIMS:
            for sign in ("", signature, encoded(bytes(64))):
                token = f"{encoded(header)}.{encoded({**claims, **changed})}.{sign}"
                assert token == TOKEN or not gets_in(token), (header, changed)


@pytest.mark.slow
def test_random_mutations() -> None:
    """Bytes of the three parts flipped, cut, swapped between tokens; all from one seed."""
    draws = random.Random(7)
    others = [PLANE.token(subject) for subject in ("bob", "vera", "ci")]
    for _ in range(60_000):
        parts = TOKEN.split(".")
        for _ in range(draws.randint(1, 3)):
            part = draws.randrange(3)
            match draws.randrange(4):
                case 0:
                    parts[part] = bits_flipped(parts[part], draws)
                case 1:
                    parts[part] = parts[part][: draws.randrange(len(parts[part]) + 1)]
                case 2:
                    parts[part] = draws.choice(others).split(".")[part]
                case _:
                    at = draws.randrange(len(parts[part]) + 1)
                    parts[part] = parts[part][:at] + draws.choice(ALPHABET) + parts[part][at:]
        token = ".".join(parts)
        assert token in (TOKEN, *others) or not gets_in(token)


NAMES = ["alg", "typ", "kid", "crit", "b64", "jwk", "x5c", "jku"]
VALUES = st.none() | st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    header=st.dictionaries(st.sampled_from(NAMES), VALUES),
    claims=st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "jti", "sid"]), VALUES),
    signature=st.binary(max_size=80),
)
def test_tokens_of_hypothesis(header: dict[str, Any], claims: dict[str, Any], signature: bytes) -> None:
    """Any JSON in the first two parts, any bytes as the signature, in and around the genuine values."""
    genuine = [json.loads(decoded(each)) for each in TOKEN.split(".")[:2]]
    for head in (header, {**genuine[0], **header}):
        for body in (claims, {**genuine[1], **claims}):
            assert not gets_in(f"{encoded(head)}.{encoded(body)}.{encoded(signature)}")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text(token: str) -> None:
    """No text that is no token gets in, nor breaks the check."""
    assert not gets_in(token)
