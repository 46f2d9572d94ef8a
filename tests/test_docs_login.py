"""The examples of docs/login.md run."""

from __future__ import annotations

import re
from typing import Any

from import_graph import ROOT

PAGE = (ROOT / "docs" / "login.md").read_text(encoding="utf-8")


def test_the_examples_run() -> None:
    """Each block runs after the ones before it, and calls no plane."""
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/login.md", "exec"), names)
