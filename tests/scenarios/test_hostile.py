"""Sources of scenarios that are built to break their reader: each is refused at once, with its place."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from flyteapps_control.scenarios import MAX_BYTES
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.simulation.files.format import MAX_BRANCHES, MAX_LABELS
from flyteapps_fake.simulation.files.located import ScenarioError, from_text
from flyteapps_fake.simulation.files.parsing import parse_scenarios

HEAD = "scenarios:\n  one:\n    steps:\n    - {state: PENDING}\n"
DIGITS = "9" * 5_000


@pytest.mark.parametrize("value", ["!!float nan", "!!float inf", "1.0e+400", "9" * 400, DIGITS])
def test_a_count_that_is_no_number(value: str) -> None:
    """Not finite, or of more digits than Python converts: an error with its place and a short value."""
    with pytest.raises(ScenarioError, match=r"^f:5:33: replicas must be") as refused:
        parse_scenarios(from_text(HEAD + f"    - {{state: ACTIVE, replicas: {value}}}\n", "f"))
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("value", ["!!float nan", "1.0e+300", "9" * 400, f"'{DIGITS}s'", DIGITS])
def test_a_duration_beyond_all_bounds(value: str) -> None:
    """As of other durations, the error has the place."""
    with pytest.raises(ScenarioError, match=r"^f:5:30: after: the duration") as refused:
        parse_scenarios(from_text(HEAD + f"    - {{state: ACTIVE, after: {value}}}\n", "f"))
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("replicas", math.nan),
        ("replicas", math.inf),
        ("replicas", 10**5_000),
        ("after", 10**400),
        ("after", 1e300),
        ("message", "\ud800"),
    ],
    ids=["nan", "inf", "many digits", "an int", "a float", "half of a pair"],
)
def test_a_value_of_a_mapping_that_no_file_holds(field: str, value: Any) -> None:
    """As an argument and by the control API it is a ValueError, and changes nothing."""
    source = {"scenarios": {"one": {"steps": [{"state": "PENDING"}, {"state": "ACTIVE", field: value}]}}}
    with pytest.raises(ScenarioError, match=rf"^scenarios\.one\.steps\[1\]\.{field}: "):
        FakeControlPlane(scenarios=source)
    with FakeControlPlane() as plane:
        before = plane.scenarios.list()
        with pytest.raises(ValueError, match=rf"{field}|what JSON knows"):
            plane.scenarios.add(source)
        assert plane.scenarios.list() == before


def test_a_mapping_inside_of_itself() -> None:
    """Neither it nor one of a thousand levels is followed to its end."""
    around: dict[str, Any] = {}
    around["scenarios"] = around
    deep: dict[str, Any] = {}
    for _ in range(1_000):
        deep = {"scenarios": deep}
    listed: list[Any] = []
    listed.append(listed)
    for source in (around, deep, {"scenarios": listed}):
        with pytest.raises(ScenarioError, match="nested too deeply, or inside of themselves"):
            FakeControlPlane(scenarios=source)
        with FakeControlPlane() as plane, pytest.raises(ValueError, match="what JSON knows"):
            plane.scenarios.add(source)


@pytest.mark.parametrize("source", [5, None, [], [["x"]], b"x"], ids=repr)
def test_what_is_neither_a_path_nor_a_mapping(source: Any) -> None:
    """It is shown."""
    with FakeControlPlane() as plane, pytest.raises(ValueError, match="a path, or a mapping of what JSON knows"):
        plane.scenarios.add(source)


def test_aliases_that_multiply() -> None:
    """Many branches or labels that are written once, and stand in many places, are refused before they are read."""
    branches = "[" + ", ".join(["{steps: []}"] * (MAX_BRANCHES + 1)) + "]"
    text = HEAD + f"    - choose: &many {branches}\n" + "    - choose: *many\n" * 3_000
    with pytest.raises(ScenarioError, match=r"^f:5:15: choose: one choice has at most 100 branches"):
        parse_scenarios(from_text(text, "f"))
    labels = "{" + ", ".join(f"k{number}: 'v*'" for number in range(MAX_LABELS + 1)) + "}"
    text = f"scenarios:\n  one: {{when: {{labels: {labels}}}, steps: [{{state: PENDING}}]}}\n"
    with pytest.raises(ScenarioError, match=r"labels: one `when` has at most 100"):
        parse_scenarios(from_text(text, "f"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#" * (MAX_BYTES + 1), "more than 1,048,576 bytes of scenarios"),
        ("\u00e9".encode() * (MAX_BYTES // 2 + 1), "more than 1,048,576 bytes of scenarios"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (b"\x00", "neither YAML nor JSON"),
        (b"scenarios:\n\tone: 1\n", ":2:1: neither YAML nor JSON"),
    ],
    ids=["10 MB", "cut", "UTF-16", "zero", "tab"],
)
def test_a_file_that_is_no_text_of_scenarios(tmp_path: Path, content: bytes, message: str) -> None:
    """A large one isn't read to its end."""
    path = tmp_path / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match=message) as refused:
        FakeControlPlane(scenarios=path)
    assert str(refused.value).startswith(str(path))
    with FakeControlPlane() as plane, pytest.raises(ValueError, match=message) as added:
        plane.scenarios.add(path)
    assert str(added.value).startswith(str(path))


@pytest.mark.parametrize("path", ["", "a\0b", "/", "/nowhere/f.yaml"], ids=repr)
def test_a_path_without_a_file(path: str) -> None:
    """The error names it, also where it is empty."""
    with pytest.raises(ScenarioError, match="can't be read: ") as refused:
        FakeControlPlane(scenarios=path)
    assert str(refused.value).startswith(path or "''") or repr(path) in str(refused.value)
