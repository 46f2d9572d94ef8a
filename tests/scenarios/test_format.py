"""Files of scenarios: each mistake is refused with file, line, column, and a hint; nothing is half read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flyteapps_control.scenarios import MAX_BYTES
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.simulation.files.builtin import builtin_scenarios
from flyteapps_fake.simulation.files.format import STATES, SUBSTATES
from flyteapps_fake.simulation.files.located import ScenarioError, from_data, from_text
from flyteapps_fake.simulation.files.parsing import parse_scenarios
from flyteapps_fake.simulation.scenarios import Loop, Size, Step, each_step

from .driving import ACTIVE, FAILED, PENDING, scenarios

HEAD = "scenarios:\n  one:\n    steps:\n"
FIRST = HEAD + "    - {state: PENDING}\n"

MISTAKES = {
    # the text of the file
    "": ("f.yaml", "is empty: it needs `scenarios`"),
    "scenarios: [": ("f.yaml:2:1", "neither YAML nor JSON: "),
    "a: 1\n---\nb: 2\n": ("f.yaml:", "neither YAML nor JSON: "),
    '{"scenarios": {"one": {"steps": [{"state": "PENDING"}], "thn": "healthy"}}}': (
        "f.yaml:1:57",
        "unknown field 'thn' of the scenario one: did you mean then?",
    ),
    "scenario: {}\n": ("f.yaml:1:1", "unknown field 'scenario' of a file of scenarios: put scenarios below"),
    "- 1\n": ("f.yaml:1:1", "a file of scenarios must be a mapping"),
    "scenarios: {}\n": ("f.yaml:1:12", "must be a mapping of scenarios by name"),
    "scenarios: {a b: {steps: []}}\n": ("f.yaml:1:13", "'a b' is no name of a scenario"),
    "scenarios: {one: {steps: []}}\n": ("f.yaml:1:26", "steps must be a list of steps, with one at least"),
    "scenarios: {one: {}}\n": ("f.yaml:1:18", "the scenario one needs `steps`"),
    "scenarios:\n  one: {steps: []}\n  one: {steps: []}\n": ("f.yaml:3:3", "'one' is given twice"),
    "scenarios: &a\n  one: *a\n": ("f.yaml:1:12", "an alias stands inside of what it stands for"),
    "scenarios:\n  one: {<<: {steps: []}}\n": ("f.yaml:2:9", "`<<` is not known here"),
    # a step
    HEAD + "    - {status: PENDING}\n": ("f.yaml:4:8", "unknown field 'status' of a step: did you mean state?"),
    HEAD + "    - {message: hello}\n": ("f.yaml:4:7", "a step needs `state`"),
    HEAD + "    - {state: pending}\n": ("f.yaml:4:15", "state: 'pending' is unknown; there are ACTIVE, DEPLOYING"),
    HEAD + "    - {state: PENDNG}\n": ("f.yaml:4:15", "did you mean PENDING?"),
    HEAD + "    - {state: DEPLOYING}\n": ("f.yaml:4:15", "a scenario begins with PENDING, not with DEPLOYING"),
    FIRST + "    - {state: STOPPED}\n": ("f.yaml:5:15", "an app that should run is never STOPPED"),
    FIRST + "    - {state: ACTIVE, substate: OOM_KILLED}\n": (
        "f.yaml:5:33",
        "OOM_KILLED does not go with ACTIVE, which has RUNNING, SCALED_TO_ZERO",
    ),
    FIRST + "    - {state: ACTIVE, substate: RUNING}\n": ("f.yaml:5:33", "did you mean RUNNING?"),
    FIRST + "    - {state: ACTIVE}\n    - {state: PENDING}\n": (
        "f.yaml:6:15",
        "there is no move from ACTIVE to PENDING",
    ),
    FIRST + "    - {state: FAILED}\n    - {state: DEPLOYING}\n": ("f.yaml:6:15", "no move from FAILED to DEPLOYING"),
    FIRST + "    - {state: FAILED}\n    - {state: ACTIVE}\n": ("f.yaml:6:15", "it takes the substate RUNNING"),
    FIRST + "    - {state: ACTIVE, after: -1s}\n": ("f.yaml:5:30", "after: the duration '-1s' is invalid"),
    FIRST + "    - {state: ACTIVE, after: -1}\n": ("f.yaml:5:30", "after: the duration -1 is negative"),
    FIRST + "    - {state: ACTIVE, after: yes}\n": ("f.yaml:5:30", "a duration is a number of seconds"),
    FIRST + "    - {state: ACTIVE, after: 1s, jitter: 2s}\n": ("f.yaml:5:42", "jitter is more than after"),
    FIRST + "    - {state: ACTIVE, after: 1s, jitter: 1/0}\n": ("f.yaml:5:42", "the duration '1/0' is invalid"),
    FIRST + "    - {state: ACTIVE, replicas: many}\n": ("f.yaml:5:33", "none, start, max or a number, not 'many'"),
    FIRST + "    - {state: ACTIVE, replicas: -1}\n": ("f.yaml:5:33", "replicas must be from 0 to 1,000, not -1"),
    FIRST + "    - {state: ACTIVE, replicas: 1.5}\n": ("f.yaml:5:33", "replicas must be a whole number"),
    FIRST + "    - {state: ACTIVE, replicas: .inf}\n": ("f.yaml:5:33", "replicas must be none, start, max or a number"),
    HEAD + "    - {state: PENDING, replicas: 1}\n": ("f.yaml:4:34", "an app has none while it is PENDING"),
    FIRST + "    - {state: ACTIVE, substate: SCALED_TO_ZERO, replicas: start}\n": ("f.yaml:5:59", "SCALED_TO_ZERO"),
    FIRST + "    - {state: ACTIVE, requires: start}\n": ("f.yaml:5:33", "requires: 'start' is unknown"),
    FIRST + "    - {state: ACTIVE, background: 1}\n": ("f.yaml:5:35", "background must be true or false, not '1'"),
    FIRST + "    - {state: ACTIVE, logs: Killed}\n": ("f.yaml:5:29", "logs must be a list of lines"),
    FIRST + "    - {state: ACTIVE, message: [a]}\n": ("f.yaml:5:32", "message must be a text"),
    FIRST + f"    - {{state: ACTIVE, message: {'x' * 1_001}}}\n": ("f.yaml:5:32", "more than 1,000 characters"),
    # loops and choices
    FIRST + "    - loop: {times: 0, after: 1s, steps: []}\n": (
        "f.yaml:5:21",
        "times must be from 1 to 1,000,000, not 0",
    ),
    FIRST + "    - loop: {after: 1s, steps: []}\n": ("f.yaml:5:13", "has to take time, and to have a step"),
    FIRST + "    - loop: {steps: [{state: PENDING}]}\n": ("f.yaml:5:13", "each round of a loop has to take time"),
    FIRST + "    - loop: {after: 1s, steps: [{state: PENDING, requires: max}]}\n": ("f.yaml:5:13", "has to take time"),
    FIRST + "    - loop: {after: 1s, steps: [{choose: [{steps: []}]}]}\n": ("f.yaml:5:13", "in each branch"),
    FIRST + "    - loop: {after: 2s, longest: 1s, steps: [{state: PENDING}]}\n": ("f.yaml:5:34", "longest is less"),
    FIRST + "    - loop: {after: 1s, steps: [{state: PENDING}, {state: ACTIVE}]}\n": (
        "f.yaml:5:41",
        "there is no move from ACTIVE to PENDING",
    ),
    FIRST + "    - loop: {after: 1s, steps: [{state: PENDING}]}\n    - {state: ACTIVE}\n": (
        "f.yaml:6:7",
        "no app comes here: the loop before has no end",
    ),
    FIRST + "    - loop: {times: 2, steps: [{loop: {after: 1s, steps: [{state: PENDING}]}}]}\n": (
        "f.yaml:5:39",
        "a loop without an end stands inside of another loop",
    ),
    FIRST + "    - choose: []\n": ("f.yaml:5:15", "choose must be a list of branches"),
    FIRST + "    - choose: [{weight: 0, steps: []}]\n": ("f.yaml:5:25", "weight must be a number over 0"),
    FIRST + "    - choose: [{steps: [{state: ACTIVE}]}, {steps: []}]\n    - {state: DEPLOYING}\n": (
        "f.yaml:6:15",
        "there is no move from ACTIVE to DEPLOYING",
    ),
    # a scenario
    FIRST + "    weight: -1\n": ("f.yaml:5:13", "weight must be a number over 0"),
    FIRST + "    weight: .nan\n": ("f.yaml:5:13", "weight must be a number over 0"),
    FIRST + "    when: {}\n": ("f.yaml:5:11", "when is empty"),
    FIRST + "    when: {nmae: a}\n": ("f.yaml:5:12", "unknown field 'nmae' of when: did you mean name or image?"),
    FIRST + "    when: {start: 0}\n": ("f.yaml:5:19", "start must be from 1"),
    FIRST + "    when: {labels: [tier]}\n": ("f.yaml:5:20", "labels must be globs by key"),
    FIRST + "    then: helthy\n": ("f.yaml:5:11", "then: 'helthy' is unknown; did you mean healthy?"),
    FIRST + "    conflicts: 1\n": ("f.yaml:5:16", "only the dialect flyte-oss refuses writes so"),
    FIRST + "    dialect: other\n": ("f.yaml:5:14", "dialect: 'other' is unknown"),
    "scenarios: {healthy: {steps: [{state: PENDING}]}}\n": ("f.yaml:1:13", "healthy is a built-in scenario"),
}


@pytest.mark.parametrize("text", MISTAKES, ids=[message for _, message in MISTAKES.values()])
def test_a_mistake_is_refused_with_its_place(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, line, column, what is wrong, what to do."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.yaml").write_text(text)
    place, message = MISTAKES[text]
    with pytest.raises(ScenarioError) as refused:
        FakeControlPlane(scenarios="f.yaml")
    assert str(refused.value).startswith(place) and message in str(refused.value), refused.value


def test_a_mistake_in_a_mapping_has_a_path() -> None:
    """A mapping has no lines: the path leads there."""
    data = scenarios(one=[PENDING, {"state": "ACTIVE", "aftr": 1}])
    with pytest.raises(ScenarioError, match=r"^scenarios\.one\.steps\[1\]\.aftr: unknown field 'aftr'.*after"):
        FakeControlPlane(scenarios=data)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (3, "scenarios must be a path, a mapping as in a file, or a list"),
        ([3], "3 is neither a path nor a mapping"),
        ("nowhere.yaml", "nowhere.yaml: can't be read: No such file"),
        ({1: 2}, "the key '1' is no text"),
        ({"scenarios": {"one": object()}}, r"scenarios\.one: a object is neither a mapping, a list"),
        ([scenarios(one=[PENDING]), scenarios(one=[PENDING])], "one is defined twice"),
    ],
)
def test_a_source_that_is_none(sources: Any, message: str) -> None:
    """A value that is neither a path nor a mapping is refused, as is a name that is there twice."""
    with pytest.raises(ValueError, match=message):
        FakeControlPlane(scenarios=sources)


def test_texts_that_would_take_forever() -> None:
    """Nesting, aliases of aliases and sizes are bounded."""
    for text, message in (
        ("[" * 100_000, "nested too deeply"),
        ("x" * (MAX_BYTES + 1), "more than 1,048,576 bytes"),
        (_aliases(), "more than 10,000 steps"),
        (json.dumps(scenarios(one=[PENDING, *_nested(6)])), "more than 5 loops and choices inside of each other"),
    ):
        with pytest.raises(ScenarioError, match=message):
            parse_scenarios(from_text(text, "f.yaml"))


def _aliases() -> str:
    """Return a text of five lines whose last one stands for 160,000 steps."""
    lines = ["scenarios:", "  s0: {steps: &a0 [{state: PENDING}]}"]
    for number in range(1, 5):
        branches = ", ".join([f"{{choose: [{{steps: *a{number - 1}}}]}}"] * 20)
        lines.append(f"  s{number}: {{steps: &a{number} [{branches}]}}")
    return "\n".join(lines)


def _nested(depth: int) -> list[Any]:
    return [{"choose": [{"steps": _nested(depth - 1)}]}] if depth else [PENDING]


def test_scalars_are_read_as_their_writer_means_them() -> None:
    """A message is a text also where YAML makes something else of it; a number is seconds."""
    [found] = parse_scenarios(
        from_text(FIRST + "    - {state: ACTIVE, message: 2026-01-01, after: 0.5, jitter: 1/6, logs: [1, on]}\n", "f")
    )
    step = found.steps[1]
    assert isinstance(step, Step)
    assert (step.message, step.delay, step.jitter) == ("2026-01-01", 500_000_000, 83_333_333)
    assert (step.size, step.logs) == (Size.START, ("1", "on"))


def test_yaml_json_and_a_mapping_are_the_same() -> None:
    """One format, whichever way it comes."""
    data = scenarios(one=[PENDING, ACTIVE, {"loop": {"after": "10s", "longest": "5m", "steps": [FAILED, ACTIVE]}}])
    parsed = [parse_scenarios(each)[0].steps for each in (from_data(data), from_text(json.dumps(data), "f.json"))]
    assert parsed[0] == parsed[1]
    assert isinstance(parsed[0][2], Loop) and parsed[0][2].times is None


def test_builtin_jitters_are_a_sixth() -> None:
    """Each built-in step but the first has a sixth of its delay as jitter; the failures of restarts have none."""
    for scenario in builtin_scenarios().values():
        for step in each_step(scenario.steps):
            assert step.jitter in (step.delay // 6, 0)
            assert step.jitter or step.status == STATES["PENDING"] or not step.delay
    assert len(builtin_scenarios()) == 14 and [*builtin_scenarios("flyte-oss")][-1] == "write-conflict"
    assert len(SUBSTATES) == 12
