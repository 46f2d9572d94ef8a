"""An app of the unmodified SDK, by the link that the SDK prints: its start, its logs, its buttons."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import IO

from flyteidl2.app.app_service_connect import AppServiceClientSync
from playwright.sync_api import expect
from sdk.field import CLI, RUN, Server, User

from flyteapps_control.remote import connect_control
from serving.messages import create

from .tab import Tab

LINK = re.compile(r"check the console at (http://\S+)")


def printed(pattern: re.Pattern[str], output: IO[str]) -> str:
    """Read the output up to a line that matches; return the match's group."""
    lines = list[str]()
    for line in output:
        lines.append(line)
        if (found := pattern.search(line)) is not None:
            return found[1]
    raise AssertionError(f"{pattern.pattern} isn't in:\n{''.join(lines)}")


def test_the_link_of_the_sdk(start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """The SDK prints a link; its page goes to Active with the app, has its logs, and stops it for the SDK, too."""
    server = start("--clock", "manual")
    clock = connect_control(f"http://127.0.0.1:{server.port}").clock
    user = User(tmp_path, f"localhost:{server.port}")
    user.bring("my_app")
    with user.follow(*RUN, "-c", CLI, "serve", "my_app.py", "env") as output:
        tab = open_tab(printed(LINK, output))
        page = tab.page
        expect(page.get_by_role("heading", level=1)).to_have_text("my-app")
        expect(tab.badge()).to_have_text("Assigned")
        tab.wait_until_live()
        clock.advance(60)
        expect(tab.badge()).to_have_text("Active")
        printed(re.compile("(is now being served)"), output)
    expect(page.get_by_role("log")).to_contain_text("Starting")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()
    clock.advance(60)
    expect(tab.badge()).to_have_text("Stopped")
    assert "DEPLOYMENT_STATUS_STOPPED" in user.flyte("get", "app", "my-app")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_enabled()
    clock.advance(60)
    expect(tab.badge()).to_have_text("Active")


def test_the_link_before_the_app(start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """The page of an app that isn't deployed yet says so, and shows the app once it is."""
    server = start()
    tab = open_tab(f"http://localhost:{server.console_port}/v2/domain/development/project/p/apps/late")
    tab.allow("status of 404")
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("No such app")
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(create("late"))
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("late")
    expect(tab.badge()).to_have_text("Active")
