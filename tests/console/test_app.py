"""The page of an app: follows it, changes it, shows its log and calls, and stays harmless whatever its texts are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from flyteidl2.app.app_payload_pb2 import GetRequest
from flyteidl2.app.app_service_connect import AppServiceClientSync
from playwright.sync_api import expect
from sdk.field import Server

from flyteapps_control.remote import connect_control

from .requests import busy, send_requests
from .tab import Tab, seed_file
from .test_reconnect import free_ports

PATH = "/v2/domain/development/project/demo/apps/"
HELLO = 'name: hello, image: "example.invalid/hello:1"'
HOSTILE = """\
scenarios:
  hostile:
    when: {name: "*"}
    steps:
    - {state: PENDING, message: "<img src=x onerror=alert(1)> \\u202eRTL \\u001b[31m\\u0007", after: 50ms}
    - state: ACTIVE
      substate: RUNNING
      after: 1s
      logs: ["\\u001b[1;31mred\\u001b[0m <img src=x onerror=alert(1)>", "\\u001b]0;title\\u0007\\u202eRTL\\u0000"]
"""
REFUSED = r"status of (400|404)|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|net::"
"""The browser's own lines about calls that the plane refuses, and about a server that is gone."""


def url(server: Server, name: str) -> str:
    """Return the address of an app's page."""
    return f"http://localhost:{server.console_port}{PATH}{name}"


def button(tab: Tab, name: str) -> None:
    """Press a button by its name."""
    tab.page.get_by_role("button", name=name, exact=True).click()


def test_buttons_change_the_app(start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """Stop, start, restart and delete do what they say; a refusal is shown as the plane words it."""
    server = start("--speed", "10", "--call-log-size", "100", "--seed-file", str(seed_file(tmp_path, [HELLO])))
    tab = open_tab(url(server, "hello"))
    tab.allow(REFUSED)
    expect(tab.badge()).to_have_text("Active")
    button(tab, "Delete")
    button(tab, "Delete it")
    expect(tab.page.get_by_role("alert")).to_contain_text("is not stopped: set its desired state to STOPPED first")
    button(tab, "Stop")
    expect(tab.badge()).to_have_text("Stopped")
    button(tab, "Start")
    expect(tab.badge()).to_have_text("Active")
    button(tab, "Restart")
    expect(tab.page.get_by_text("User requested to restart app from the console").first).to_be_visible()
    expect(tab.badge()).to_have_text("Active")
    with AppServiceClientSync(f"http://localhost:{server.port}") as client:
        request = GetRequest()
        request.app_id.project, request.app_id.domain, request.app_id.name = "demo", "development", "hello"
        assert client.get(request).app.metadata.revision == 4
    difference = tab.page.get_by_role("region", name="Difference of the specs")
    expect(difference.locator(".changed")).to_contain_text("desiredState")
    expect(tab.page.get_by_role("region", name="Table of calls").get_by_text("AppService/Update")).to_have_count(3)
    button(tab, "Write a test that repeats them")
    expect(tab.page.get_by_text("def test_recorded_calls").first).to_be_visible()
    button(tab, "Stop")
    expect(tab.badge()).to_have_text("Stopped")
    button(tab, "Delete")
    button(tab, "Delete it")
    expect(tab.page.get_by_role("alert")).to_contain_text("no longer there")
    expect(tab.page.get_by_role("group", name="Actions")).to_have_count(0)


def test_a_link_to_an_app_that_is_not_there(
    start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    """The page names the app of that name in another case, and leads there; a name that no app can have is answered."""
    server = start("--seed-file", str(seed_file(tmp_path, [HELLO])))
    for name in ("Hello", "HEL_LO", "%3Cscript%3Ehello"):
        tab = open_tab(url(server, name))
        tab.allow(REFUSED)
        expect(tab.page.get_by_role("heading", level=1)).to_have_text("No such app")
    near = open_tab(url(server, "HELLO"))
    near.allow(REFUSED)
    near.page.get_by_role("link", name="demo/development/hello").click()
    expect(near.page.get_by_role("heading", level=1)).to_have_text("hello")


def test_hostile_texts_are_texts(start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """Messages, labels and log lines with HTML, escapes and marks of direction are shown, and do nothing."""
    scenarios = tmp_path / "scenarios.yaml"
    scenarios.write_text(HOSTILE, encoding="utf-8")
    command = r'["<script>alert(1)</script>", "\u202e", "\e[31m"]'
    app = f'name: evil, image: "<i>x", labels: {{team: "<b>x</b>"}}, command: {command}'
    server = start("--speed", "10", "--scenarios", str(scenarios), "--seed-file", str(seed_file(tmp_path, [app])))
    tab = open_tab(url(server, "evil"))
    expect(tab.badge()).to_have_text("Active")
    expect(tab.page.get_by_role("cell", name=re.compile(r"^<img src=x onerror=alert\(1\)> ⟨202E⟩RTL"))).to_be_visible()
    log = tab.page.get_by_role("log")
    expect(log.locator(".red.bold")).to_have_text("red")
    expect(log).to_contain_text("<img src=x onerror=alert(1)>")
    expect(log).to_contain_text("⟨202E⟩RTL")
    expect(tab.page.get_by_text("team=<b>x</b>")).to_be_visible()
    assert tab.page.locator("main img, main script, main b").count() == 0
    tab.page.get_by_role("searchbox", name="Search the log").fill("img src")
    expect(log.locator(".line")).to_have_count(1)


def test_a_restart_of_the_server(start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """The page says that the server is gone, comes back by itself, and follows the app again."""
    ports = free_ports()
    options = ["--seed-file", str(seed_file(tmp_path, [HELLO])), "--port", ports[0], "--console-port", ports[1]]
    first = start(*options)
    tab = open_tab(url(first, "hello"))
    tab.allow(REFUSED)
    expect(tab.badge()).to_have_text("Active")
    first.kill()
    expect(tab.page.get_by_text("Disconnected")).to_be_visible()
    expect(tab.badge()).to_have_text("Active")
    start(*options)
    tab.wait_until_live()
    button(tab, "Stop")
    expect(tab.badge()).to_have_text("Stopped")


def test_what_a_plane_does_not_have(start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path) -> None:
    """A plane of flyte-oss that records no calls has a page that says what can't be had."""
    seed = str(seed_file(tmp_path, [HELLO]))
    tab = open_tab(url(start("--dialect", "flyte-oss", "--server", "portable", "--seed-file", seed), "hello"))
    tab.allow(REFUSED)
    expect(tab.badge()).to_have_text("Active")
    expect(tab.page.get_by_text("not counted by this plane")).to_be_visible()
    expect(tab.page.get_by_text("keeps the present conditions alone")).to_be_visible()
    expect(tab.page.get_by_text("flyteapps serve --call-log-size 1000")).to_be_visible()


def test_replicas_and_requests_are_drawn(
    start: Callable[..., Server], open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    """The chart has each number of replicas, the declared load and the requests as they come, and so has its table."""
    server = start("--clock", "manual", "--call-log-size", "100", "--seed-file", str(seed_file(tmp_path, [HELLO])))
    control = connect_control(f"http://127.0.0.1:{server.port}")
    tab = open_tab(url(server, "hello"))
    part = tab.page.get_by_role("region", name="Replicas and requests")
    expect(part.get_by_text("No request has come to its URL")).to_be_visible()
    expect(part.locator(".load")).to_have_count(0)
    with AppServiceClientSync(f"http://localhost:{server.port}") as client:
        client.create(busy("busy"))
    control.clock.advance("10s")
    control.loads.set("50rps", app="busy")
    control.clock.advance("10s")
    tab.page.goto(url(server, "busy"))
    chart = part.get_by_role(
        "img", name="Replicas over time: 5 now, at most 5. Requests: 0. Declared load: 50 requests a second."
    )
    expect(chart).to_be_visible()
    line = chart.locator(".replica-lane .line")
    expect(line).to_have_attribute("d", re.compile(r"^M[^V]*V[^V]*V[^V]*$"))  # from none to one, and to five
    expect(chart.locator("path.load")).to_have_attribute("d", re.compile("V"))
    expect(chart.locator("g.mark title")).to_have_text([re.compile(r"^Call \d+: Create, OK")])
    send_requests(server.port, "busy", 3)
    control.clock.advance("5s")
    send_requests(server.port, "busy", 4)
    expect(part.get_by_role("img", name="Requests: 7.")).to_be_visible()
    expect(part.locator(".request-lane rect")).to_have_count(2)
    expect(part.locator(".request-lane rect title")).to_have_text([re.compile("^3 in 1 s"), re.compile("^4 in 1 s")])
    part.locator("summary").press("Enter")
    table = part.get_by_role("region", name="Table of replicas and requests")
    expect(table.get_by_role("row").filter(has_text="Replicas")).to_have_text([re.compile(f"{n}$") for n in (5, 1, 0)])
    expect(table.get_by_role("row").filter(has_text=re.compile(" in 1 s$"))).to_have_text(
        [re.compile("4 in"), re.compile("3 in")]
    )
    control.loads.clear()
    control.reset(app="busy")
    expect(tab.page.get_by_role("alert")).to_contain_text("no longer there")
    expect(part.get_by_role("img", name="Requests: 7.")).to_be_visible()  # what was last known stays
