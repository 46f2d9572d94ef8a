"""Writing of the generated pages of docs/, or with `--check` their comparison with what is there."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs"


def between_marks(name: str, mark: str, text: str) -> str:
    """Return the page of docs/ with this name, with `text` between its comments `MARK: begin` and `MARK: end`."""
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    before, _, rest = (PAGES / name).read_text(encoding="utf-8").partition(begin)
    return f"{before}{begin}{text}{end}{rest.partition(end)[2]}"


def write_or_check(name: str, text: str) -> int:
    """Write the page of docs/ with this name; with `--check` return 1 unless the page is there with the same text."""
    target = PAGES / name
    if "--check" not in sys.argv:
        target.write_text(text)
        return 0
    there = target.read_text() if target.exists() else ""
    if there == text:
        return 0
    lines = difflib.unified_diff(there.splitlines(), text.splitlines(), target.name, "as it is made now", "", "", 0, "")
    print(*lines, sep="\n", file=sys.stderr)
    print(f"{target.name} is not current: run `make docs`, and read the difference", file=sys.stderr)
    return 1
