"""The markers `matrix` and `slow`: which of the marked tests run. Examples of Hypothesis have no deadline."""

from __future__ import annotations

import os

import hypothesis
import pytest

from matrix import VARIABLE, Share, is_named

hypothesis.settings.register_profile("tests", deadline=None)  # an example may take any time on a busy machine
hypothesis.settings.load_profile("tests")


def _share() -> Share:
    try:
        return Share.parse(os.environ.get(VARIABLE, ""))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return three workers a core for `-n auto`: the tests wait for servers and streams longer than they compute."""
    return 3 * (os.cpu_count() or 1)


def pytest_report_header() -> str:
    """Report which part of the matrix runs."""
    return f"matrix: {_share()}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the marked tests outside of the selected share, except for those named on the command line.

    Tests in a browser are selected by `-m browser` or by name alone.
    """
    share = _share()
    browser = "browser" in config.option.markexpr

    def is_selected(item: pytest.Item) -> bool:
        if item.get_closest_marker("browser"):
            return browser
        if item.get_closest_marker("matrix"):
            return item.nodeid in share
        return bool(share) or not item.get_closest_marker("slow")

    left_out = [each for each in items if not is_selected(each) and not is_named(each.nodeid, config.args)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        unwanted = set(left_out)
        items[:] = [each for each in items if each not in unwanted]
