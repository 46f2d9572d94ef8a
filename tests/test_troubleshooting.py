"""docs/troubleshooting.md lists messages that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from import_graph import PACKAGES, ROOT, modules_of

PAGE = ROOT / "docs" / "troubleshooting.md"
JOINT = re.compile(r'"\s*\n?\s*f?"')
"""Between two parts of one text in the source."""


def messages() -> Iterator[str]:
    """Yield the quoted messages of the first column that have several words, without codes and commands."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and "---" not in line:
            for text in re.findall(r"`([^`]+)`", line.split(" | ")[0]):
                if " " in text and not text.startswith(("pip ", "--")):
                    yield text


@pytest.fixture(scope="module")
def source() -> str:
    """Return the text of the packages, with texts of several lines in one."""
    paths = [path for package in PACKAGES for path in modules_of(package).values()]
    return JOINT.sub("", "\n".join(path.read_text(encoding="utf-8") for path in paths))


@pytest.mark.parametrize("message", list(messages()))
def test_a_message_is_one_of_ours(message: str, source: str) -> None:
    """Each part of a message, between the words in capitals that stand for what differs, is in the source."""
    for part in re.split(r"\b[A-Z]{4,}\b", message):
        assert part.strip() in source
