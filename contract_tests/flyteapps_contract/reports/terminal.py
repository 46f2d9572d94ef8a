"""A run on a terminal: progress while it goes, then a table guarantee by guarantee, then one line to remember."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from flyteapps_contract.outcomes import Outcome, Verdict
from flyteapps_contract.reports.summary import Summary

STYLES = {
    Verdict.HOLDS: "green",
    Verdict.BROKEN: "bold red",
    Verdict.FOLLOWS: "red",
    Verdict.UNJUDGED: "yellow",
    Verdict.HARDLY: "yellow",
    Verdict.NOT_OFFERED: "dim",
    Verdict.DEVIATES: "cyan",
}


class Live:
    """The bar that a run moves."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total)

    def begin(self, check: str) -> None:
        """Report which check runs now."""
        self._progress.update(self._task, description=check)

    def done(self) -> None:
        """Count a check."""
        self._progress.advance(self._task)

    def say(self, outcome: Outcome) -> None:
        """Return what is broken is said at once."""
        if outcome.verdict is Verdict.BROKEN:
            self._progress.console.print(Text(f"broken  {outcome.check}", style=STYLES[Verdict.BROKEN]))


@contextmanager
def live(console: Console, total: int) -> Generator[Live]:
    """Return a bar with the time left, gone at the end; on anything but a terminal nothing is drawn."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Live(progress, total)


def show(console: Console, summary: Summary) -> None:
    """Print the table and the closing line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "verdict", "checks hold", "guarantee"):
        table.add_column(heading, overflow="fold")
    for line in summary.lines:
        text = Text(line.guarantee.text)
        for reason in line.reasons():
            text.append(f"\n{reason}", style=STYLES[line.verdict])
        table.add_row(line.guarantee.id, Text(line.verdict.value, style=STYLES[line.verdict]), line.share(), text)
    console.print(table)
    counts = summary.counts()
    said = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    for script in dict.fromkeys(each.script for line in summary.lines for each in line.outcomes if each.script):
        console.print(Text(f"\n{script}", style="dim"))
    for number, finding in enumerate(found := summary.findings(), 1):
        following = f"; from it follow {', '.join(finding.following)}" if finding.following else ""
        console.print(Text(f"finding {number} of {len(found)}: {finding.guarantee} is broken{following}"))
    tried = f", profile {summary.profile}, seed {summary.seed}" if summary.profile else ""
    console.print(
        Text(f"\n{summary.target}, dialect {summary.dialect}{tried}: {said or 'nothing ran'} ({summary.seconds:.1f} s)")
    )
    if summary.trouble:
        console.print(Text(summary.trouble, style=STYLES[Verdict.BROKEN]))
