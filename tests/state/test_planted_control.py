"""The tests of the control API's part of the state can fail: each planted bug is found by the test it is named for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from planted import Case, Planted

from flyteapps_control.face import Control
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.state import resets
from flyteapps_fake.control.state.service import StateService
from flyteapps_fake.control.state.transfers import Exports, Loads
from flyteapps_fake.core.state.keeping import Keeping
from flyteapps_fake.core.time.timeline import Timeline
from flyteapps_fake.seeding import creation, files

from . import test_app_files, test_control_of_state


def on_plane(test: Callable[[FakeControlPlane, Control], object]) -> Case:
    """Return the test with a plane of its own, which is driven in process."""

    def run() -> None:
        with FakeControlPlane(call_log=1_000, clock="manual") as plane:
            test(plane, plane.control)

    return run


def in_folder(test: Callable[[FakeControlPlane, Control, Path], object]) -> Case:
    """Return the test with a plane and a folder of its own."""

    def run() -> None:
        with FakeControlPlane(clock="manual") as plane, tempfile.TemporaryDirectory() as folder:
            test(plane, plane.control, Path(folder))

    return run


def large_state() -> None:
    """Run the test of a document in parts."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        test_control_of_state.test_a_large_state_goes_in_parts(Path(folder), patch)


def demo() -> None:
    """Run the test of the apps of a file."""
    test_app_files.test_apps_are_there_at_once("standard", "manual")


def present() -> None:
    """Run the test of an app that stays, and that of a mistake that the plane finds."""
    test_app_files.test_a_mistake_has_its_place(
        "apps:\n- {name: hello, image: i, scenario: crash-loop, status: ACTIVE}", "f.yaml:2:57: the app"
    )


def emptied() -> None:
    """Reset a project, and look for its app."""
    with FakeControlPlane(clock="manual") as plane:
        test_control_of_state.create(plane, "hello")
        plane.reset(project="demo")
        assert plane.count() == 0


def of_another() -> None:
    """Run the test of a state that is another dialect's."""
    with tempfile.TemporaryDirectory() as folder:
        test_control_of_state.test_a_state_that_cannot_be_taken_changes_nothing(
            '"standard"', '"flyte-oss"', "the state is that of a plane of", Path(folder)
        )


project = on_plane(test_control_of_state.test_a_project_is_as_if_it_had_never_been_there)
yaml = in_folder(
    lambda plane, control, folder: test_control_of_state.test_apps_in_yaml_are_loaded_too(control, plane, folder)
)
PLANTED = (
    Planted(resets, "reset_project", "plane.remove_faults(rules)", "pass", project),
    Planted(resets, "reset_project", "plane.clear_loads(load.app)", "pass", project),
    Planted(resets, "reset_project", "if load.app.project == project", "if True", project),
    Planted(
        resets, "reset_project", "for each in book.uses() if each.app.project == project", "for each in ()", project
    ),
    Planted(resets, "reset_project", "plane.reset_state(project)", "pass", emptied),
    Planted(Keeping, "end_streams", 'stream.app.project in ("", project)', "True", project),
    Planted(
        StateService,
        "reset",
        "AppGlobs(app).is_all",
        "True",
        on_plane(lambda plane, control: test_control_of_state.test_a_reset_with_a_seed(control, plane)),
    ),
    Planted(
        StateService,
        "drop",
        "sorted(names, key=present.__contains__)",
        "names",
        on_plane(test_control_of_state.test_snapshots_are_listed_and_dropped),
    ),
    Planted(Exports, "part", "offset : offset + PART_BYTES", ": PART_BYTES", large_state),
    Planted(
        Loads, "add", "if offset != len(content)", "if False", test_control_of_state.test_parts_out_of_order_are_refused
    ),
    Planted(files, "load_file", "plane.load_document(", "(lambda *_, **__: 0)(", of_another),
    Planted(creation._Creation, "_reach", "statuses[each.name] != each.status", "True", demo),  # pyright: ignore[reportPrivateUsage]  # to break it
    Planted(creation._Creation, "run", "dialect.remove_app(name)", "pass", present),  # pyright: ignore[reportPrivateUsage]
    Planted(creation._Creation, "_check", "each.name in present", "False", yaml),  # pyright: ignore[reportPrivateUsage]
    Planted(Timeline, "take_step", "self._dispatch(timer)", "pass", demo),
)


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_planted_bug_is_found(planted: Planted) -> None:
    """Without the bug the test passes; with it, it fails."""
    planted.case()
    with planted.plant(), pytest.raises((Exception, pytest.fail.Exception)):
        planted.case()
