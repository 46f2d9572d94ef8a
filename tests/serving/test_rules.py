"""The quick check of requests agrees with protovalidate, and spares a server its import."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import protovalidate
import pytest
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.common.identifier_pb2 import ProjectIdentifier
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from flyteapps_fake.core.plane import Plane
from flyteapps_fake.core.rules.quick_check import keeps_rules
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.http.builtin.uploads import Uploads
from flyteapps_fake.http.table import table

from .messages import create, get, identifier, watch
from .messages_of import messages

REQUESTS: list[Any] = sorted(
    {row.operation.request for row in table(Plane(Settings()), Uploads(), control=True).values()},
    key=lambda each: each.__name__,
)


def violations(message: Message) -> list[str]:
    return [each.proto.rule_id for each in protovalidate.collect_violations(message)]


@settings(max_examples=500, deadline=None)
@given(message=st.sampled_from(REQUESTS).flatmap(messages))
def test_what_the_quick_check_finds_valid_is_valid(message: Message) -> None:
    """protovalidate finds no violation in any message that the quick check lets through."""
    if keeps_rules(message):
        assert violations(message) == []


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("a", True),
        ("A-1", True),
        ("", False),
        ("-a", False),
        ("a-", False),
        ("a\n", False),
        ("é", False),
        ("a" * 30, True),
        ("a" * 31, False),
    ],
)
def test_a_name_is_judged_as_by_protovalidate(name: str, valid: bool) -> None:
    """Lengths and patterns have the edges of protovalidate."""
    assert keeps_rules(get(name)) == (violations(get(name)) == []) == valid


def test_lengths_are_of_characters() -> None:
    """A limit of 100 characters is no limit of bytes, in either check."""
    reason = payload.UpdateRequest(app=create("a").app, reason="é" * 100)
    assert keeps_rules(reason)
    assert violations(reason) == []
    reason.reason += "é"
    assert not keeps_rules(reason)
    assert violations(reason) == ["string.max_len"]


@pytest.mark.parametrize(
    "request_",
    [
        create("a"),
        create("a", stopped=True),
        get("a"),
        watch("a"),
        payload.ListRequest(org="flyte"),
        payload.ListRequest(project=ProjectIdentifier(organization="flyte", domain="d", name="p")),
        payload.DeleteRequest(app_id=identifier("a")),
        payload.UpdateRequest(app=definition.App(metadata=create("a").app.metadata, spec=create("a").app.spec)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_usual_requests_need_no_protovalidate(request_: Message) -> None:
    """The quick check decides the requests of most clients."""
    assert keeps_rules(request_)


def test_a_server_starts_without_protovalidate() -> None:
    """A server doesn't import it, or what it brings, before a request needs it."""
    code = (
        "import sys; from flyteapps_fake import servers, FakeControlPlane; from flyteapps_fake.servers import assembly;"
        "FakeControlPlane(); print(sorted({'protovalidate', 'protobuf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
