"""The encoded history of conditions: the same as a list of them would be, whatever is done to it."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import Condition, Status
from hypothesis import given
from hypothesis import strategies as st

from flyteapps_fake.standard.conditions import MAX_CONDITIONS, History

_TEXTS = st.sampled_from(["", "m", "é" * 80, "x" * 300, "y" * 20_000])


@given(st.lists(st.tuples(st.booleans(), _TEXTS), max_size=2 * MAX_CONDITIONS))
def test_a_history_is_what_a_list_is(actions: list[tuple[bool, str]]) -> None:
    """Conditions added, or replacing the last one, come out in order, at most MAX_CONDITIONS of them."""
    history, expected = History(), list[Condition]()
    for number, (append, text) in enumerate(actions):
        condition = Condition(revision=number + 1, message=text)
        if append or not expected:
            history = history.append(condition)
            expected = [*expected, condition][-MAX_CONDITIONS:]
        else:
            history = history.replace_last(condition)
            expected[-1] = condition
        assert history.last() == condition
    assert list(Status.FromString(history.encoded).conditions) == expected
    assert len(history) == len(expected)


def test_a_history_never_changes() -> None:
    """A history that is kept stays as it was."""
    one = History().append(Condition(revision=1, message="one"))
    before = one.encoded
    one.append(Condition(revision=2))
    one.replace_last(Condition(revision=3))
    assert (one.encoded, len(one)) == (before, 1)
