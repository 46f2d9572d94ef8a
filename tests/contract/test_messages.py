"""Messages drawn from the rules of the .proto files, held against the library that checks them by the same rules."""

from __future__ import annotations

import random
import re
from collections import Counter

import protovalidate
import pytest
from buf.validate.validate_pb2 import Violations
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from flyteapps_contract.explorations.messages import LEFT_OUT, METHODS, search
from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.model.constraints import Grammar
from flyteapps_contract.outcomes import Refused
from flyteapps_contract.session import Run
from flyteapps_contract.verification import fresh_prefix
from mutants import apps

from . import standins

VALIDATOR = protovalidate.Validator()


def fields_of(message: Message) -> set[str]:
    """Return the fields of the violations that the library finds."""
    try:
        VALIDATOR.validate(message)
    except protovalidate.ValidationError as error:
        encoded = error.to_proto().to_binary()
        refused = AnyMessage(type_url=f"x/{Violations.DESCRIPTOR.full_name}", value=encoded)
        return set(Refused("INVALID_ARGUMENT", "", [refused]).violations())
    return set()


@pytest.mark.parametrize("method", [each for each in METHODS if each != "List"])
def test_valid_and_one_step_beyond(method: str) -> None:
    """A drawn message keeps every rule; a step beyond one breaks that field's rules and no other's."""
    seen: Counter[str] = Counter()
    grammar = Grammar(LEFT_OUT)
    draw = random.Random(1)
    for _ in range(100):
        message = METHODS[method][0]()
        grammar.fill(message, draw.randrange)
        assert fields_of(message) == set(), message
        broken = draw.choice(list(grammar.breaks(message)))
        broken.make()
        seen[re.sub(r"\[\d+\]", "", broken.path)] += 1
        assert fields_of(message) == {broken.path}, broken.what
    assert len(seen) >= (20 if method in ("Create", "Update", "UpdateStatus") else 4), seen


@pytest.mark.matrix
def test_a_rule_that_is_not_checked_is_found() -> None:
    """A plane without rules is found by a message that breaks one, and by one call or two."""
    with apps.rules_are_not_checked():
        found = search(
            standins.direct(), Run(prefix=fresh_prefix()), SearchOptions(count=200, seed=1, judged=frozenset({"ID-2"}))
        )
    assert found.violation is not None
    assert found.calls <= 2
    assert "app_payload_pb2" in found.script
