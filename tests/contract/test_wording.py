"""Texts of verdicts: calls by name and arguments, the fields that differ with both values, apps by their names."""

from __future__ import annotations

import pytest
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message

from flyteapps_contract.explorations.registry import EXPLORATIONS
from flyteapps_contract.explorations.search import explore
from flyteapps_contract.outcomes import Verdict
from flyteapps_contract.profiles import Budget
from flyteapps_contract.verification import fresh_run
from flyteapps_contract.wording import MAX_CHARACTERS, MAX_DIFFERENCES, call, differing
from mutants import apps, watches
from mutants.planting import Mutant

from . import standins

STOPPED, ACTIVE = model.Spec.DESIRED_STATE_STOPPED, model.Spec.DESIRED_STATE_ACTIVE


def app(revision: int = 1, state: int = STOPPED, image: str = "img:0") -> model.App:
    """Return an app called a."""
    made = model.App()
    made.metadata.id.name, made.metadata.revision = "a", revision
    made.spec.desired_state, made.spec.container.image = state, image  # type: ignore[assignment]  # a plain int
    made.status.created_at.seconds = 1_767_225_600
    return made


def test_differing_fields() -> None:
    """Each with its path, its expected and its observed value: enums by name, times as such, what is missing."""
    other = app(2, ACTIVE)
    other.metadata.labels["team"] = "red"
    other.status.created_at.seconds += 1
    other.status.conditions.add(message="m")
    other.spec.container.args.append("serve")
    assert set(differing(app(), other).splitlines()) == {
        "  metadata.revision: expected 1, got 2",
        "  metadata.labels['team']: expected nothing, got 'red'",
        "  spec.container.args[0]: expected nothing, got 'serve'",
        "  spec.desired_state: expected DESIRED_STATE_STOPPED, got DESIRED_STATE_ACTIVE",
        '  status.conditions[0]: expected nothing, got {message: "m"}',
        "  status.created_at: expected 2026-01-01T00:00:00Z, got 2026-01-01T00:00:01Z",
    }
    assert differing(app(), app()) == ""


def test_a_long_text_is_cut() -> None:
    """Many fields, and long values, are not listed whole."""
    other = app(image="x" * 10 * MAX_CHARACTERS)
    for number in range(2 * MAX_DIFFERENCES):
        other.metadata.labels[f"label-{number}"] = "v"
    lines = differing(app(), other).splitlines()
    assert len(lines) == MAX_DIFFERENCES + 1
    assert lines[-1] == f"  ... fields more: {MAX_DIFFERENCES + 1}"
    assert max(map(len, lines)) < 2 * MAX_CHARACTERS


@pytest.mark.parametrize(
    ("method", "request_", "text"),
    [
        ("Create", rpc.CreateRequest(app=app(0)), "Create a: desired_state STOPPED, image img:0"),
        (
            "Update",
            rpc.UpdateRequest(app=app(3, ACTIVE), reason="because"),
            "Update a: revision 3, desired_state ACTIVE, image img:0, reason 'because'",
        ),
        ("Get", rpc.GetRequest(app_id=model.Identifier(name="a")), "Get a"),
        ("Delete", rpc.DeleteRequest(app_id=model.Identifier(name="a")), "Delete a"),
        ("List", rpc.ListRequest(org="acme", include_total_count=True), "List org 'acme', include_total_count True"),
        ("Watch", rpc.WatchRequest(), "Watch"),
    ],
)
def test_calls(method: str, request_: Message, text: str) -> None:
    """A call is named with what it says of its app, or the scope that it asks for."""
    assert call(method, request_) == text


@pytest.mark.parametrize(
    ("guarantee", "mutant", "said"),
    [
        ("CR-2", apps.create_upserts, ("-a: desired_state STOPPED", "expected ALREADY_EXISTS, got ", "  1. Create fc")),
        (
            "WA-6",
            watches.old_app_is_the_new_one,
            ("old_app of fc", ".revision: expected 1, got 2", "open Watch"),
        ),
    ],
)
def test_a_violation_in_words(guarantee: str, mutant: Mutant, said: tuple[str, ...]) -> None:
    """A violation names the call or the app, and both values, and lists each call that led there."""
    target = standins.direct()
    with mutant():
        found = explore(EXPLORATIONS["sequences"], target, fresh_run(target), Budget(1_500, 600.0), 1, only=[guarantee])
        reasons = [each.reason for each in found if each.verdict is Verdict.BROKEN]
    assert len(reasons) == 1
    assert all(each in reasons[0] for each in said), reasons[0]
    assert "STOPPED, FIRST" not in reasons[0]
