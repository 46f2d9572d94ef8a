"""Every page: axe finds no violation, light and dark, wide and narrow; the screenshots of the docs.

`make console-screenshots` sets FLYTEAPPS_SCREENSHOTS to the folder that these are written to.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect
from sdk.field import Server

from .images import with_palette
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


class Screen(NamedTuple):
    """A page as the docs show it: its path, what is there once it is complete."""

    path: str
    complete: Callable[[Page], None]


def heading(text: str) -> Callable[[Page], None]:
    """Return a function that waits until the page has this heading."""
    return lambda page: expect(page.get_by_role("heading", level=1)).to_have_text(text)


def all_apps(page: Page) -> None:
    """Wait until the list has all apps."""
    expect(page.get_by_role("table")).to_have_attribute("aria-rowcount", str(len(APPS) + 1))


APP = "/v2/domain/development/project/flytesnacks/apps/"
SCREENS = {
    "list": Screen("/", all_apps),
    "app": Screen(f"{APP}worker", heading("worker")),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_page_is_accessible(
    scheme: str, start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    """Axe finds no violation on any page, wide and narrow; what it saw is what the docs show."""
    options = ["--clock", "manual", "--start-time", "2026-12-24T09:00:00Z", "--call-log-size", "1000"]
    server = start(*options, "--seed-file", str(seed_file(tmp_path, APPS)))
    folder = os.environ.get("FLYTEAPPS_SCREENSHOTS")
    violations = list[str]()
    for name, screen in SCREENS.items():
        tab = open_tab(f"http://localhost:{server.console_port}{screen.path}", scheme=scheme)
        for width in (1100, 400):
            tab.page.set_viewport_size({"width": width, "height": 680})
            screen.complete(tab.page)
            tab.wait_until_live()
            if folder and width > 1000:
                image = with_palette(tab.page.screenshot(animations="disabled", caret="hide"))
                (Path(folder) / f"console-{name}-{scheme}.png").write_bytes(image)
            violations += [f"{name}, {width} pixels: {each}" for each in tab.axe_violations()]
            wider = tab.page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not wider, f"{name} is wider than a screen of {width} pixels"
    assert violations == []
