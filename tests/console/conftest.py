"""Fixtures of the tests in Chromium: servers of their own on free ports, and tabs that must stay on this machine.

`make test-console` installs what they need, and runs them: they are left out elsewhere.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sdk.field import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from .tab import Tab

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_SECONDS = 30.0
"""Limit of a wait for the page: far more than a loaded machine needs."""
collect_ignore_glob = [] if find_spec("playwright") else ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests have measured."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(f"console: {value}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return the machine's Chromium, without any network but the loopback."""
    from playwright.sync_api import expect, sync_playwright

    found = next((path for each in CHROMIUM if (path := shutil.which(each)) is not None), None)
    if found is None:
        pytest.fail(f"none of {', '.join(CHROMIUM)} is installed: `make test-console` installs it")
    expect.set_options(timeout=1_000 * PATIENCE_SECONDS)
    arguments = ["--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"]
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_tab(chromium: Browser) -> Iterator[Callable[..., Tab]]:
    """Return a function that opens an address in a tab; none may ask for another machine or complain."""
    from .tab import Tab

    tabs: list[Tab] = []

    def begin(url: str, *, scheme: str = "light", width: int = 1100, height: int = 680) -> Tab:
        context = chromium.new_context(
            color_scheme="dark" if scheme == "dark" else "light",
            viewport={"width": width, "height": height},
            locale="en-US",
            timezone_id="UTC",
            ignore_https_errors=True,
            reduced_motion="reduce",
        )
        context.set_default_timeout(1_000 * PATIENCE_SECONDS)
        tab = Tab(context)
        tabs.append(tab)
        tab.page.goto(url, wait_until="domcontentloaded")
        return tab

    yield begin
    for tab in tabs:
        tab.page.context.close()
    assert [fault for tab in tabs for fault in tab.faults()] == []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server with options; each must end cleanly and without error output."""
    servers: list[Server] = []

    def begin(*options: str) -> Server:
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        servers.append(Server(folder, options))
        return servers[-1]

    yield begin
    running = [server for server in servers if not server.killed]
    assert [server.stop() for server in running] == [0] * len(running)
    assert "".join(server.error_output() for server in servers) == ""
