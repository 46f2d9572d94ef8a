"""Reports of a run that found something: the page, JSON and JUnit tell the same, with scripts and timelines."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from rich.console import Console

from flyteapps_contract.catalogue.dialects import BY_ID
from flyteapps_contract.explorations.registry import EXPLORATIONS
from flyteapps_contract.explorations.search import explore
from flyteapps_contract.outcomes import Outcome, Verdict
from flyteapps_contract.profiles import Budget
from flyteapps_contract.reports.machine import as_json, as_junit
from flyteapps_contract.reports.page import as_html
from flyteapps_contract.reports.summary import Summary, summarize
from flyteapps_contract.reports.terminal import show
from flyteapps_contract.verification import fresh_run
from mutants import apps, detection, races

from . import standins

VOID = {"input", "meta"}
NAMES = (
    "an_id_that_exists_is_already_exists",
    "a_name_that_is_so_long_that_no_line_of_60_columns_has_space_for_it",
)


class Page(HTMLParser):
    """The content of an HTML page: its text, the bars of its timelines, whether every tag is closed, what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.bars: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "i":
            self.bars.append(found["title"] or "")
        self.loads += [value for key, value in attrs if key in ("src", "href") and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def summary() -> Summary:
    """Return a run on planes with bugs, of two explorations."""
    target = standins.direct()
    outcomes: list[Outcome] = []
    with apps.create_upserts():
        outcomes += explore(EXPLORATIONS["sequences"], target, fresh_run(target), Budget(300, 60.0), 1, only=["CR-2"])
    with races.racing_updates_overwrite_each_other(), detection.eager_threads():
        outcomes += explore(EXPLORATIONS["histories"], target, fresh_run(target), Budget(300, 60.0), 1, only=["HI-1"])
    lines = summarize([BY_ID["CR-2"], BY_ID["HI-1"], BY_ID["UP-1"]], outcomes)
    return Summary(target="<x> & co", dialect="standard", prefix="p", lines=lines, seconds=1.0, profile="quick", seed=7)


def test_both_were_found(summary: Summary) -> None:
    """The run that the reports are of found both bugs, and nothing of a guarantee that was not tried."""
    assert [line.verdict for line in summary.lines] == [Verdict.BROKEN, Verdict.BROKEN, Verdict.NOT_OFFERED]


def test_the_page(summary: Summary) -> None:
    """One page that loads nothing, well formed, with the reasons, the script, and a bar for each call."""
    page = Page()
    page.feed(as_html(summary))
    assert page.open == []
    assert [each for each in page.loads if not each.startswith("#")] == []
    text = "".join(page.text)
    assert "<x> & co" in text
    assert "seed 7" in text
    sequence, history = (line.outcomes[0] for line in summary.lines[:2])
    assert sequence.script in text
    assert sequence.reason in text
    assert len(page.bars) == len(sequence.timeline) + len(history.timeline)
    assert any("no order of the calls explains" in reason for reason in summary.lines[1].reasons())


def test_json_and_junit(summary: Summary) -> None:
    """Both say what was tried, and give the script of what broke."""
    whole = json.loads(as_json(summary))
    assert (whole["profile"], whole["seed"]) == ("quick", 7)
    check = whole["guarantees"][0]["checks"][0]
    assert check["script"].startswith('"""Breaks CR-2')
    assert check["tried"].endswith(" sequences")
    failure = ElementTree.fromstring(as_junit(summary)).find(".//testcase[@name='CR-2']/failure")
    assert failure is not None
    assert failure.text is not None
    assert "AppServiceClientSync" in failure.text


def judged(prefix: str = "fc12") -> Summary:
    """Return a run in which each verdict was reached, by two guarantees at least, of checks with long names."""
    rows = list(BY_ID.values())[:14]
    gone = f"Update: ABORTED: nothing changes of app acme/{prefix}-p7/development/{prefix}-{{}}-marker, at revision 1"
    outcomes: list[Outcome] = []
    for number, row in enumerate(rows):
        for name in NAMES:
            match number % 7:
                case 0 | 1:
                    outcomes.append(Outcome(name, (row.id,), Verdict.HOLDS))
                case 2:
                    outcomes.append(Outcome(name, (row.id,), Verdict.BROKEN, f"expected OK, got {name.upper()} " * 5))
                case 3:
                    outcomes.append(Outcome(name, (row.id,), Verdict.UNJUDGED, gone.format(number)))
                case 4:
                    outcomes.append(Outcome(name, (row.id,), Verdict.NOT_OFFERED, "the target's clock can't be moved"))
                case 5:
                    outcomes.append(Outcome(name, (row.id,), Verdict.DEVIATES, "issue 12: it is known"))
                case _:
                    verdict = Verdict.HOLDS if name == NAMES[0] else Verdict.HARDLY
                    outcomes.append(Outcome(name, (row.id,), verdict, "no time" * (verdict is Verdict.HARDLY)))
    lines = summarize(rows, outcomes)
    return Summary(target="host:1 over Connect", dialect="standard", prefix=prefix, lines=lines, seconds=1.0)


def printed(summary: Summary, width: int, *, details: bool = False) -> str:
    """Return what a terminal of that width shows."""
    file = io.StringIO()
    show(Console(width=width, file=file), summary, details=details)
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("details", [False, True])
def test_a_terminal_breaks_no_name(width: int, *, details: bool) -> None:
    """Each line fits the width, but for a name that is longer; ids and names of checks are in one piece."""
    summary = judged()
    said = printed(summary, width, details=details)
    for line in said.splitlines():
        assert len(line) <= width or len(line.split()) == 1, line
    words = set(re.findall(r"[\w-]+", said))
    assert {line.guarantee.id for line in summary.lines} <= words
    assert set(NAMES) <= words
    assert {name.upper() for name in NAMES} <= words


def test_a_terminal_sums_up() -> None:
    """A reason why guarantees have no verdict is printed once, whatever the apps were called; -v lists all."""
    summary = judged()
    brief, whole = printed(summary, 80), printed(summary, 80, details=True)
    assert brief.count("clock can't be moved") == 1
    assert brief.count("nothing changes of app") == 1
    assert "fc12-" not in brief
    assert whole.count("clock can't be moved") == 2 * len(NAMES)
    assert whole.count("-marker") == 2 * len(NAMES)
    assert brief.index("\nholds (4)") < brief.index("\nhardly tried (2)") < brief.index("\nbroken (2)")
    assert "host:1 over Connect, dialect standard" in brief.splitlines()[-2]


def test_the_page_filters_without_a_script() -> None:
    """A radio button a verdict, with its count, hides the rows of the others by a rule of the page's own."""
    html = as_html(judged())
    page = Page()
    page.feed(html)
    assert page.open == []
    assert all(each.startswith("#") for each in page.loads)  # of the page itself
    assert "<script" not in html
    assert '<input class="show" type="radio" name="show" id="show-all" checked>' in html
    assert '<label for="show-all">all (14)</label>' in html
    for verdict in set(Verdict) - {Verdict.FOLLOWS}:
        kind = verdict.value.replace(" ", "-")
        assert f'<label for="show-{kind}">{verdict.value} (' in html
        assert f"#show-{kind}:checked ~ table .row:not(.{kind}-row) {{ display: none; }}" in html
        assert f'class="row {kind}-row"' in html
