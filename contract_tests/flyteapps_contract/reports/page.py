"""A run as one HTML page that needs nothing else: the guarantees, what broke them, scripts, and timelines."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from flyteapps_contract.outcomes import Outcome, Span, Verdict
from flyteapps_contract.reports.summary import Line, Summary

STYLE = """
:root { color-scheme: light dark; --line: #8884; --wrong: #d33; --call: #48c; --stream: #4a7; --clock: #a84; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .35rem .6rem;
border-bottom: 1px solid var(--line); } th { font-weight: 600; } td:first-child { white-space: nowrap; }
td.verdict { white-space: nowrap; font-weight: 600; }
.broken, .follows { color: var(--wrong); } .holds { color: #393; } .not-judged { color: #b80; }
.known-deviation { color: #28a; } .hardly-tried { color: #b80; } .not-offered { opacity: .6; }
.show { position: absolute; opacity: 0; } .show + label { display: inline-block; padding: .1rem .6rem;
margin: .2rem .2rem .8rem 0; border: 1px solid var(--line); border-radius: 1rem; cursor: pointer; }
.show:checked + label { background: var(--call); color: #fff; }
.show:focus-visible + label { outline: 3px solid var(--call); outline-offset: 2px; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid var(--line); border-radius: 4px;
font-size: 13px; white-space: pre-wrap; } .lanes { border: 1px solid var(--line); border-radius: 4px; margin: .6rem 0; }
.lane { display: flex; border-bottom: 1px solid var(--line); } .lane:last-child { border: 0; }
.lane > b { flex: 0 0 8rem; padding: .2rem .5rem; font-weight: 500; font-size: 13px; }
.bars { position: relative; flex: 1; } .bars i { position: absolute; height: 16px; border-radius: 3px;
background: var(--call); min-width: 4px; cursor: help; } .bars i.wrong { background: var(--wrong); }
.bars i.open { background: linear-gradient(90deg, var(--call), transparent); }
.bars i.stream { background: var(--stream); } .bars i.clock { background: var(--clock); }
@media print { details { display: block; } }
"""
ROW = 20
"""Pixels of one row of bars."""


def as_html(summary: Summary) -> str:
    """Return the run as one page."""
    counts = summary.counts()
    said = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]) or "nothing ran"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(summary.target)}: {escape(said)}</title><style>{STYLE}</style></head><body>",
        f"<h1>The contract on {escape(summary.target)}</h1>",
        f"<p>Dialect {escape(summary.dialect)}, profile {escape(summary.profile)}, seed {summary.seed}: "
        f"<b>{escape(said)}</b> in {summary.seconds:.1f} s.</p>",
        *([f'<p class="broken">{escape(summary.trouble)}</p>'] if summary.trouble else []),
        *_findings(summary),
        *_choices(summary),
        "<table><thead><tr><th>id</th><th>verdict</th><th>tried</th><th>guarantee</th></tr></thead><tbody>",
        *(_row(line) for line in summary.lines),
        "</tbody></table>",
        *_failures(summary.lines),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _findings(summary: Summary) -> list[str]:
    found = summary.findings()
    items = [f"<li>{_link(each.guarantee)}{_following(each.following)}</li>" for each in found]
    return ["<h2>Findings, the likeliest cause first</h2><ol>", *items, "</ol>"] if found else []


def _following(ids: Sequence[str]) -> str:
    return f"; from it follow {', '.join(map(_link, ids))}" if ids else ""


def _link(id_: str) -> str:
    return f'<a href="#{escape(id_)}">{escape(id_)}</a>'


def _kind(verdict: Verdict) -> str:
    return verdict.value.replace(" ", "-")


def _choices(summary: Summary) -> list[str]:
    """Return a radio button a verdict, which shows the rows of that one alone: no script is needed, or allowed for."""
    counts = summary.counts()
    kinds = [(_kind(verdict), verdict.value, counts[verdict]) for verdict in Verdict if counts[verdict]]
    rules = [f"#show-{kind}:checked ~ table .row:not(.{kind}-row) {{ display: none; }}" for kind, _, _ in kinds]
    buttons = [
        f'<input class="show" type="radio" name="show" id="show-{kind}"{" checked" * (kind == "all")}>'
        f'<label for="show-{kind}">{escape(text)} ({count})</label>'
        for kind, text, count in [("all", "all", len(summary.lines)), *kinds]
    ]
    return ["<style>", *rules, "</style>", *buttons]


def _row(line: Line) -> str:
    kind = _kind(line.verdict)
    reasons = "".join(f"<pre>{escape(reason)}</pre>" for reason in line.reasons())
    return (
        f'<tr id="{escape(line.guarantee.id)}" class="row {kind}-row"><td>{escape(line.guarantee.id)}</td>'
        f'<td class="verdict {kind}">{escape(line.verdict.value)}</td><td>{escape(line.share())}</td>'
        f"<td>{escape(line.guarantee.text)}{reasons}</td></tr>"
    )


def _failures(lines: Sequence[Line]) -> list[str]:
    found = dict.fromkeys(each for line in lines for each in line.outcomes if each.script or each.timeline)
    return ["<h2>How it broke</h2>", *map(_failure, found)] if found else []


def _failure(outcome: Outcome) -> str:
    script = (
        outcome.script
        and f"<details><summary>A script that shows it</summary><pre>{escape(outcome.script)}</pre></details>"
    )
    calls = ""
    for span in outcome.timeline:
        kind = " class=broken" if span.wrong else ""
        calls += f"<li{kind}>{escape(span.lane)}: {escape(span.text.splitlines()[0])}</li>"
    words = calls and f"<details><summary>All of it, in words</summary><ol>{calls}</ol></details>"
    title = f"{', '.join(outcome.guarantees)}, by {outcome.check}"
    return f"<h3>{escape(title)}</h3>{_lanes(outcome.timeline)}{words}{script}"


def _lanes(spans: Sequence[Span]) -> str:
    if not spans:
        return ""
    first = min(span.begin for span in spans)
    last = max([span.end if span.end is not None else span.begin + 1 for span in spans])
    width = max(last - first, 1.0)
    lanes = {lane: [span for span in spans if span.lane == lane] for lane in dict.fromkeys(each.lane for each in spans)}
    rows = "".join(
        f"<div class=lane><b>{escape(lane)}</b>{_bars(each, first, width)}</div>" for lane, each in lanes.items()
    )
    return f'<div class="lanes">{rows}</div>'


def _bars(spans: Sequence[Span], first: float, width: float) -> str:
    """Return one lane; spans that overlap in it, such as those of a client's own, get rows of their own."""
    rows: list[float] = []
    bars: list[str] = []
    for span in sorted(spans, key=lambda each: each.begin):
        end = span.end if span.end is not None else first + width
        row = next((number for number, free in enumerate(rows) if free <= span.begin), len(rows))
        rows[row : row + 1] = [end]
        kinds = [
            *(["wrong"] if span.wrong else []),
            *(["open"] if span.end is None else []),
            *([word] if (word := span.lane.partition(" ")[0]) in ("stream", "clock") else []),
        ]
        left, wide = 100 * (span.begin - first) / width, 100 * (end - span.begin) / width
        bars.append(
            f'<i class="{" ".join(kinds)}" title="{escape(span.text)}" '
            f'style="left:{left:.2f}%;width:calc({wide:.2f}% - 2px);top:{ROW * row + 2}px"></i>'
        )
    return f'<div class="bars" style="height:{ROW * max(len(rows), 1)}px">{"".join(bars)}</div>'
