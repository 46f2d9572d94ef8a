"""The selection of the test matrix."""

from __future__ import annotations

import pytest

from matrix import Share, is_named

NODES = [f"tests/client/test_waits.py::test_wait[{number}]" for number in range(400)]


@pytest.mark.parametrize(("text", "selected"), [("", 0), ("all", len(NODES))])
def test_no_share_selects_nothing_and_all_selects_everything(text: str, selected: int) -> None:
    """The marked tests are left out by default, and `all` runs them."""
    share = Share.parse(text)
    assert sum(node in share for node in NODES) == selected


def test_shares_are_disjoint_complete_and_about_equal() -> None:
    """Four shares hold each test once, and about as many tests each."""
    shares = [Share.parse(f"{number}/4") for number in range(1, 5)]
    assert all(sum(node in share for share in shares) == 1 for node in NODES)
    assert all(70 <= sum(node in share for node in NODES) <= 130 for share in shares)


@pytest.mark.parametrize("text", ["some", "0/4", "5/4", "1/", "/4", "-1/4", "1/4/2"])
def test_an_invalid_share_is_an_error(text: str) -> None:
    """A share that can't be is reported, with the forms that are valid."""
    with pytest.raises(ValueError, match="is invalid"):
        Share.parse(text)


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("tests/a.py::TestX::test_y[one]", True),
        ("tests/a.py::TestX::test_y", True),
        ("tests/a.py::TestX", True),
        ("./tests/a.py::TestX", True),
        ("tests/a.py::TestX::test_y[two]", False),
        ("tests/a.py::TestX::test", False),
        ("tests/a.py", False),
        ("tests", False),
    ],
)
def test_a_node_id_names_its_test(argument: str, named: bool) -> None:
    """A test runs where its function, its class or itself is named, but not for its file or folder alone."""
    assert is_named("tests/a.py::TestX::test_y[one]", [argument]) is named
