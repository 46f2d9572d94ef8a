"""Every page: axe finds no violation, light and dark, wide and narrow; the screenshots of the docs.

`make console-screenshots` sets FLYTEAPPS_SCREENSHOTS to the folder that these are written to.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app.app_service_connect import AppServiceClientSync
from playwright.sync_api import Locator, Page, expect
from sdk.field import Server

from flyteapps_control.remote import connect_control
from serving.messages import create

from .images import with_palette
from .requests import busy, send_requests
from .tab import Tab, seed_file

APPS = (
    'name: chat, image: "ghcr.io/example/chat:3", replicas: {min: 1, max: 4}',
    'name: search, project: shop, image: "ghcr.io/example/search:12", replicas: {min: 2, max: 4}, port: 8080',
    'name: checkout, project: shop, domain: production, image: "ghcr.io/example/checkout:7", replicas: 1',
    'name: embeddings, image: "ghcr.io/example/embed:1", scenario: slow-image, status: DEPLOYING',
    'name: worker, image: "ghcr.io/example/worker:9", scenario: crash-loop',
    'name: trainer, project: research, image: "ghcr.io/example/train:2", scenario: oom-killed',
    'name: vision, project: research, image: "ghcr.io/example/vision:404", scenario: image-pull-error',
    'name: billing, project: shop, image: "ghcr.io/example/billing:1", scenario: secret-mount-error',
    'name: dashboard, image: "ghcr.io/example/dashboard:5", desired_state: stopped',
    'name: notebook, project: research, image: "ghcr.io/example/notebook:1", scenario: scales-to-zero',
)


APP = "/v2/domain/development/project/demo/apps/"
PAGES = ("list", "app", "usage", "simulation", "login")
"""The pages that the docs show."""


def heading(text: str) -> Callable[[Page], None]:
    """Return a function that waits until the page has this heading."""
    return lambda page: expect(page.get_by_role("heading", level=1)).to_have_text(text)


def region(name: str) -> Callable[[Page], None]:
    """Return a function that waits until the page has this table."""
    return lambda page: expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()


def text(words: str) -> Callable[[Page], None]:
    """Return a function that waits until the page has these words."""
    return lambda page: expect(page.get_by_text(words).first).to_be_visible()


def all_apps(page: Page) -> None:
    """Wait until the list has all apps."""
    expect(page.get_by_role("table")).to_have_attribute("aria-rowcount", str(len(APPS) + 2))


def with_logs(page: Page) -> None:
    """Wait until the app's log and its calls are there."""
    expect(page.get_by_role("log")).to_contain_text("Replica")
    expect(page.get_by_text("None was recorded yet.")).to_be_visible()


def with_chart(page: Page) -> None:
    """Wait until the app's chart has the declared load and the requests."""
    expect(chart(page).get_by_role("img", name="Declared load: 12 requests a second")).to_be_visible()
    expect(chart(page).locator(".request-lane rect")).to_have_count(20)


def chart(page: Page) -> Locator:
    """Return the part of a page about replicas and requests."""
    return page.get_by_role("region", name="Replicas and requests")


SCREENS: dict[str, tuple[str, Callable[[Page], None]]] = {
    "list": ("/", all_apps),
    "app": (f"{APP}worker", with_logs),
    "usage": (f"{APP}api", with_chart),
    "missing": (f"{APP}nothing", heading("No such app")),
    "simulation": ("/simulation", region("Pending timers")),
    "waits": ("/simulation#waits", text("embeddings")),
    "scenarios": ("/simulation#scenarios", region("Scenarios of apps")),
    "faults": ("/simulation#faults", region("Rules for faults")),
    "loads": ("/simulation#loads", region("Declared loads")),
    "calls": ("/simulation#calls", region("Recorded calls")),
    "state": ("/simulation#state", region("Snapshots")),
}
"""Each page and each of its parts: its path, and a function that waits until it is complete."""


class Screens:
    """Looks at pages in one colour scheme; keeps those that the docs show.

    In the light one axe looks at all, on a wide and on a narrow screen. The dark one differs from it by its colours.
    """

    def __init__(self, open_tab: Callable[..., Tab], scheme: str) -> None:
        self._tab = open_tab("about:blank", scheme=scheme)
        self._tab.allow(r"status of 40[14]")
        self._scheme = scheme
        self._folder = os.environ.get("FLYTEAPPS_SCREENSHOTS")
        self.violations: list[str] = []

    def look(self, name: str, url: str, complete: Callable[[Page], None]) -> None:
        """Let axe look at the page."""
        tab, light = self._tab, self._scheme == "light"
        tab.page.goto("about:blank")  # else a page that differs by its fragment alone stays as it is
        tab.page.goto(url, wait_until="domcontentloaded")
        for width in (1100, 400) if light else (1100,):
            tab.page.set_viewport_size({"width": width, "height": 960 if name == "app" else 680})
            complete(tab.page)
            if self._folder and width > 1000 and name in PAGES:
                shown = chart(tab.page) if name == "usage" else tab.page
                image = with_palette(shown.screenshot(animations="disabled", caret="hide"))
                (Path(self._folder) / f"console-{name}-{self._scheme}.png").write_bytes(image)
            self.violations += [
                f"{name}, {width} pixels: {each}" for each in tab.axe_violations("" if light else "color-contrast")
            ]
            if tab.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                self.violations.append(f"{name} is wider than a screen of {width} pixels")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_page_is_accessible(
    scheme: str, start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    """Axe finds no violation on any page, and none is wider than the screen; what it saw is what the docs show."""
    options = ["--clock", "manual", "--start-time", "2026-12-24T09:00:00Z", "--call-log-size", "1000"]
    server = start(*options, "--seed-file", str(seed_file(tmp_path, APPS)))
    control = connect_control(f"http://127.0.0.1:{server.port}")
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(busy("api"))
    control.clock.advance(5)
    for load, requests in ("12rps", (5, 9, 11, 8, 3, 7)), ("45rps", (20, 31, 44, 38, 40, 42, 17)), ("12rps", 7 * [6]):
        control.loads.set(load, app="api")
        for count in requests:
            send_requests(server.port, "api", count)
            control.clock.advance(4)
    control.clock.advance(10)
    control.faults.fail("Create", code="UNAVAILABLE", times=2)
    control.scenarios.use("crash-loop", app="worker-*", times=1)
    control.loads.set("40concurrent", app="chat")
    control.snapshot("before-the-upgrade")
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client, contextlib.suppress(ConnectError):
        client.create(create("refused"))
    screens = Screens(open_tab, scheme)
    for name, (path, complete) in SCREENS.items():
        screens.look(name, f"http://localhost:{server.console_port}{path}", complete)
    assert screens.violations == [], "\n".join(screens.violations)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_login_is_accessible(scheme: str, start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """Axe finds no violation on the page that logs people in."""
    server = start("--auth", "demo")
    screens = Screens(open_tab, scheme)
    screens.look("login", f"http://localhost:{server.console_port}/login", heading("Log in"))
    assert screens.violations == [], "\n".join(screens.violations)
