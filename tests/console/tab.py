"""A tab of Chromium: which addresses it asked for, and what it complained about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from import_graph import ROOT
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect

AXE = ROOT / ".browser" / "node_modules" / "axe-core" / "axe.min.js"
LOCAL = {"localhost", "127.0.0.1", "::1"}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
REPORT_VIOLATIONS = """\
addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});
"""


class Tab:
    """One tab with a context of its own. `page` is Playwright's."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        context.add_init_script(REPORT_VIOLATIONS)
        self.page: Page = context.new_page()
        self.asked_for: list[str] = []
        self.complaints: list[str] = []
        """Lines of the browser's console that are warnings or errors, and exceptions of scripts."""
        self._allowed = list[re.Pattern[str]]()
        context.on("request", self._requested)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.complaints.append(f"exception: {error.error}"))

    def _requested(self, request: Request) -> None:
        self.asked_for.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("warning", "error"):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def allow(self, pattern: str) -> None:
        """Accept complaints that match, such as the browser's line about a request that fails on purpose."""
        self._allowed.append(re.compile(pattern))

    def row(self, name: str) -> Locator:
        """Return the row of an app in the list."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=name, exact=True))

    def badge(self) -> Locator:
        """Return the badge beside the heading of an app's page."""
        return self.page.locator("main .badge").first

    def wait_until_live(self) -> None:
        """Wait until the page follows the plane."""
        wait_until_live(self.page)

    def axe_violations(self, only: str = "") -> list[str]:
        """Return the violations that axe finds in the page as it is now, with the elements; `only` of one rule."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        rules = {"type": "rule", "values": [only]} if only else {"type": "tag", "values": RULES}
        options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
        found: dict[str, Any] = self.page.evaluate("(options) => axe.run(document, options)", options)
        return [
            f"{each['id']}: {each['help']}: {node['html'][:200]} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def faults(self) -> list[str]:
        """Return what no tab may do: ask for an address of another machine, complain, break the policy."""
        foreign = [url for url in self.asked_for if not is_local(url)]
        complaints = [each for each in self.complaints if not any(ok.search(each) for ok in self._allowed)]
        return [f"asked for {url}" for url in foreign] + complaints


def wait_until_live(page: Page) -> None:
    """Wait until a page follows the plane."""
    expect(page.get_by_role("status").filter(has_text=re.compile("^(Live|Updated every)"))).to_be_visible()


def is_local(url: str) -> bool:
    """Return whether this address is of this machine, or of the page's own data."""
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob") or (parts.hostname or "") in LOCAL


def seed_file(folder: Path, apps: Sequence[str]) -> Path:
    """Write a seed file of these apps, each the inside of a mapping in YAML."""
    path = folder / "apps.yaml"
    path.write_text("apps:\n" + "".join(f"- {{{app}}}\n" for app in apps), encoding="utf-8")
    return path
