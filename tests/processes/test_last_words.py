"""The line of a log that is shown as the reason of an end."""

from __future__ import annotations

import pytest

from flyteapps_fake.processes.last_words import last_words

FRAMES = ["Traceback (most recent call last):", '  File "a.py", line 1, in <module>', "    run()"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], ""),
        (["", "  "], ""),
        (["one", "two  ", ""], "two"),
        ([*FRAMES, "ValueError: bad"], "ValueError: bad"),
        (
            ["start", *FRAMES, "ValueError: bad", "", "ERROR:    Startup failed. Exiting."],
            "ValueError: bad",
        ),
        ([*FRAMES, "KeyError: 1", "", "During handling of it:", "", *FRAMES, "OSError: 2", "bye"], "OSError: 2"),
        (["Filtered traceback (most recent call last):", *FRAMES[1:], "x.Error: several", "lines"], "x.Error: several"),
        (["ERROR:    Traceback (most recent call last):", *FRAMES[1:], "RuntimeError: no", "end"], "RuntimeError: no"),
        (["  Traceback (most recent call last):", "    File x", "  KeyError: 'a'", "end"], "KeyError: 'a'"),
        ([*FRAMES], "run()"),
        (["traceback (most recent call last): none", "the end"], "the end"),
    ],
)
def test_last_words(lines: list[str], words: str) -> None:
    """The last line of the last traceback, else the last line."""
    assert last_words(lines) == words
