"""The unmodified SDK with a plane in the test's own process, as in a user's test."""

from __future__ import annotations

from pathlib import Path

from .field import User


def test_the_sdk_and_the_stub_share_a_plane(tmp_path: Path) -> None:
    """The SDK finds the stub's apps by either address; a deploy that fails ends without LeakedStreams."""
    user = User(tmp_path, "localhost:1")
    user.bring("common")
    assert "done" in user.python("fixture_flow")
