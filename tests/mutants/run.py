"""`python -m mutants.run`: every planted bug against the suite's profile `standard`, with several seeds; and no bug.

Appends one line a run to a file, and skips runs that the file has already: it may be stopped and begun again, and run
in shards. `--write` makes scripts/docs/mutants.json of such files, from which docs/mutants.md is generated. `--only ID`
judges one planted bug, by its name or the guarantee that it breaks, and adds its record to mutants.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from contract import standins
from flyteapps_contract import streams
from flyteapps_contract.checks.support.registry import all_checks
from flyteapps_contract.clients.judging import client_outcomes_of
from flyteapps_contract.explorations.registry import EXPLORATIONS
from flyteapps_contract.explorations.search import explore
from flyteapps_contract.outcomes import Verdict
from flyteapps_contract.profiles import PROFILES
from flyteapps_contract.runner import judge
from flyteapps_contract.verification import fresh_run

from . import clients, detection
from .catalogue import MUTANTS

SEEDS = (1, 2, 3)
CLEAN_SEEDS = range(20)
SEQUENCES = 1_000
"""Sequences that are tried for a short one, where a directed check has found the bug already."""
HANGS = 2.0
"""Seconds for each check of a wrong client: some of them hang."""
RESULTS = Path(".mutants")
REPORT = Path(__file__).parents[2] / "scripts" / "docs" / "mutants.json"
UNPLANTED = "nothing"

Run = tuple[str, str, int]
"""The name of the planted bug, the guarantee that it breaks, and the seed."""


def runs() -> list[Run]:
    """Return every run."""
    planted = [(make.__name__, guarantee, seed) for guarantee, make in MUTANTS for seed in SEEDS]
    wrong = [(kind.__name__, guarantee, SEEDS[0]) for guarantee, kind in clients.MUTANTS]  # nothing is drawn for them
    return [*planted, *wrong, *((UNPLANTED, "", seed) for seed in CLEAN_SEEDS)]


def carry_out(run: Run, *, shortest: bool = True) -> dict[str, Any]:
    """Return the record of one run: `by` which check or search the bug was found, None where it was not.

    `calls`: with `shortest`, the number of calls in the shortest sequence that shows it.
    """
    name, guarantee, seed = run
    started = time.monotonic()
    row: dict[str, Any] = {"planted": name, "guarantee": guarantee, "seed": seed}
    if name == UNPLANTED:
        row |= _clean(seed)
    elif guarantee.startswith("CL-"):
        row |= _client(name, guarantee)
    else:
        row |= _planted(name, seed, shortest=shortest)
    return row | {"seconds": round(time.monotonic() - started, 1)}


def _planted(name: str, seed: int, *, shortest: bool) -> dict[str, Any]:
    guarantee, mutant = next(row for row in MUTANTS if row[1].__name__ == name)
    standard = PROFILES["standard"].budgets
    found = detection.directed(guarantee, mutant) or detection.drawn(guarantee, mutant, standard, seed)
    calls = None
    if shortest and detection.in_sequences(guarantee):
        calls = detection.shortest(guarantee, mutant, SEQUENCES, seed)
    return {"by": found.check if found else None, "calls": calls}


def _client(name: str, guarantee: str) -> dict[str, Any]:
    kind = next(kind for each, kind in clients.MUTANTS if (each, kind.__name__) == (guarantee, name))
    broken = [each for each in client_outcomes_of(kind, guarantee, HANGS) if each.verdict is Verdict.BROKEN]
    return {"by": broken[0].check if broken else None, "calls": None}


def _clean(seed: int) -> dict[str, Any]:
    target = standins.direct()
    tried: list[str] = []
    for name, budget in PROFILES["standard"].budgets.items():
        with detection.eager_threads():
            outcomes = list(explore(EXPLORATIONS[name], target, fresh_run(target), budget, seed))
        for outcome in outcomes:
            if outcome.verdict is not Verdict.HOLDS:
                return {"by": f"{name}: {outcome.verdict}: {outcome.reason}", "tried": tried}
            tried.append(outcome.tried)
    if seed == 0:
        for check in all_checks():
            outcome = judge(standins.in_process(), check, fresh_run(target))
            if outcome.verdict in (Verdict.BROKEN, Verdict.UNJUDGED):
                return {"by": f"{check.name}: {outcome.reason}", "tried": tried}
    return {"by": None, "tried": tried}


def went_wrong(row: dict[str, Any]) -> bool:
    """Return whether a bug was not found, or something was found where none is."""
    return (row["by"] is None) != (row["planted"] == UNPLANTED)


def _done(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def key_of(row: dict[str, Any]) -> Run:
    """Return the run of a record."""
    return row["planted"], row["guarantee"], row["seed"]


def _rotating(count: int) -> list[Run]:
    """Return so many runs of planted bugs, others at each commit."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, check=False).stdout
    rows = [run for run in runs() if run[0] != UNPLANTED and run[2] == SEEDS[0]]
    start = int.from_bytes(hashlib.sha256(commit).digest()[:4])
    return [rows[(start + at * (len(rows) // count)) % len(rows)] for at in range(count)]


def main() -> int:
    """Carry out the runs; return 1 where a bug was not found, or something was found where none is."""
    parser = argparse.ArgumentParser(prog="mutants.run", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shard", default="1/1", metavar="K/N", help="the Kth of N parts")
    parser.add_argument("--rotating", type=int, metavar="COUNT", help="only so many mutants, others at each commit")
    parser.add_argument("--only", metavar="ID", help="only that planted bug, or those of that guarantee")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT} from what was carried out")
    asked = parser.parse_args()
    if asked.write:
        return _write()
    streams.PATIENCE = 2.0
    if asked.only:
        return _judge_only(asked.only)
    number, of = map(int, asked.shard.split("/"))
    wanted = _rotating(asked.rotating) if asked.rotating else runs()[number - 1 :: of]
    keeping = not asked.rotating
    RESULTS.mkdir(exist_ok=True)
    known = {key_of(row) for path in RESULTS.glob("*.jsonl") for row in _done(path)} if keeping else set[Run]()
    missed = 0
    with (RESULTS / f"{number}-of-{of}.jsonl").open("a", encoding="utf-8") if keeping else nullcontext() as file:
        for run in wanted:
            if run in known:
                continue
            row = _carried_out(run, shortest=keeping)
            missed += went_wrong(row)
            if file is not None:
                print(json.dumps(row), file=file, flush=True)
    return 1 if missed else 0


def _judge_only(wanted: str) -> int:
    """Judge the planted bugs of that name or guarantee, and put their records into the report."""
    chosen = [run for run in runs() if wanted in run[:2]]
    if not chosen:
        print(f"--only {wanted}: no planted bug, and no guarantee with one, has this id", file=sys.stderr)
        return 2
    rows = [_carried_out(run, shortest=True) for run in chosen]
    recorded = json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else []
    by_run = {key_of(row): row for row in (*recorded, *rows)}
    _record([by_run[run] for run in runs() if run in by_run])
    return 1 if any(map(went_wrong, rows)) else 0


def _carried_out(run: Run, *, shortest: bool) -> dict[str, Any]:
    row = carry_out(run, shortest=shortest)
    print("MISSED" if went_wrong(row) else "ok", json.dumps(row), flush=True)
    return row


def _record(rows: list[dict[str, Any]]) -> None:
    REPORT.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")


def _write() -> int:
    rows = {key_of(row): row for path in sorted(RESULTS.glob("*.jsonl")) for row in _done(path)}
    found = [rows[run] for run in runs() if run in rows]
    _record(found)
    missing = [run for run in runs() if run not in rows]
    failed = [row for row in rows.values() if went_wrong(row)]
    print(f"{len(found)} runs; {len(missing)} not carried out yet; {len(failed)} went wrong")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
