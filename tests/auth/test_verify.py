"""`flyteapps verify` with credentials: a token, an API key, and what can't be."""

from __future__ import annotations

import base64

import pytest

from auth.support import bearer
from flyteapps_contract.cli.verify import main
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.auth import Auth


def _verify(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main([*arguments])
    out, err = capfd.readouterr()
    return status, " ".join((out + err).split())


def test_a_plane_with_callers_is_judged(capfd: pytest.CaptureFixture[str]) -> None:
    """By an API key, and by a token; without credentials it can't be judged."""
    with FakeControlPlane(auth="demo") as plane, plane.serve() as server:
        only = ("--only", "AU-1", "--only", "AU-2", "--only", "CR-1", "--profile", "directed")
        status, output = _verify(capfd, server.url, "--api-key", plane.api_key(), *only)
        assert status == 0, output
        assert "AU-2" in output
        token = bearer(plane, "alice")["authorization"].removeprefix("Bearer ")
        assert _verify(capfd, server.url, "--token", token, *only)[0] == 0
        status, output = _verify(capfd, server.url, *only)
        assert (status, "UNAUTHENTICATED" in output) == (2, True)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("?", "it is no base64 of ENDPOINT:CLIENT_ID:SECRET:ORG"),
        (base64.b64encode(b"a:b:c").decode(), "it is no base64 of"),
        (base64.b64encode(b"a:flyteapps-ci:wrong:o").decode(), "answers 401: The client cannot authenticate"),
    ],
)
def test_a_key_that_cant_be(capfd: pytest.CaptureFixture[str], key: str, message: str) -> None:
    """The message says what is wrong with it, and nothing secret."""
    with FakeControlPlane(auth=Auth.demo()) as plane, plane.serve() as server:
        status, output = _verify(capfd, server.url, "--api-key", key)
    assert status == 2
    assert message in output
    assert "wrong" not in output.replace("what is wrong", "")


def test_two_kinds_of_credentials(capfd: pytest.CaptureFixture[str]) -> None:
    """One is enough."""
    status, output = _verify(capfd, "localhost:1", "--api-key", "x", "--token", "y")
    assert (status, "give one of them" in output) == (2, True)
