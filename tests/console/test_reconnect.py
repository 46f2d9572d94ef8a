"""A server that goes and comes back while the page is open."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from flyteidl2.app.app_service_connect import AppServiceClientSync
from playwright.sync_api import expect
from sdk.field import Server

from serving.messages import create

from .tab import Tab


def free_ports() -> list[str]:
    """Return two ports of the loopback that were free just now."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return [str(each.getsockname()[1]) for each in (one, other)]


def test_a_killed_server_is_followed_again(
    start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    """After kill -9 the page says so and keeps its apps; once the server is back, it goes on without a reload."""
    port, console_port = free_ports()
    options = ["--port", port, "--console-port", console_port, "--state", str(tmp_path / "state")]
    server = start(*options)
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(create("kept"))
    tab = open_tab(f"http://localhost:{server.console_port}/")
    tab.allow(r"net::ERR_")
    expect(tab.row("kept").locator(".badge")).to_have_text("Active")
    tab.wait_until_live()
    server.kill()
    expect(tab.page.get_by_role("status").filter(has_text="Disconnected")).to_be_visible()
    expect(tab.row("kept")).to_be_visible()
    server = start(*options)
    with AppServiceClientSync(f"http://127.0.0.1:{server.port}") as client:
        client.create(create("new"))
    expect(tab.row("new").locator(".badge")).to_have_text("Active")
    expect(tab.row("kept").locator(".badge")).to_have_text("Active")
    tab.wait_until_live()
