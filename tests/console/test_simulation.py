"""The page of the simulation: its clock moves apps, its faults hit the SDK, its snapshots bring apps back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app.app_service_connect import AppServiceClientSync
from playwright.sync_api import expect
from sdk.field import Server, User

from serving.messages import create, get

from .tab import Tab


def test_the_clock_is_moved_by_the_page(start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """On a manual clock an app stays in its state until the page moves time, to the next event or by a duration."""
    server = start("--clock", "manual")
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(create("waiting"))
    origin = f"http://localhost:{server.console_port}"
    apps, tab = open_tab(f"{origin}/"), open_tab(f"{origin}/simulation")
    page = tab.page
    expect(apps.row("waiting").locator(".badge")).to_have_text("Assigned")
    for part in ("Waits", "Timers"):
        page.goto(f"{origin}/simulation#{part.lower()}")
        expect(page.get_by_role("tab", name=part, selected=True)).to_be_visible()
    expect(page.get_by_role("region", name="Pending timers").get_by_text("waiting").first).to_be_visible()
    page.get_by_role("button", name="To the next event").click()
    expect(page.get_by_text("1 timer(s) fired.")).to_be_visible()
    expect(apps.row("waiting").locator(".badge")).to_have_text("Pending")
    page.get_by_label("Duration").fill("an hour")
    page.get_by_role("button", name="Advance").click()
    expect(page.get_by_label("Duration")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Duration").fill("60s")
    page.get_by_role("button", name="Advance").click()
    expect(apps.row("waiting").locator(".badge")).to_have_text("Active")


def test_a_fault_of_the_page_hits_the_sdk(
    start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    """A rule added on the page fails the calls of clients and the SDK, is counted, and ends as it is removed."""
    server = start("--call-log-size", "100")
    user = User(tmp_path, f"localhost:{server.port}")
    tab = open_tab(f"http://localhost:{server.console_port}/simulation#faults")
    page = tab.page
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(create("hit"))
        page.get_by_role("combobox", name="RPC").fill("Get")
        page.get_by_role("textbox", name="App").fill("hit")
        page.get_by_role("combobox", name="Code").fill("NONSENSE")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("combobox", name="Code")).to_have_attribute("aria-invalid", "true")
        tab.allow("status of 400 .*ControlService/AddFaults")
        page.get_by_role("combobox", name="Code").fill("DATA_LOSS")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_text("f1 is added.")).to_be_visible()
        with pytest.raises(ConnectError) as failed:
            client.get(get("hit"))
        assert failed.value.code is Code.DATA_LOSS
        shown = user.flyte("get", "app", "--project", "p", "--domain", "development", "hit", code=1)
        assert "fault f1" in shown
        rule = page.get_by_role("region", name="Rules for faults").get_by_role("row").filter(has_text="f1")
        expect(rule.get_by_role("cell").nth(4)).not_to_have_text("0")
        page.get_by_role("tab", name="Calls").click()
        page.get_by_role("combobox", name="Code").fill("DATA_LOSS")
        expect(page.get_by_role("region", name="Recorded calls").get_by_text("by f1").first).to_be_visible()
        page.get_by_role("tab", name="Faults").click()
        page.get_by_role("button", name="Remove f1").click()
        expect(page.get_by_text("f1 is removed.")).to_be_visible()
        assert client.get(get("hit")).app.metadata.id.name == "hit"


def test_snapshot_reset_and_restore(start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """A reset asks first, and removes all apps; a snapshot brings them back; the list follows without a reload."""
    server = start()
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(create("precious"))
    origin = f"http://localhost:{server.console_port}"
    apps, tab = open_tab(f"{origin}/"), open_tab(f"{origin}/simulation#state")
    page = tab.page
    expect(apps.row("precious")).to_be_visible()
    page.get_by_role("textbox", name="Name").fill("before")
    page.get_by_role("button", name="Take", exact=True).click()
    expect(page.get_by_role("button", name="Restore before")).to_be_visible()
    page.get_by_role("button", name="Reset the plane").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Reset the plane").click()
    page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    expect(apps.page.get_by_text("There are no apps yet")).to_be_visible()
    page.get_by_role("button", name="Restore before").click()
    page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    expect(apps.row("precious")).to_be_visible()


def test_a_scenario_of_the_page(start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """The next start of an app has the scenario that the page chose for it."""
    server = start()
    tab = open_tab(f"http://localhost:{server.console_port}/simulation#scenarios")
    tab.page.get_by_role("combobox", name="Scenario").fill("oom-killed")
    tab.page.get_by_role("textbox", name="App").fill("doomed")
    tab.page.get_by_role("button", name="Use", exact=True).click()
    expect(tab.page.get_by_role("region", name="Uses")).to_contain_text("doomed")
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(create("doomed"))
    tab.page.get_by_role("link", name="Apps", exact=True).click()
    expect(tab.row("doomed").locator(".badge")).to_have_text("Failed - OOM Killed")


def test_without_the_control_api(start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """The page says that the control API is off, and no page links to it."""
    server = start("--no-control")
    tab = open_tab(f"http://localhost:{server.console_port}/simulation")
    tab.allow("status of 404 .*ControlService|status of 501 .*ControlService")
    expect(tab.page.get_by_text("The control API of this server is off")).to_be_visible()
    expect(tab.page.get_by_role("navigation").get_by_role("link", name="Simulation")).to_have_count(0)
