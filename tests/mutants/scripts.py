"""`python -m mutants.scripts`: the scripts that the suite prints, run by another interpreter, on planes behind a port.

A script has to end with status 1 on the plane with the planted bug, and with 0 on the one without.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from contract import standins
from flyteapps_contract.explorations.search import SearchOptions
from flyteapps_contract.explorations.sequences import search
from flyteapps_contract.verification import fresh_run

from . import apps, data_plane, lists, watches
from .planting import Mutant

TEN: tuple[tuple[str, Mutant], ...] = (
    ("CR-1", apps.revisions_start_at_2),
    ("CR-2", apps.create_upserts),
    ("CR-3", apps.links_are_lost),
    ("DE-1", apps.deleting_nothing_is_fine),
    ("UP-3", apps.the_revision_is_not_looked_at),
    ("UP-4", apps.labels_alone_are_no_change),
    ("LI-3", lists.no_direction_means_ascending),
    ("WA-6", watches.old_app_is_the_new_one),
    ("WA-4", watches.the_snapshot_comes_again_as_an_event),
    ("US-1", data_plane.a_report_on_an_old_revision_is_taken),
)
"""Bugs that a sequence shows without moving a clock, which a script can't."""
SECONDS = 60.0


def statuses(guarantee: str, mutant: Mutant, where: Path) -> tuple[int, int, int, str]:
    """Return the script's exit status on the plane with the bug and on the one without, its calls, and its output."""
    target = standins.direct()
    with mutant():
        options = SearchOptions(count=3_000, seed=1, judged=frozenset({guarantee}))
        found = search(target, fresh_run(target), options)
        path = where / f"{mutant.__name__}.py"
        path.write_text(found.script, encoding="utf-8")
        wrong, said = run(path)
    right, _ = run(path)
    return wrong, right, found.calls, said


def run(path: Path) -> tuple[int, str]:
    """Return the exit status of a script on a plane behind a port, and its output."""
    with standins.fresh() as plane:
        url = plane.serve().url
        done = subprocess.run(
            [sys.executable, str(path), url], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    """Run ten of them."""
    bad = 0
    with tempfile.TemporaryDirectory() as where:
        for guarantee, mutant in TEN:
            wrong, right, calls, said = statuses(guarantee, mutant, Path(where))
            good = (wrong, right) == (1, 0)
            bad += not good
            result = "ok" if good else f"{said}\n{(Path(where) / f'{mutant.__name__}.py').read_text()}"
            print(
                f"{guarantee} {mutant.__name__}: {calls} calls; with it {wrong}, without {right}: {result}", flush=True
            )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
