"""The console of a plane that needs credentials: people log in at its own provider, and see what their role allows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from sdk.field import Server

from flyteapps_control.remote import connect_control

from .tab import Tab


@pytest.mark.parametrize("kind", ["pyvoy", "portable"])
def test_a_person_logs_in_and_out(kind: str, start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """Without credentials nothing is shown; after the login the page is where it was; logged out, it forgets."""
    server = start("--server", kind, "--auth", "demo")
    tab = open_tab(f"http://localhost:{server.console_port}/")
    tab.allow("status of 401")
    page = tab.page
    expect(page.get_by_role("status").filter(has_text="Not allowed")).to_be_visible()
    page.get_by_role("banner").get_by_role("link", name="Log in").first.click()
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="alice").click()
    expect(page.get_by_role("banner").get_by_text("(admin)")).to_be_visible()
    expect(page.get_by_text("There are no apps yet")).to_be_visible()
    tab.wait_until_live()
    page.reload()
    expect(page.get_by_role("banner").get_by_text("(admin)")).to_be_visible()
    page.get_by_role("banner").get_by_role("button", name="Log out").click()
    expect(page.get_by_role("main").get_by_role("button", name="Log in")).to_be_visible()
    page.goto(f"http://localhost:{server.console_port}/")
    expect(page.get_by_role("status").filter(has_text="Not allowed")).to_be_visible()


def test_a_role_hides_what_it_may_not(start: Callable[..., Server], open_tab: Callable[..., Tab]) -> None:
    """A contributor is not led to the simulation, whose page says who may use it."""
    server = start("--auth", "demo", "--auth-approve", "bob")
    tab = open_tab(f"http://localhost:{server.console_port}/login")
    tab.allow("status of 40[13]")
    page = tab.page
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("banner").get_by_text("(contributor)")).to_be_visible()
    expect(page.get_by_role("navigation").get_by_role("link", name="Simulation")).to_have_count(0)
    page.goto(f"http://localhost:{server.console_port}/simulation")
    expect(page.get_by_text("needs the role admin")).to_be_visible()


def test_a_login_outlives_a_reload_and_its_access_token(
    start: Callable[..., Server], open_tab: Callable[..., Tab]
) -> None:
    """A token that is too old is renewed, also after a reload; a duplicate of the tab can't, and ends no session."""
    server = start("--auth", "demo", "--auth-approve", "alice", "--clock", "manual")
    tab = open_tab(f"http://localhost:{server.console_port}/login")
    tab.allow("status of 401")
    page = tab.page
    admin = page.get_by_role("banner").get_by_text("(admin)")
    clock, apps = (page.get_by_role("link", name=name, exact=True) for name in ("Simulation", "Apps"))

    def advance() -> None:
        token: str = page.evaluate("sessionStorage['flyteapps.token']")
        connect_control(f"http://127.0.0.1:{server.port}", token=token).clock.advance("2h")

    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(admin).to_be_visible()
    for _ in range(2):
        page.reload()
        expect(admin).to_be_visible()
        advance()
        clock.click()
        expect(page.get_by_role("region", name="Clock")).to_contain_text("manual")
        apps.click()
    with page.expect_popup() as popup:
        page.evaluate("open(location.href)")
    expect(popup.value.get_by_role("banner").get_by_text("(admin)")).to_be_visible()
    advance()
    popup.value.get_by_role("link", name="Simulation", exact=True).click()
    expect(popup.value.get_by_text("The simulation is for admins of this plane: log in.")).to_be_visible()
    clock.click()
    expect(page.get_by_role("region", name="Clock")).to_contain_text("manual")
    expect(admin).to_be_visible()
