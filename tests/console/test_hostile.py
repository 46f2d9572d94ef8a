"""Texts of hostile apps, as large as the plane takes them, on every page: they are shown as text, and do nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from flyteidl2.app.app_service_connect import AppServiceClientSync
from playwright.sync_api import expect
from sdk.field import Server

from serving.messages import create

from .tab import Tab

APP = "/v2/domain/development/project/p/apps/"
ATTACK = "<img src=x onerror=attacked=1><script>attacked=1</script>"
MARKS = "\x1b[31mred\x1b[0m\x1b]0;title\x07 \u202eesrever \x00\x08 &lt; {{x}} ${x}"


def test_hostile_texts_do_nothing(start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """HTML, scripts, ANSI, control characters and long texts of apps, and in addresses, are shown as text."""
    steps: list[dict[str, object]] = [
        {"state": "PENDING"},
        {"state": "DEPLOYING", "after": "1s", "message": ATTACK + MARKS},
        {"state": "ACTIVE", "substate": "RUNNING", "after": "1s", "message": (ATTACK + "x" * 1_000)[:1_000]},
    ]
    logs = [ATTACK, MARKS, "y" * 1_000, "\x1b]8;;javascript:attacked=1\x07click\x1b]8;;\x07", "the last line"]
    steps[2]["logs"] = logs
    (tmp_path / "hostile.json").write_text(json.dumps({"scenarios": {"hostile": {"steps": steps}}}))
    server = start("--call-log-size", "100", "--scenarios", str(tmp_path / "hostile.json"))
    request = create("hostile")
    request.app.metadata.labels.update({"flyteapps.dev/scenario": "hostile", "attack": ATTACK, "marks": MARKS})
    request.app.spec.container.env.add(key="ATTACK", value=ATTACK + "\u202e" + "z" * 500_000)
    request.app.spec.profile.short_description = ATTACK
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(request)
    tab = open_tab(f"http://localhost:{server.console_port}{APP}hostile")
    page = tab.page
    expect(tab.badge()).to_have_text("Active")
    expect(page.get_by_role("log")).to_contain_text("the last line")
    expect(page.get_by_role("log")).to_contain_text("<img src=x onerror")
    expect(page.get_by_role("log").locator("a")).to_have_count(0)
    page.get_by_text("The spec of revision").click()
    expect(page.get_by_text("ATTACK", exact=False).first).to_be_visible()
    page.goto(f"http://localhost:{server.console_port}/")
    expect(tab.row("hostile").locator(".badge")).to_have_text("Active")
    page.get_by_role("searchbox").fill(ATTACK)
    expect(page.get_by_text("No app matches.")).to_be_visible()
    for at in ("/", f"{APP}hostile", f"{APP}%3Cimg%20src=x%20onerror=attacked=1%3E", f"/?search={ATTACK}"):
        tab.allow("status of 40[04]")
        page.goto(f"http://localhost:{server.console_port}{at}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("typeof attacked") == "undefined", at
        assert page.locator("img, iframe, script:not([src]), [style*=url], [onerror]").count() == 0, at
