"""What the scripts that generate pages share: a page is written, or with `--check` compared with what is there."""

from __future__ import annotations

import sys
from pathlib import Path


def write_or_check(target: Path, text: str) -> int:
    """The exit status: 1 where `--check` finds another text than that, or none."""
    if "--check" not in sys.argv:
        target.write_text(text)
        return 0
    if target.exists() and target.read_text() == text:
        return 0
    print(f"{target.name} is not current: run `make docs`, and read the difference", file=sys.stderr)
    return 1
