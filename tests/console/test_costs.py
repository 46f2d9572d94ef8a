"""The size of the build, the first paint of 10,000 apps, and an idle page's cost. Times are printed, and not judged."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from import_graph import ROOT
from playwright.sync_api import expect
from sdk.field import Server

from .tab import Tab, seed_file

MAX_BYTES = 300_000
IDLE_SECONDS = 10.0
REST_SECONDS = 15.0
LOADS = 3
"""Loads of the page, of which the quickest counts: other tests run on the machine."""
FIRST_ROW = """
window.firstRow = new Promise((painted) => {
  new MutationObserver((_, observer) => {
    if (document.querySelector("tbody th a") === null) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => painted(performance.now())));
  }).observe(document, { childList: true, subtree: true });
});
"""
"""Remembers when the first row has been painted, in milliseconds since the page's address was opened."""


Record = Callable[[str, object], None]
"""The type of the fixture `record_property`."""


def test_the_build_is_small(record_property: Record) -> None:
    """The files that the console adds to the wheel are small, compressed."""
    files = (ROOT / "fake_server" / "flyteapps_fake" / "console" / "static").rglob("*")
    size = sum(len(gzip.compress(path.read_bytes())) for path in files if path.is_file())
    record_property("figure", f"the build is {size / 1000:.0f} kB, compressed")
    assert size <= MAX_BYTES


def test_many_apps_are_painted_soon_and_cost_nothing_when_idle(
    start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path, record_property: Record
) -> None:
    """Of 10,000 apps few are in the page; the time to the first one, and the server's idle CPU, are printed."""
    apps = [f"name: app-{i:05}, image: i, desired_state: stopped" for i in range(10_000)]
    server = start("--quiet", "--seed-file", str(seed_file(tmp_path, apps)))
    tab = open_tab("about:blank")
    tab.page.add_init_script(FIRST_ROW)
    painted = list[float]()
    for _ in range(LOADS):
        tab.page.goto(f"http://localhost:{server.console_port}/", wait_until="domcontentloaded")
        expect(tab.row("app-00000")).to_be_visible()
        painted.append(tab.page.evaluate("window.firstRow"))
    expect(tab.page.get_by_role("table")).to_have_attribute("aria-rowcount", "10001")
    assert tab.page.get_by_role("row").count() < 200
    tab.wait_until_live()
    used, seconds = idle_cpu(server)
    record_property("figure", f"of 10,000 apps the first rows are there after {min(painted):.0f} ms, at best")
    record_property("figure", f"a server of 10,000 apps with an idle page uses {100 * used / seconds:.2f} % of a core")


def idle_cpu(server: Server) -> tuple[float, float]:
    """Return the CPU seconds of the server's processes over some seconds, once they have come to rest."""
    tree = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    limit = time.monotonic() + REST_SECONDS
    while used_within(tree, 1.0) > 0.01 and time.monotonic() < limit:
        pass
    return used_within(tree, IDLE_SECONDS), IDLE_SECONDS


def used_within(tree: list[psutil.Process], seconds: float) -> float:
    """Return the CPU seconds of these processes within a span of time."""
    before = cpu(tree)
    time.sleep(seconds)  # the span of the measurement, no wait for an event
    return cpu(tree) - before


def cpu(tree: list[psutil.Process]) -> float:
    """Return the CPU seconds of these processes so far."""
    return sum(times.user + times.system for each in tree for times in [each.cpu_times()])
