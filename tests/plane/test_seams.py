"""The seam between dialects: a reader of the standard one meets no word of another."""

from __future__ import annotations

import re
from pathlib import Path

import flyteapps_fake

ROOT = Path(flyteapps_fake.__file__).parent
OTHER = re.compile(r"flyte.?oss|open.source|knative|\bkservice", re.IGNORECASE)
KNOWS = {"dialects.py", "settings.py"}
"""The files where all dialects are named: their table, and the settings; the help texts of the command do it, too."""


def test_the_standard_dialect_knows_no_other() -> None:
    """Outside of its own folder, the table of dialects, the settings and the command, no file names the other dialect.

    Processes do as Knative does, which they name.
    """
    files = [path for path in ROOT.rglob("*.py") if not {"flyte_oss", "cli", "processes"} & set(path.parts)]
    assert len(files) > 80
    found = {
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if OTHER.search(line) and path.name not in KNOWS
    }
    assert not found
