"""Reports of a run that found something: the page, JSON and JUnit tell the same, with scripts and timelines."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from flyteapps_contract.catalogue.dialects import BY_ID
from flyteapps_contract.explorations.registry import EXPLORATIONS
from flyteapps_contract.explorations.search import explore
from flyteapps_contract.outcomes import Outcome, Verdict
from flyteapps_contract.profiles import Budget
from flyteapps_contract.reports.machine import as_json, as_junit
from flyteapps_contract.reports.page import as_html
from flyteapps_contract.reports.summary import Summary, summarize
from flyteapps_contract.verification import fresh_run
from mutants import apps, detection, races

from . import standins

VOID = {"meta"}


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
