"""A run on a terminal: progress while it goes, then the guarantees by verdict, then one line to remember."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from flyteapps_contract.outcomes import Outcome, Verdict
from flyteapps_contract.reports.summary import Line, Summary

STYLES = {
    Verdict.HOLDS: "green",
    Verdict.BROKEN: "bold red",
    Verdict.FOLLOWS: "red",
    Verdict.UNJUDGED: "yellow",
    Verdict.HARDLY: "yellow",
    Verdict.NOT_OFFERED: "dim",
    Verdict.DEVIATES: "cyan",
}

INDENT = 9
"""Columns of the ids: the longest is WA-10, or OSS-10."""
NARROWEST = 40
"""Columns under which no line is wrapped further."""


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
        """Print what is broken at once."""
        if outcome.verdict is Verdict.BROKEN:
            self._progress.console.print(Text(f"broken  {outcome.check}", style=STYLES[Verdict.BROKEN]))


@contextmanager
def live(console: Console, total: int) -> Generator[Live]:
    """Return a bar with the time left, gone at the end; on anything but a terminal nothing is drawn."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Live(progress, total)


def show(console: Console, summary: Summary, *, details: bool = False) -> None:
    """Print the guarantees by verdict, what is broken last, and the closing line.

    What is not judged or not offered is summed up by its reasons, and one script is printed, unless `details`.
    """
    lines = {verdict: [each for each in summary.lines if each.verdict is verdict] for verdict in Verdict}
    page = _Page(console)
    for verdict in (Verdict.HOLDS, Verdict.DEVIATES, Verdict.HARDLY):
        page.listed(verdict, lines[verdict], details=details or verdict is Verdict.DEVIATES)
    for verdict in (Verdict.NOT_OFFERED, Verdict.UNJUDGED, Verdict.FOLLOWS):
        if details:
            page.listed(verdict, lines[verdict], details=True)
        else:
            page.summed_up(verdict, lines[verdict], summary.prefix)
    scripts = list(dict.fromkeys(each.script for line in summary.lines for each in line.outcomes if each.script))
    for script in scripts if details else scripts[:1]:
        console.print(Text(f"\n{script}", style="dim"), soft_wrap=True)
    if len(scripts) > 1 and not details:
        page.text(f"\nscripts of other breaks: {len(scripts) - 1}; -v prints them, --html and --json have them", "dim")
    found = summary.findings()
    order = [finding.guarantee for finding in found]
    broken = sorted(lines[Verdict.BROKEN], key=lambda each: order.index(each.guarantee.id))
    page.listed(Verdict.BROKEN, broken, details=True)
    page.text("")
    for number, finding in enumerate(found, 1):
        following = f"; from it follow {', '.join(finding.following)}" if finding.following else ""
        page.text(f"finding {number} of {len(found)}: {finding.guarantee} is broken{following}", indent=2)
    counts = summary.counts()
    said = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    tried = f", profile {summary.profile}, seed {summary.seed}" if summary.profile else ""
    page.text(
        f"\n{summary.target}, dialect {summary.dialect}{tried}: {said or 'nothing ran'} ({summary.seconds:.1f} s)"
    )
    if summary.trouble:
        page.text(summary.trouble, STYLES[Verdict.BROKEN])


class _Page:
    """Lines on a console, wrapped between words alone: names, ids and commands stay in one piece."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def text(self, text: str, style: str = "", *, indent: int = 0, first: str = "") -> None:
        """Print the text with an indent; `first` stands before its first line."""
        place = " " * indent
        for number, line in enumerate(text.split("\n")):
            before = first.ljust(indent) if not number else place
            margin = len(line) - len(line.lstrip())
            wrapped = textwrap.wrap(
                line,
                max(self._console.width, NARROWEST),
                initial_indent=before,
                subsequent_indent=place + " " * margin,
                break_long_words=False,
                break_on_hyphens=False,
                drop_whitespace=True,
            )
            self._console.print(Text("\n".join(wrapped), style=style), soft_wrap=True)

    def listed(self, verdict: Verdict, lines: Sequence[Line], *, details: bool) -> None:
        """Print each guarantee with its evidence; with `details`, the reasons, too."""
        self._head(verdict, lines)
        for line in lines:
            self.text(line.guarantee.text, indent=INDENT, first=f"  {line.guarantee.id}")
            if line.share():
                self.text(line.share(), "dim", indent=INDENT)
            for outcome in line.deciding() if details else ():
                if verdict is Verdict.BROKEN and outcome.verdict is not verdict:
                    continue
                self.text(f"{outcome.check}:" if outcome.check else "", STYLES[outcome.verdict], indent=INDENT)
                self.text(outcome.reason, STYLES[outcome.verdict], indent=INDENT + 2)

    def summed_up(self, verdict: Verdict, lines: Sequence[Line], prefix: str) -> None:
        """Print each reason once, with the guarantees that it keeps from a verdict."""
        self._head(verdict, lines)
        ids: dict[str, list[str]] = {}
        for line in lines:
            reason = re.sub(
                rf"[\w/-]*\b{re.escape(prefix)}-[\w/-]*", "...", _commonest(line)
            )  # apps of each check's own
            ids.setdefault(reason, []).append(line.guarantee.id)
        for reason, guarantees in ids.items():
            self.text(f"{reason}:", indent=2, first="  ")
            self.text(", ".join(guarantees), STYLES[verdict], indent=4)
        if lines:
            self.text("-v lists each with its checks", "dim", indent=2)

    def _head(self, verdict: Verdict, lines: Sequence[Line]) -> None:
        if lines:
            self.text(f"\n{verdict.value} ({len(lines)})", f"bold {STYLES[verdict]}")


def _commonest(line: Line) -> str:
    """Return its cause, or the reason of most of its checks; of one that could not be judged, its first line."""
    if causes := line.follows_from():
        return f"follows from {', '.join(causes)}"
    reasons = Counter(
        reason
        for each in line.outcomes
        if each.verdict in (line.verdict, Verdict.HARDLY)
        for reason in each.reason.partition("\n")[0].split("; ")
    )
    return next((reason for reason, _ in reasons.most_common(1)), "") or "no check of it ran"
