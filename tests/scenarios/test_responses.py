"""The responses that scenarios declare: which one a request gets, when, and what is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from control.calls import create, get

from flyteapps_control.api import ControlError
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.simulation import book as books
from flyteapps_fake.simulation.files import format as fields
from flyteapps_fake.simulation.files.located import ScenarioError, from_data, from_text
from flyteapps_fake.simulation.files.parsing import parse_scenarios
from flyteapps_fake.simulation.responses import find_response
from flyteapps_fake.simulation.scenarios import LABEL, Scenario

from .driving import FAILED, PENDING, last_message, restart, scenarios, start

HTTP = httpx.Client(trust_env=False)
ALL = {"name": "*"}


@pytest.fixture(params=["standard", "flyte-oss"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each dialect."""
    return request.param


def plane_with(*responses: Any, dialect: str = "standard", **others: Any) -> FakeControlPlane:
    """Return a plane whose apps all have these responses."""
    data = scenarios(own={"when": ALL, "responses": [*responses], **others})
    return FakeControlPlane(scenarios=data, clock="manual", dialect=dialect)


def ask(plane: FakeControlPlane, path: str = "/", method: str = "GET", name: str = "hello") -> httpx.Response:
    """Request a path of an app by its URL."""
    url = urlsplit(plane.stub().get(get(name)).app.status.ingress.public_url)
    return HTTP.request(
        method, f"http://127.0.0.1:{url.port}{url.path.rstrip('/')}{path}", headers={"host": url.netloc}
    )


def parsed(*responses: Any) -> Scenario:
    """Return the scenario with these responses."""
    [found] = parse_scenarios(from_data(scenarios(own={"responses": [*responses]})))
    return found


def test_an_app_answers_what_its_scenario_declares(dialect: str) -> None:
    """While it is ACTIVE, with the header that names the app; starting, stopped and failed it is 503 as before."""
    with plane_with({"body": "hello\n", "headers": {"X-A": "b", "x-count": 3}}, dialect=dialect) as plane:
        plane.serve()
        plane.stub().create(create("hello"))
        assert ask(plane).status_code == 503
        plane.clock.advance("5s")
        answer = ask(plane)
        assert (answer.status_code, answer.text) == (200, "hello\n")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert (answer.headers["x-a"], answer.headers["x-count"]) == ("b", "3")
        assert answer.headers["x-flyteapps-app"].endswith("/proj/dev/hello")
        assert answer.headers["x-content-type-options"] == "nosniff"
        head = ask(plane, method="HEAD")
        assert (head.status_code, head.headers["content-length"], head.content) == (200, "6", b"")
        start(plane, "failing", **{LABEL: "image-pull-error"})
        assert ask(plane, name="failing").status_code == 503


def test_without_a_response_the_answer_says_how_to_have_one(dialect: str) -> None:
    """Of an app without any, and of one whose responses don't match; by a scenario, or by --run."""
    with plane_with({"path": "/healthz", "body": "ok"}, dialect=dialect) as plane:
        plane.serve()
        start(plane, "plain", **{LABEL: "healthy"})
        start(plane, "hello")
        plain, other = ask(plane, "/x", name="plain"), ask(plane, "/x?y=1", "POST")
        assert (plain.status_code, other.status_code) == (501, 501)
        for words in ("nothing runs behind it", "--run", "`responses` in a scenario", "docs/scenarios.md"):
            assert words in plain.json()["message"]
        assert "its scenario own declares no response to POST /x: add one" in other.json()["message"]
        assert ask(plane, "/healthz").text == "ok"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/healthz", "health"),
        ("HEAD", "/healthz", "health"),
        ("POST", "/healthz", "rest"),
        ("POST", "/v1/chat", "chat"),
        ("PUT", "/v1/chat", "put"),
        ("HEAD", "/head", "head"),
        ("GET", "/head", "rest"),
        ("HEAD", "/v1/a/b", "rest"),
        ("GET", "/v1", "rest"),
        ("X" * 9, "", "rest"),
    ],
)
def test_the_first_that_matches_counts(method: str, path: str, body: str) -> None:
    """By globs on method and path; a HEAD has those of a GET."""
    found = parsed(
        {"method": "get", "path": "/healthz", "body": "health"},
        {"method": "P[OA]*", "path": "/v1/*", "body": "chat"},
        {"method": "PUT", "path": "*", "body": "put"},
        {"method": "HEAD", "path": "/h?ad", "body": "head"},
        {"body": "rest"},
    )
    response = find_response(found.responses, method, path)
    assert response is not None and response.body.decode() == body


@pytest.mark.parametrize(
    ("fields", "content_type", "body"),
    [
        ({}, "", ""),
        ({"body": None}, "", ""),
        ({"body": "h\u00e9\n"}, "text/plain; charset=utf-8", "h\u00e9\n"),
        ({"body": ""}, "text/plain; charset=utf-8", ""),
        ({"body": {"a": [1, 2.5, None, True, "\u00e9"], "b": {}, "c": []}}, "application/json", None),
        ({"body": []}, "application/json", "[]"),
        ({"body": False}, "application/json", "false"),
        ({"body": 5}, "application/json", "5"),
        ({"body": "<p>", "content_type": "text/html"}, "text/html; charset=utf-8", "<p>"),
        ({"body": "<p>", "content_type": "text/html;charset=latin-1"}, "text/html;charset=latin-1", "<p>"),
        ({"body": "{}", "content_type": "application/json"}, "application/json", "{}"),
        ({"body": [], "content_type": "application/problem+json"}, "application/problem+json", "[]"),
    ],
)
def test_a_body_is_a_text_or_json(fields: dict[str, Any], content_type: str, body: str | None) -> None:
    """A text as it is, any other value as JSON; the content type fits, unless another is given."""
    [response] = parsed(fields).responses
    assert response.content_type.decode() == content_type
    if body is not None:
        assert response.body.decode() == body
    else:
        assert json.loads(response.body) == fields["body"]


def test_a_status_without_a_body() -> None:
    """Statuses and headers of one's own; 204 and 304 have neither a body nor a length."""
    responses = [
        {"path": "/204", "status": 204},
        {"path": "/304", "status": 304, "headers": {"etag": '"x"'}},
        {"path": "/302", "status": 302, "headers": {"location": "/elsewhere"}},
        {"path": "/500", "status": 500, "body": "oh"},
        {"path": "/299", "status": 299},
    ]
    with plane_with(*responses) as plane:
        plane.serve()
        start(plane)
        for code in (204, 304, 302, 500, 299):
            answer = ask(plane, f"/{code}")
            assert answer.status_code == code
            assert ("content-length" in answer.headers) == (code not in (204, 304))
            assert "transfer-encoding" not in answer.headers
        assert ask(plane, "/302").headers["location"] == "/elsewhere"


def test_a_request_wakes_an_app_at_zero(dialect: str) -> None:
    """It is answered at once, and counts as one to the app."""
    with plane_with({"body": "hello"}, dialect=dialect) as plane:
        plane.serve()
        start(plane)
        plane.clock.advance("1h")
        assert plane.stub().get(get("hello")).app.status.current_replicas == 0
        assert ask(plane).text == "hello"
        plane.clock.advance("1m")
        assert plane.stub().get(get("hello")).app.status.current_replicas == 1


def test_without_steps_it_is_as_healthy_is(dialect: str) -> None:
    """A scenario with responses alone runs; one with steps does what they say."""
    with plane_with({"body": "hello"}, dialect=dialect) as plane:
        plane.serve()
        plane.scenarios.add(scenarios(failing={"steps": [PENDING, FAILED], "responses": [{"body": "x"}]}))
        start(plane)
        assert ask(plane).text == "hello"
        start(plane, "other", **{LABEL: "failing"})
        assert ask(plane, name="other").status_code == 503


def test_the_responses_are_those_of_the_last_start() -> None:
    """Of a use, of `then`; what is added later is for the next start."""
    with plane_with({"body": "first"}) as plane:
        plane.serve()
        first = {"when": {"name": "hell?"}, "responses": [{"body": "first"}], "then": "second", "weight": 1e9}
        plane.scenarios.add(scenarios(first=first, second={"responses": [{"body": "second"}]}))
        plane.scenarios.add(scenarios(used={"responses": [{"body": "used"}]}))
        plane.scenarios.use("used", times=1)
        for body in ("used", "first", "second"):
            start(plane)
            assert ask(plane).text == body
        plane.scenarios.add(scenarios(second={"responses": [{"body": {"now": True}}]}))
        assert ask(plane).text == "second"
        restart(plane)
        assert ask(plane).json() == {"now": True}


def test_a_path_of_the_app_may_look_like_one_of_the_console() -> None:
    """Under the app's host name the whole path is the app's own."""
    with plane_with({"path": "/apps/x/y", "body": "mine"}) as plane:
        server = plane.serve()
        start(plane)
        subdomain = plane.stub().get(get("hello")).app.spec.ingress.subdomain
        by_host = HTTP.get(f"{server.url}/apps/x/y", headers={"host": f"{subdomain}.apps.localhost:{server.port}"})
        assert (by_host.status_code, by_host.text) == (200, "mine")
        assert ask(plane, "/apps/x/y").text == "mine"


def test_a_written_test_has_the_responses() -> None:
    """`as_test` repeats the scenario with what it answers."""
    with FakeControlPlane(
        scenarios=scenarios(own={"when": ALL, "responses": [{"body": {"a": 1}}]}), clock="manual", call_log=10
    ) as plane:
        start(plane)
        source = plane.calls.as_test()
    assert "{'own': {'responses': [{'body': {'a': 1}}]}}" in source.replace('"', "'").replace("\n", "")


def response(text: str) -> str:
    """Return a file with one response, whose fields begin at line 4, column 8."""
    return f"scenarios:\n  own:\n    responses:\n    - {{{text}}}\n"


MISTAKES = {
    "scenarios: {own: {responses: {body: x}}}\n": ("1:30", "responses must be a list, such as [{path: /healthz"),
    "scenarios: {own: {response: []}}\n": ("1:19", "unknown field 'response' of the scenario own: did you mean respon"),
    "scenarios: {own: {summary: x}}\n": ("1:18", "needs `steps`; or `responses`"),
    response("staus: 200"): ("4:8", "unknown field 'staus' of a response: did you mean status?"),
    response("status: 199"): ("4:16", "status must be from 200 to 599, not 199"),
    response("status: 600"): ("4:16", "status must be from 200 to 599"),
    response("status: OK"): ("4:16", "status must be a whole number"),
    response("status: 204, body: x"): ("4:27", "body: a response with status 204 has none"),
    response("status: 304, body: {}"): ("4:27", "body: a response with status 304 has none"),
    response("body: 1.0e+400"): ("4:14", "body: neither a text nor JSON"),
    response("body: {a: [1.0e+400]}"): ("4:14", "body: neither a text nor JSON"),
    response("method: 'GET, HEAD'"): ("4:16", "method must be a method, such as POST; globs are allowed"),
    response("method: [GET]"): ("4:16", "method must be a text"),
    response("path: healthz"): ("4:14", "path must be a path within the app, such as /healthz"),
    response(r'path: "/a\nb"'): ("4:14", "path must be a path within the app"),
    response("content_type: html"): ("4:22", "content_type must be such as text/html, not 'html'"),
    response(r'content_type: "text/html\r\nx: y"'): ("4:22", "content_type must be such as text/html"),
    response("headers: [a]"): ("4:17", "headers must be texts by name"),
    response("headers: {a b: c}"): ("4:18", "headers: 'a b' is no name of a header"),
    response(r'headers: {"a\r\nb": c}'): ("4:18", "is no name of a header"),
    response(r'headers: {a: "b\r\nset-cookie: c"}'): ("4:21", "headers: a must be printable ASCII, in one line"),
    response(r'headers: {a: "b "}'): ("4:21", "printable ASCII, in one line"),
    response(r'headers: {a: "\xe9"}'): ("4:21", "printable ASCII, in one line"),
    response("headers: {a: yes}"): ("4:21", "headers: a must be a text; quotes make one"),
    response("headers: {a: [b]}"): ("4:21", "headers: a must be a text"),
    response("headers: {a: b, A: c}"): ("4:24", "headers: a is given twice"),
    response("headers: {Content-Type: text/html}"): ("4:18", "give the content type as `content_type`"),
    response("headers: {Content-Length: 5}"): ("4:18", "content-length is the server's own to set"),
    response("headers: {transfer-encoding: chunked}"): ("4:18", "transfer-encoding is the server's own"),
    response("headers: {connection: close}"): ("4:18", "connection is the server's own"),
    response("headers: {x-flyteapps-app: other}"): ("4:18", "x-flyteapps-app is the server's own"),
    response("headers: {access-control-allow-origin: '*'}"): ("4:18", "is the server's own"),
}


@pytest.mark.parametrize("text", MISTAKES, ids=[message for _, message in MISTAKES.values()])
def test_a_mistake_is_refused_with_its_place(text: str) -> None:
    """File, line, column, what is wrong: no header can be slipped in, none that is the connection's."""
    place, message = MISTAKES[text]
    with pytest.raises(ScenarioError) as refused:
        parse_scenarios(from_text(text, "f.yaml"))
    assert str(refused.value).startswith(f"f.yaml:{place}: ") and message in str(refused.value), refused.value


def test_what_is_too_much_is_refused() -> None:
    """The responses of a text, their bytes and their headers, those of aliases wherever they stand."""
    doubled = "&a0 [x]" + "".join(f", &a{number} [*a{number - 1}, *a{number - 1}]" for number in range(1, 60))
    nested = "&b0 [x]" + "".join(f", &b{number} [*b{number - 1}]" for number in range(1, 500))
    many = ", ".join("{body: x}" for _ in range(fields.MAX_RESPONSES + 1))
    shared = "".join(f"\n  s{number}: {{responses: *r}}" for number in range(20))
    large = "x" * 60_000
    headers = ", ".join(f"a{number}: {'x' * 1_000}" for number in range(fields.MAX_HEADERS))
    for text, message in (
        (response(f"body: [{doubled}]"), "have more than 1,048,576 bytes"),
        (response(f"body: [{nested}]"), "nested too deeply"),
        (f"scenarios: {{own: {{responses: [{many}]}}}}", "more than 1,000 responses"),
        (f"scenarios:\n  own: {{responses: &r [{{body: {large}}}]}}{shared}", "have more than 1,048,576 bytes"),
        (response(f"headers: &h {{{headers}}}") + "    - {headers: *h}\n" * 21, "have more than 1,048,576 bytes"),
        (response("headers: {" + ", ".join(f"a{number}: b" for number in range(51)) + "}"), "at most 50"),
        (response(f"headers: {{a: {'x' * 1_001}}}"), "more than 1,000 characters"),
        (response(f"path: /{'x' * 1_000}"), "more than 1,000 characters"),
    ):
        with pytest.raises(ScenarioError, match=message):
            parse_scenarios(from_text(text, "f"))


def test_what_aliases_multiply_counts_in_what_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of all scenarios of the control API are those that are kept, not those that were sent."""
    monkeypatch.setattr(books, "MAX_ADDED_BYTES", 300_000)
    body = f"[&a {[1] * 1_000}, {', '.join(['*a'] * 60)}]"
    path = tmp_path / "f.yaml"
    with FakeControlPlane() as plane:
        path.write_text(f"scenarios: {{one: {{responses: [{{body: {body}}}]}}}}")
        plane.scenarios.add(path)
        path.write_text(f"scenarios: {{two: {{responses: [{{body: {body}}}]}}}}")
        with pytest.raises(ControlError, match="all added scenarios can have at most"):
            plane.scenarios.add(path)


@pytest.mark.parametrize("data_plane", ["none", "processes"])
def test_without_a_simulated_cluster_there_are_no_scenarios(data_plane: Any) -> None:
    """Neither added nor used: the error says why; the list is there. With --run the settings are refused, too."""
    with FakeControlPlane(data_plane=data_plane) as plane:
        for refused in (
            lambda: plane.scenarios.add(scenarios(own={"responses": [{"body": "x"}]})),
            lambda: plane.scenarios.use("busy"),
        ):
            with pytest.raises(
                ControlError, match=r"no cluster is simulated, as --run or .*: scenarios have no effect"
            ):
                refused()
        assert "busy" in [each.name for each in plane.scenarios.list()]
    if data_plane == "processes":
        refusals: list[dict[str, Any]] = [{"app_scenarios": {"*": "busy"}}, {"scenarios": scenarios(own=[PENDING])}]
        for settings in refusals:
            with pytest.raises(ValueError, match="for the simulated cluster"):
                FakeControlPlane(data_plane=data_plane, **settings)


@pytest.mark.parametrize("number", [2**53 + 1, -(10**30)])
def test_a_number_that_would_not_stay_exact(number: int) -> None:
    """A mapping travels with floats alone: a larger whole number is refused, and a text can hold it."""
    with FakeControlPlane(clock="manual") as plane:
        with pytest.raises(ValueError, match="write it as a text"):
            plane.scenarios.add(scenarios(own={"responses": [{"body": {"id": number}}]}))
        plane.scenarios.add(scenarios(own={"responses": [{"body": {"id": 2**53, "text": str(number)}}]}))
        plane.scenarios.use("own")
        plane.serve()
        start(plane)
        assert ask(plane).json() == {"id": 2**53, "text": str(number)}
        assert last_message(plane) == "Running"


def test_in_memory_a_number_is_exact() -> None:
    """A mapping of the settings, and a file, hold any whole number."""
    assert parsed({"body": 2**53 + 1}).responses[0].body == b"9007199254740993"
