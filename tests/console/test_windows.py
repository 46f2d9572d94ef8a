"""Pages beside others of the same browser, hidden pages, and a machine that sleeps."""

from __future__ import annotations

from collections.abc import Callable

from flyteidl2.app.app_service_connect import AppServiceClientSync
from playwright.sync_api import Locator, Page, expect
from sdk.field import Server

from serving.messages import create

from .tab import Tab, wait_until_live

APP = "/v2/domain/development/project/p/apps/app"
WATCH = "AppService/Watch"
HIDE = """(state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""Tells a page that it is hidden, or seen again: a browser without windows shows all."""


def test_windows_side_by_side(start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """More windows than a browser has connections to a server are all current; one that closes lets another follow."""
    server = start()
    origin = f"http://localhost:{server.console_port}"
    tab = open_tab(f"{origin}/")
    windows = [tab.page]
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(create("app"))
        for path in (APP, "/", APP, "/", "/simulation", "/"):
            windows.append(tab.page.context.new_page())
            windows[-1].goto(origin + path, wait_until="domcontentloaded")
        for window in windows:
            wait_until_live(window)
        client.create(create("new"))
    lists = [window for window in windows if "Apps" in window.title()]
    for window in lists:
        expect(window.get_by_role("link", name="new", exact=True)).to_be_visible()
    assert len(lists) == 4
    last = windows.pop()
    expect(status(last)).to_contain_text("Updated every 2 s")
    for window in windows:
        window.close()
    expect(status(last)).to_contain_text("Live")


def test_a_hidden_page_asks_nothing(start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """It closes its streams and reads nothing; seen again, it is current."""
    server = start("--call-log-size", "100")
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(create("app"))
        for path in ("/", APP, "/simulation#calls"):
            tab = open_tab(f"http://localhost:{server.console_port}{path}")
            page = tab.page
            page.clock.install()
            page.reload()
            tab.wait_until_live()
            page.evaluate(HIDE, "hidden")
            expect(status(page)).to_contain_text("Paused")
            asked = len(tab.asked_for)
            page.clock.run_for("05:00")
            assert tab.asked_for[asked:] == [], path
            page.evaluate(HIDE, "visible")
            tab.wait_until_live()
            tab.page.close()


def test_a_machine_that_slept(start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """A stream may have ended without a sign: the page opens another after a sleep, and none after a minute awake."""
    server = start()
    tab = open_tab(f"http://localhost:{server.console_port}/")
    page = tab.page
    page.clock.install()
    page.reload()
    tab.wait_until_live()
    watches = count(tab)
    page.clock.run_for("01:30")
    tab.wait_until_live()
    assert count(tab) == watches, "it was awake"
    with page.expect_request(f"**/*{WATCH}"):
        page.clock.fast_forward("01:00:00")
    tab.wait_until_live()


def count(tab: Tab) -> int:
    """Return how many streams the tab has asked for."""
    return sum(url.endswith(WATCH) for url in tab.asked_for)


def status(page: Page) -> Locator:
    """Return the words about the page's connection."""
    return page.get_by_role("banner").get_by_role("status")
