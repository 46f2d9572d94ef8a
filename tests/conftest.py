"""The marker `matrix`: which of the marked tests run."""

from __future__ import annotations

import os

import pytest

from matrix import VARIABLE, Share, is_named


def _share() -> Share:
    try:
        return Share.parse(os.environ.get(VARIABLE, ""))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_header() -> str:
    """Report which part of the matrix runs."""
    return f"matrix: {_share()}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the marked tests outside of the selected share, except for those named on the command line."""
    share = _share()
    left_out = [
        each
        for each in items
        if each.get_closest_marker("matrix") and each.nodeid not in share and not is_named(each.nodeid, config.args)
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        unwanted = set(left_out)
        items[:] = [each for each in items if each not in unwanted]
