"""The list of apps: every state's badge, live; search, filter, keyboard; an address that an app can be opened at."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flyteidl2.app.app_definition_pb2 import Replicas
from flyteidl2.app.app_service_connect import AppServiceClientSync
from playwright.sync_api import expect
from sdk.field import Server

from flyteapps_control.remote import connect_control
from serving.messages import create

from .tab import Tab, seed_file

BADGES = {
    "DEPLOYING": "Pending",
    "DEPLOYING PULLING_IMAGE": "Pending - Pulling Image",
    "DEPLOYING INITIALIZING": "Pending - Initializing",
    "DEPLOYING WEBHOOK_ERROR": "Pending - Webhook Error",
    "ACTIVE RUNNING": "Active",
    "ACTIVE SCALING_UP": "Active - Scaling up",
    "ACTIVE SCALING_DOWN": "Active - Scaling down",
    "ACTIVE SCALED_TO_ZERO": "Scaled to zero",
    "ACTIVE SCALING_FROM_ZERO": "Active - Scaling from zero",
    "FAILED CRASH_LOOP": "Failed - CrashLoopBackOff",
    "FAILED OOM_KILLED": "Failed - OOM Killed",
    "FAILED IMAGE_PULL_ERROR": "Failed - Image Pull Error",
    "FAILED SECRET_MOUNT_ERROR": "Failed - Secret Mount Error",
    "FAILED WEBHOOK_ERROR": "Failed - Webhook Error",
}
"""The badge of each state with its substate, as the Flyte console words them."""


def app_named(state: str) -> str:
    """Return the name of the app, and of its scenario, that ends in this state."""
    return state.lower().replace(" ", "-").replace("_", "-")


def scenarios_file(folder: Path) -> Path:
    """Write a scenario for each state, which ends there."""
    scenarios = dict[str, object]()
    for each in BADGES:
        state, _, substate = each.partition(" ")
        end = {"state": state, "substate": substate} if substate else {"state": state}
        started = [{"state": "DEPLOYING", "after": "1s"}] if state == "ACTIVE" else []
        started += [{"state": "ACTIVE", "substate": "RUNNING", "after": "1s"}] if "SCAL" in substate else []
        scenarios[app_named(each)] = {"steps": [{"state": "PENDING"}, *started, {**end, "after": "1s"}]}
    path = folder / "scenarios.json"
    path.write_text(json.dumps({"scenarios": scenarios}), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["pyvoy", "portable"])
def test_each_state_has_its_badge(
    kind: str, start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    """Apps deployed while the page is open appear, and each goes to its state, worded as in Flyte's console."""
    server = start("--server", kind, "--clock", "manual", "--scenarios", str(scenarios_file(tmp_path)))
    tab = open_tab(f"http://localhost:{server.console_port}/")
    expect(tab.page.get_by_text("There are no apps yet")).to_be_visible()
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        for state in BADGES:
            request = create(app_named(state))
            request.app.metadata.labels["flyteapps.dev/scenario"] = app_named(state)
            request.app.spec.autoscaling.replicas.CopyFrom(Replicas(min=1, max=1))
            client.create(request)
        client.create(create("stopped", stopped=True))
    expect(tab.row("failed-oom-killed").locator(".badge")).to_have_text("Assigned")
    connect_control(f"http://127.0.0.1:{server.port}").clock.advance(60)
    for state, words in BADGES.items():
        expect(tab.row(app_named(state)).locator(".badge")).to_have_text(words)
    expect(tab.row("stopped").locator(".badge")).to_have_text("Stopped")
    assert sum(url.endswith("/") for url in tab.asked_for) == 1, "nothing was loaded again"


def test_the_first_app(start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """A list without apps shows programs that deploy the first one, by this server's address; it appears by itself."""
    server = start()
    tab = open_tab(f"http://localhost:{server.console_port}/")
    program = tab.page.get_by_role("region", name="flyteapps client").inner_text()
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    expect(tab.row("hello").locator(".badge")).to_have_text("Active")
    tab.page.goto(ended.stdout.strip())
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("hello")


def test_search_filter_and_keys(start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """Search, filter and order are part of the address; the keyboard alone leads to an app."""
    apps = [f"name: app-{i:03}, image: i" + (", scenario: oom-killed" if i % 10 == 0 else "") for i in range(200)]
    server = start("--seed-file", str(seed_file(tmp_path, apps)))
    tab = open_tab(f"http://localhost:{server.console_port}/")
    page = tab.page
    expect(page.get_by_role("table")).to_have_attribute("aria-rowcount", "201")
    page.keyboard.press("/")
    page.keyboard.type("app-01")
    expect(page.get_by_text("10 of 200")).to_be_visible()
    page.get_by_role("combobox", name="State", exact=True).select_option("failed")
    expect(page.get_by_text("1 of 200")).to_be_visible()
    expect(tab.row("app-010")).to_be_visible()
    again = open_tab(page.url)
    expect(again.page.get_by_text("1 of 200")).to_be_visible()
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="State", exact=True).select_option("")
    page.get_by_role("link", name="app-000", exact=True).focus()
    page.keyboard.press("End")
    expect(page.get_by_role("link", name="app-199", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("app-199")
    expect(page).to_have_url(re.compile("/v2/domain/development/project/demo/apps/app-199$"))
    page.go_back()
    expect(page.get_by_role("table")).to_be_visible()


def test_hidden_tabs_and_two_tabs(start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """Two tabs show the same, each by itself."""
    server = start()
    tabs = [open_tab(f"http://localhost:{port}/") for port in (server.console_port, server.port)]
    for tab in tabs:
        expect(tab.page.get_by_text("There are no apps yet")).to_be_visible()
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(create("seen-by-both"))
    for tab in tabs:
        expect(tab.row("seen-by-both")).to_be_visible()
