"""The settings of authentication: what can't be is refused, by its place."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flyteapps_fake import FakeControlPlane, Settings
from flyteapps_fake.auth import Auth, Client, User


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, 'auth: must be "demo", an Auth, or a mapping, not 7'),
        ("dmeo", "auth: must be \"demo\", an Auth, or a mapping, not 'dmeo'"),
        ({"user": []}, "auth.user: is an unknown key; there are users, clients"),
        ({"users": "alice"}, "auth.users: must be a list, not 'alice'"),
        ({"users": ["alice"]}, "auth.users[0]: must be a mapping, not 'alice'"),
        ({"users": [{}]}, "auth.users[0]: has no subject"),
        ({"users": [{"subject": "a b"}]}, "auth.users[0].subject: must be 1 to 128 printable characters"),
        ({"users": [{"subject": "a"}, {"subject": "b", "role": "boss"}]}, "auth.users[1].role: must be one of viewer"),
        ({"users": [{"subject": "a", "projects": "demo"}]}, "auth.users[0].projects: must be a list, not 'demo'"),
        ({"users": [{"subject": "a", "visible": [3]}]}, "auth.users[0].visible[0]: must be a text, not 3"),
        ({"users": [{"subject": "a"}, {"subject": "a"}]}, "auth.users[1]: 'a' is there twice"),
        ({"clients": [{"client_id": "a:b"}]}, "auth.clients[0].client_id: must be"),
        ({"clients": [{"client_id": "a", "secret": ""}]}, "auth.clients[0].secret: must not be empty"),
        ({"approve": "ann"}, "auth.approve: 'ann' is no user; the users are none"),
        ({"access_token_seconds": 0}, "auth.access_token_seconds: must be a number of seconds over 0"),
        ({"access_token_seconds": "1h"}, "auth.access_token_seconds: must be a number"),
        ({"refresh_token_seconds": 1e12}, "auth.refresh_token_seconds: must be a number"),
        ({"issuer": "localhost"}, "auth.issuer: must be a URL"),
        ({"provider": "https://idp.example.com"}, "auth.audience: is missing"),
        ({"others": "boss"}, "auth.others: must be one of"),
        ({"header": "X Y"}, "auth.header: must be a header's name"),
    ],
)
def test_settings_that_cant_be(value: Any, message: str) -> None:
    """The error names the place, what is wrong, and what would be right."""
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}"):
        FakeControlPlane(auth=value)


def test_the_three_forms_are_the_same() -> None:
    """A mapping makes what the classes make."""
    mapping = {"users": [{"subject": "ann", "role": "admin"}], "clients": [{"client_id": "ci", "secret": "x"}]}
    assert Settings(auth=mapping).auth == Auth(users=[User("ann", "admin")], clients=[Client("ci", "x")])


def test_secrets_are_not_shown() -> None:
    """A client's repr, and that of the settings, have no secret."""
    settings = Settings(auth=Auth(clients=[Client("ci", "s3cret")]))
    assert "s3cret" not in repr(settings)


def test_each_demo_has_a_secret_of_its_own() -> None:
    """It is printed where the server starts, and guessed nowhere."""
    assert Auth.demo().confidential_client().secret != Auth.demo().confidential_client().secret
