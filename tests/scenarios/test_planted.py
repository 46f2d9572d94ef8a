"""The tests of scenarios can fail: each planted bug is found by the test that it is named for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from planted import Case, Planted

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.console import pages
from flyteapps_fake.flyte_oss.simulation.operator import Operator
from flyteapps_fake.simulation import choice
from flyteapps_fake.simulation.book import ScenarioBook
from flyteapps_fake.simulation.choice import ScenarioChoice
from flyteapps_fake.simulation.files.parsing import _StepReader  # pyright: ignore[reportPrivateUsage]  # a bug is planted there
from flyteapps_fake.simulation.files.responses import ResponseReader
from flyteapps_fake.simulation.files.watching import FileWatch
from flyteapps_fake.simulation.progress import Progress
from flyteapps_fake.simulation.scenarios import Loop
from flyteapps_fake.simulation.step_logs import StepLogs
from flyteapps_fake.standard.simulation.reactor import Reactor

from . import test_api, test_choice, test_files, test_format, test_logs, test_progress, test_responses
from .driving import ending, scenarios


def driven(test: Callable[..., object]) -> Case:
    """Return a test of the control API with a plane of its own."""

    def run() -> None:
        data = scenarios(given=ending("given"), other=ending("other", when={"name": "other-*"}))
        with FakeControlPlane(scenarios=data, clock="manual") as plane:
            test(plane, plane.control)

    return run


def with_file(test: Callable[..., object]) -> Case:
    """Return a test of files with a file of its own."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            served = test_files.Served(Path(folder) / "scenarios.yaml")
            try:
                test(served)
            finally:
                served.plane.close()

    return run


def refusing(text: str) -> Case:
    """Return the test that a text is refused."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            test_format.test_a_mistake_is_refused_with_its_place(text, Path(folder), patch)

    return run


def selected() -> None:
    """Run the test of a selection by name."""
    test_choice.test_when_selects_apps({"name": "he*"}, True, False)


bounded = test_progress.test_a_step_that_the_bounds_exclude_is_left_out
loops = test_progress.test_the_wait_of_a_loop_doubles_up_to_the_longest

PLANTED = [
    # weights
    Planted(choice, "drawn_index", "at -= weight", "at -= sum(weights) / 2", test_choice.test_weights_are_shares),
    Planted(ScenarioChoice, "_unnamed", "each.weight for", "1 for", test_choice.test_weights_are_shares),
    # loops and steps
    Planted(Loop, "wait", "self.first << doublings", "self.first", loops),
    Planted(Loop, "wait", "number - 1", "number", loops),
    Planted(Progress, "_leave", "inner.round < block.times", "inner.round <= block.times", loops),
    Planted(
        Progress,
        "next_step",
        "allow(block.trip)",
        "True",
        bounded,
    ),
    Planted(Progress, "next_step", "self.draws += 1", "self.draws += 2", test_progress.test_progress_is_plain_data),
    # the choice of a scenario
    Planted(
        ScenarioChoice, "start", "last.base == base", "True", test_choice.test_then_is_the_scenario_of_the_next_start
    ),
    Planted(
        ScenarioChoice, "start", "before.after if", '"" if', test_choice.test_then_is_the_scenario_of_the_next_start
    ),
    Planted(ScenarioChoice, "start", "last.number + 1", "last.number", test_choice.test_the_nth_start_of_an_app),
    Planted(Reactor, "on_event", "self._choice.forget(old.key)", "pass", test_choice.test_the_nth_start_of_an_app),
    Planted(choice, "_matches", "all(", "any(", selected),
    # uses
    Planted(ScenarioBook, "apply", "use.applied += 1", "use.applied += 2", driven(test_api.test_a_use_counts_starts)),
    Planted(ScenarioBook, "used", "each.left and ", "", driven(test_api.test_a_use_counts_starts)),
    Planted(ScenarioBook, "used", "if each.times:", "if False:", driven(test_api.test_the_order_of_uses)),
    Planted(
        ScenarioBook,
        "clear",
        "self._added, self._sizes, self._uses = {}, {}, {}",
        "self._added, self._sizes = {}, {}",
        driven(test_api.test_all_that_was_added_is_removed),
    ),
    Planted(ScenarioBook, "remove", "or each.scenario in names", "", driven(test_api.test_what_is_removed)),
    # files
    Planted(
        FileWatch,
        "_read",
        "scenarios = read(path)",
        "self._held().__enter__()._named = {}; scenarios = read(path)",
        with_file(test_files.test_an_invalid_version_changes_nothing_and_is_reported_once),
    ),
    Planted(
        FileWatch,
        "look",
        "self._known[path] = found",
        "pass",
        with_file(test_files.test_an_invalid_version_changes_nothing_and_is_reported_once),
    ),
    Planted(
        ScenarioBook,
        "replace",
        "self._check_following({**named, **self._added})",
        "pass",
        with_file(test_files.test_a_version_that_would_break_others_is_refused),
    ),
    # the format
    Planted(
        _StepReader,
        "_loop",
        "rounds(before | after)",
        "rounds(before)",
        refusing(next(text for text in test_format.MISTAKES if "PENDING}, {state: ACTIVE}]}" in text)),
    ),
    # responses
    Planted(
        ResponseReader,
        "_response",
        "self._left -= response.size",
        "pass",
        test_responses.test_what_is_too_much_is_refused,
    ),
    Planted(
        test_responses,
        "find_response",
        'if method == "HEAD"',
        "if False",
        lambda: test_responses.test_the_first_that_matches_counts("HEAD", "/healthz", "health"),
    ),
    Planted(
        pages,
        "app_page",
        "if traits.serves",
        "if True",
        lambda: test_responses.test_an_app_answers_what_its_scenario_declares("standard"),
    ),
    # logs
    Planted(StepLogs, "add", "popleft()", "pop()", test_logs.test_the_lines_that_are_kept_are_bounded),
    Planted(
        Reactor,
        "_take_step",
        "log.condition = record.counter",
        "pass",
        test_logs.test_own_last_lines_replace_the_usual_ones,
    ),
    Planted(
        Operator,
        "_report",
        "if early or ",
        "if ",
        lambda: test_logs.test_lines_come_at_the_time_of_their_step("flyte-oss"),
    ),
]


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_planted_bug_is_found(planted: Planted) -> None:
    """Without the bug the test passes; with it, it fails."""
    planted.case()
    with planted.plant(), pytest.raises((Exception, pytest.fail.Exception)):
        planted.case()
