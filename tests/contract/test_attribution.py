"""The guarantee that is named: what comes twice is WA-4, what is missing WA-5, what two writes became one WA-3."""

from __future__ import annotations

import pytest
from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model import watching
from flyteapps_contract.model.plane import Branch, Entry, Expected, PossibleStates
from flyteapps_contract.model.transitions import Observation
from flyteapps_contract.model.violations import Violation
from flyteapps_contract.streams import WatchEvent


def app(revision: int, name: str = "a", **labels: str) -> model.App:
    """Return a stopped app at a revision; each has a condition of its own."""
    found = model.App(metadata=model.Meta(id=model.Identifier(org="o", name=name), revision=revision, labels=labels))
    found.spec.desired_state = model.Spec.DESIRED_STATE_STOPPED
    found.spec.creator.user.id.subject = "someone"
    found.status.created_at.FromSeconds(1)
    for number in range(revision):
        found.status.conditions.add(deployment_status=model.Status.DEPLOYMENT_STATUS_STOPPED, revision=number + 1)
    return found


ONE, TWO, THREE, FOUR = (app(revision) for revision in (1, 2, 3, 4))
CREATED = WatchEvent("create", ONE, None)
SECOND, THIRD = WatchEvent("update", TWO, ONE), WatchEvent("update", THREE, TWO)
FOURTH = WatchEvent("update", FOUR, THREE)


@pytest.mark.parametrize(
    ("events", "named"),
    [
        ([CREATED, SECOND, THIRD, FOURTH], []),
        ([CREATED, SECOND, SECOND, THIRD], ["WA-4"]),
        ([CREATED, WatchEvent("update", ONE, None), SECOND], ["WA-4"]),
        ([CREATED, SECOND, THIRD, SECOND, FOURTH], ["WA-4"]),
        ([CREATED, CREATED, SECOND], ["WA-4"]),
        ([CREATED, SECOND, WatchEvent("delete", TWO, None), SECOND], ["WA-4"]),
        ([CREATED, WatchEvent("delete", ONE, None), WatchEvent("delete", ONE, None)], ["WA-4"]),
        ([CREATED, THIRD, FOURTH], ["WA-5"]),
        ([CREATED, THIRD, SECOND, FOURTH], ["WA-3"]),
        ([CREATED, WatchEvent("update", THREE, ONE), FOURTH], ["WA-3"]),
        ([CREATED, WatchEvent("delete", TWO, None)], ["WA-5"]),
        ([CREATED, WatchEvent("update", TWO, TWO)], ["WA-6"]),
        ([CREATED, SECOND, WatchEvent("update", THREE, ONE)], ["WA-6"]),
        ([CREATED, SECOND, WatchEvent("delete", ONE, None)], ["WA-7"]),
    ],
)
def test_the_first_rule_that_breaks(events: list[WatchEvent], named: list[str]) -> None:
    """The rules are asked in their order, and the first that breaks names the guarantee."""
    assert [guarantee for guarantee, rule, _ in watching.RULES if rule(events)][:1] == named


def test_what_two_writes_became() -> None:
    """One event for two writes is merged; a missing event is none, and neither is an event that came twice."""
    assert watching.merged_rule([CREATED, WatchEvent("update", THREE, ONE)])
    assert not watching.merged_rule([CREATED, THIRD])
    assert not watching.merged_rule([CREATED, SECOND, SECOND, THIRD])


def test_duplicates_are_left_out() -> None:
    """The events less what came before, the deletions of two incarnations kept."""
    deleted, again = WatchEvent("delete", TWO, None), WatchEvent("create", app(1, x="again"), None)
    again.app.status.created_at.FromSeconds(2)
    events = [CREATED, SECOND, CREATED, deleted, deleted, again, deleted]
    assert watching.without_duplicates(events) == [CREATED, SECOND, deleted, again, deleted]


def test_a_lost_call_is_not_named_first() -> None:
    """A call whose answer was lost is named after the read whose answer nothing explains."""
    states = PossibleStates()
    entry = Entry("a")
    states.accept(entry, Observation(ONE, "first"))
    states.lose(entry, lambda _: Expected({}, Branch(model.App(metadata=TWO.metadata, spec=TWO.spec)), ("UP-2",)))
    with pytest.raises(Violation) as caught:
        states.found(entry, Observation(app(1, x="other"), "second"), ("GE-1", "GE-3"), moving=False, at_hand=False)
    assert caught.value.guarantees == ("GE-1", "GE-3", "UP-2")
