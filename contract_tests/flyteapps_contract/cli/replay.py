"""`flyteapps verify --save DIR` and `--replay FILE`: failing sequences as files, and one of them run again."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from flyteapps_contract.explorations.sequences import replay
from flyteapps_contract.outcomes import CannotJudge, Outcome, Verdict
from flyteapps_contract.reports.summary import Summary
from flyteapps_contract.reports.terminal import STYLES
from flyteapps_contract.sequences.saved import TABLES, SavedSequence, from_json
from flyteapps_contract.session import Run
from flyteapps_contract.targets.target import Target

EXIT_CODES = {Verdict.HOLDS: 0, Verdict.BROKEN: 1}


def load(path: Path) -> SavedSequence:
    """Return the sequence in the file. Raises CannotJudge for a file that can't be read, or is no saved sequence."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotJudge(f"the sequence {path} can't be read: {error}") from error
    return from_json(text, str(path))


def run_again(target: Target, run: Run, saved: SavedSequence, console: Console) -> int:
    """Run the sequence on a plane of the target, print its outcome, and return the exit status: 0, 1 or 2."""
    if saved.dialect != target.dialect:
        text = f"the sequence is of the dialect {saved.dialect}, and the target is judged by {target.dialect}"
        raise CannotJudge(f"--replay: {text}: give --dialect {saved.dialect}")
    for need in TABLES[saved.dialect].needs_of(saved.commands):
        if reason := target.capabilities.missing(need):
            raise CannotJudge(f"--replay: the sequence can't run on {target.name}: {reason}")
    outcome = replay(target, run, saved)
    _show(target, saved, outcome, console)
    if run.left:
        left = ", ".join(sorted(run.left))
        text = f"left behind: {left}; remove it by: flyteapps verify ... --clean {run.prefix}"
        console.print(Text(text, style=STYLES[Verdict.BROKEN]))
        return EXIT_CODES[Verdict.BROKEN] if outcome.verdict is Verdict.BROKEN else 2
    return EXIT_CODES.get(outcome.verdict, 2)


def save_all(directory: Path, summary: Summary, console: Console) -> None:
    """Write each failing sequence of a run to the directory, and print where. Raises OSError."""
    found = {each.saved: each for line in summary.lines for each in line.outcomes if each.saved}
    if found:
        directory.mkdir(parents=True, exist_ok=True)
    for text, outcome in found.items():
        path = directory / f"{summary.prefix}-{outcome.guarantees[0]}.json"
        path.write_text(text, encoding="utf-8")
        console.print(Text(f"saved {path}; run it again by: flyteapps verify ... --replay {path}"), soft_wrap=True)


def _show(target: Target, saved: SavedSequence, outcome: Outcome, console: Console) -> None:
    style = STYLES[outcome.verdict]
    if outcome.reason:
        console.print(Text(outcome.reason, style=style))
    if outcome.script:
        console.print(Text(f"\n{outcome.script}", style="dim"), soft_wrap=True)
    broken = f" {', '.join(outcome.guarantees)}" if outcome.verdict is Verdict.BROKEN else ""
    was = f", saved as breaking {', '.join(saved.guarantees)}" if saved.guarantees else ""
    text = f"{target.name}: a sequence of {len(saved.commands)} commands{was}: {outcome.verdict.value}{broken}"
    console.print(Text(f"\n{text} ({outcome.seconds:.1f} s)", style=style), soft_wrap=True)
