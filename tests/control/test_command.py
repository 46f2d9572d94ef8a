"""`flyteapps control`: each command against a server, its output, its errors and its exit statuses."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click
import pytest
from flyteidl2.app.app_definition_pb2 import Identifier
from flyteidl2.app.app_payload_pb2 import CreateRequest, WatchRequest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.cli.control.faults import EFFECTS, Effect
from flyteapps_fake.cli.control.main import control, main


class Ran(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def served() -> Iterator[FakeControlPlane]:
    """A plane with a manual clock, served in this process."""
    with FakeControlPlane(call_log=1_000, clock="manual") as made:
        made.serve()
        yield made


@pytest.fixture
def plane(served: FakeControlPlane) -> Iterator[FakeControlPlane]:
    """The same plane, which is left without apps, rules and calls."""
    yield served
    served.reset()


@pytest.fixture
def run(plane: FakeControlPlane, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command, written as in a shell, against the plane."""
    monkeypatch.setenv("FLYTEAPPS_ENDPOINT", plane.serve().url)

    def run(line: str, *more: str) -> Ran:
        status = main([*line.split(), *more])
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run


def create(plane: FakeControlPlane, name: str, project: str = "demo") -> None:
    """Create an app."""
    request = CreateRequest()
    identifier = request.app.metadata.id
    identifier.project, identifier.domain, identifier.name = project, "development", name
    request.app.spec.container.image = "example.org/hello:1"
    request.app.spec.desired_state = request.app.spec.DESIRED_STATE_ACTIVE
    plane.stub().create(request)


def test_calls_are_shown_with_their_causes(plane: FakeControlPlane, run: Run) -> None:
    """The effects of a call, and the causes of a stream's messages."""
    create(plane, "hello")
    name = Identifier(project="demo", domain="development", name="hello")
    events = iter(plane.stub().watch(WatchRequest(app_id=name)))
    plane.clock.advance(1)
    for _ in range(2):
        next(events)
    out = run("calls list --causes").out
    number = plane.calls.list("Create")[0].number
    assert re.search(r"\n    -> [\d:.]+ demo/development/hello created\n", out)
    assert re.search(r"\n    -> [\d:.]+ \S+ PENDING by timer: the simulated cluster reports its next state\n", out)
    assert f"    <- message 1 by call #{number + 1}\n    <- message 2 by call #{number}, timer: " in out
    del events


def test_calls_are_selected_by_time(plane: FakeControlPlane, run: Run) -> None:
    """By times of the plane's clock, in UTC where they name no zone; what is no time is invalid."""
    create(plane, "hello")
    plane.clock.advance(10)
    later = plane.clock.now.replace(tzinfo=None).isoformat()
    plane.clock.advance(1)
    create(plane, "other")
    assert "hello" in run(f"calls list --until {later}").out and "other" not in run(f"calls list --until {later}").out
    assert "other" in run(f"calls list --since {later}Z").out
    refused = run("calls list --since yesterday")
    assert refused.status == 2 and "'yesterday' is no time; use one such as 2026-01-01T00:05:00Z" in refused.err


def test_a_test_is_written(plane: FakeControlPlane, run: Run) -> None:
    """The source alone is printed; without a call there is none."""
    assert run("calls as-test").status == 1
    create(plane, "hello")
    assert run("calls as-test") == (0, plane.calls.as_test(), "")
    assert run("calls as-test Create --json").value == {"source": plane.calls.as_test("Create")}


def test_a_rule_is_added_listed_and_removed(plane: FakeControlPlane, run: Run) -> None:
    """The rule is shown in one line with its id; the list has how often it was applied; JSON is that of the wire."""
    added = run("faults fail Create --app hello --nth 1 --code unavailable --message", "try later")
    number = plane.faults.list()[0].id
    assert added == (0, f"{number} Create fail code=UNAVAILABLE message=try later app.name=hello nth=1\n", "")
    with pytest.raises(Exception, match="try later"):
        create(plane, "hello")
    create(plane, "hello")
    assert run("faults list").out.endswith("nth=1  (matched 2, applied 1)\n")
    [rule] = run("faults list --json").value
    assert (rule["id"], rule["fail"]["code"], rule["applied"]) == (number, "UNAVAILABLE", "1")
    assert run(f"faults remove {number}").out.startswith(f"removed {number} Create")
    assert run("faults list") == (0, "no rule\n", "")
    assert run("faults clear --json").value == []


@pytest.mark.parametrize("effect", EFFECTS, ids=[each.name for each in EFFECTS])
def test_the_example_of_an_effect_adds_its_rule(plane: FakeControlPlane, run: Run, effect: Any) -> None:
    """The example in a command's help is a rule with that effect."""
    assert run(effect.example).status == 0
    assert plane.faults.list()[0].WhichOneof("effect") == effect.name.replace("answer", "http").replace("-", "_")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("faults delay Get 1s --up-to 3s", "Get delay min=1s max=3s"),
        ("faults delay Get --median 200ms --sigma 1", "Get delay median=200ms sigma=1.0"),
        ("faults fail Update --code ABORTED --applied --lifetime 1h", "Update fail code=ABORTED applied lifetime=1h"),
        (
            "faults answer * 503 --send-header content-type=text/html",
            "* http status=503 headers.content-type=text/html",
        ),
        ("faults cut Watch --after 0 --header user-agent=x*", "Watch cut code=UNAVAILABLE headers.user-agent=x*"),
        ("faults stall Watch --after 1 --for 1m --every 2", "Watch stall after=1 duration=1m every=2"),
        ("faults stale Get 5s --app hello", "Get stale age=5s app.name=hello"),
        ("faults steal-lease --cluster other --nth 3", "UpdateStatus steal_lease cluster=other nth=3"),
    ],
)
def test_a_rule_has_what_its_options_say(run: Run, line: str, shown: str) -> None:
    """Durations, headers and selections arrive in the rule, and its line shows them."""
    assert run(line).out.partition(" ")[2].rstrip("\n") == shown


def test_time_passes(plane: FakeControlPlane, run: Run) -> None:
    """The clock is shown with what is pending, and moved by a duration, to a timer, and until a status."""
    began = plane.clock.now
    create(plane, "hello")
    shown = run("clock show").out.splitlines()
    assert "manual, " in shown[0] and "demo/development/hello" in shown[1]
    assert run("clock next --json").value["fired"] == "1"
    assert "timer(s) fired" in run("clock until hello ACTIVE").out
    assert plane.clock.now > began
    before = plane.clock.now
    run("clock advance 1h30m")
    assert (plane.clock.now - before).total_seconds() == 5400
    assert run("clock show --json").value["mode"] == "manual"
    refused = run("clock until gone ACTIVE --limit 1m")
    assert refused.status == 1 and "no app is ACTIVE" in refused.err


def test_calls_are_listed_and_verified(plane: FakeControlPlane, run: Run) -> None:
    """The exit status of verify is 1, with the explanation, where the calls are not as expected."""
    create(plane, "hello")
    create(plane, "other")
    assert [line.split()[3:] for line in run("calls list Create --app hello").out.splitlines()] == [
        ["AppService/Create", "demo/development/hello", "OK"]
    ]
    [call] = run("calls list --json --limit 1").value
    assert call["request"]["app"]["metadata"]["id"]["name"] == "other" and call["code"] == "OK"
    assert run("calls verify Create --times 2") == (0, "as expected\n", "")
    assert (
        run("calls verify Create --where spec.desired_state=ACTIVE --where metadata.id.name=hello --times 1").status
        == 0
    )
    differs = run("calls verify Update --app hello --times 1")
    assert differs.status == 1 and "expected 1 call(s) of Update name=hello, found 0 of 2" in differs.out
    assert run("calls verify Create --times 0 --json").value["holds"] is False
    assert run("calls clear").out == "2 call(s) forgotten\n"
    assert run("calls list") == (0, "no call is recorded that matches\n", "")


def test_streams_end_and_apps_go(plane: FakeControlPlane, run: Run) -> None:
    """A drop ends the streams about an app with a code; a reset removes the apps of a project."""
    create(plane, "hello")
    create(plane, "other", project="second")
    request = WatchRequest()
    request.app_id.project, request.app_id.domain, request.app_id.name = "demo", "development", "hello"
    events = iter(plane.stub().watch(request))
    next(events)
    assert run("streams drop --app hello --code aborted").out == "1 stream(s) ended\n"
    with pytest.raises(Exception, match=r".") as ended:
        next(events)
    assert "ABORTED" in str(getattr(ended.value, "code", ""))
    assert run("reset --project second").out == "1 app(s) removed\n"
    assert run("reset --json").value == {"removed": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("faults fail Creat --code UNAVAILABLE", "no RPC is called 'Creat': did you mean Create"),
        ("faults fail Create --code NOPE", "'NOPE' is no code of an error"),
        ("faults fail Create", "Missing option '--code'"),
        ("faults fail", "Missing argument 'RPC'"),
        ("faults fail Create --code ABORTED --nth 0", "nth must be at least 1"),
        ("faults fail Create --code ABORTED --nth 1 --every 2", "nth and every exclude each other"),
        ("faults fail Create --code ABORTED --probability 2", "probability must be over 0 and at most 1"),
        ("faults fail Create --code ABORTED --header x", "such as user-agent=connect-*"),
        ("faults fail Create --code ABORTED --ntj 1", "Did you mean --nth"),
        ("faults delay Get", "either a DURATION"),
        ("faults delay Get 2s --median 1s", "either a DURATION"),
        ("faults delay Get soon", "the duration 'soon' is invalid"),
        ("faults delay Get --median 1s --up-to 2s", "give both"),
        ("faults answer Get 42", "a status of HTTP is from 200 to 599"),
        ("faults remove f99", "f99"),
        ("faults break Get", "No such command 'break'"),
        ("clock advance -- -1s", "the duration '-1s' is invalid"),
        ("clock until hello ACTIV", "no status is called 'ACTIV'"),
        ("calls list Create --where spec.nothing=1", "has no field 'spec.nothing'"),
        ("calls list --where spec", "such as spec.desired_state=STOPPED"),
        ("calls verify --times -1", "--times"),
        ("clock show --endpoint ftp://localhost", "has the scheme 'ftp'"),
        ("clock show --timeout 0", "timeout must be over 0"),
        ("clock show --endpoint https://localhost:1 --ca-cert no-such.pem", "no-such.pem"),
        ("streams drop --code NOPE", "'NOPE' is no code"),
        ("scenarios use crash-loop --times 0", "--times"),
        ("scenarios add no-such.yaml", "flyteapps control: no-such.yaml: can't be read: No such file"),
        ("load hello 50", "the load '50' has no unit: write it as 50rps"),
        ("load hello -- -5rps", "the load '-5rps' is invalid"),
        ("load hello", "a load is missing after the app"),
        ("load hello 5rps --clear", "--clear takes no load"),
    ],
)
def test_invalid_input_is_one_line(run: Run, line: str, message: str) -> None:
    """Invalid input is exit status 2, and one line that says what is wrong; nothing is changed."""
    status, out, err = run(line)
    assert (status, out) == (2, "")
    assert err.startswith("flyteapps control: ") and err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.name)
def test_the_help_of_an_effect_names_an_rpc_that_can_have_it(run: Run, effect: Effect) -> None:
    """The RPC of the text is that of the example, which is added as it stands."""
    rpc = effect.rpc or effect.example.split()[2]
    assert run(effect.example).status == 0
    shown = " ".join(run(f"faults {effect.name} --help").out.split())
    assert (f"RPC is such as {rpc}, or * for all." in shown) == (not effect.rpc)


def test_loads_are_declared_listed_and_cleared(run: Run, plane: FakeControlPlane) -> None:
    """As text and as JSON; an app that doesn't exist yet is no error."""
    assert run("load hello 50rps").out == "0 app(s) have it\n"
    assert run("load w* .5concurrent --project demo --json").value == {"apps": 0}
    assert run("load").out == "hello 50rps\nw* 0.5concurrent project=demo\n"
    assert run("load --json").value["loads"][0] == {"app": {"name": "hello"}, "requestsPerSecond": 50.0}
    assert run("load hello --clear").out == "cleared hello 50rps\n"
    assert run("load hello --clear").out == "no load is declared for that\n"
    assert len(run("load --clear --json").value["loads"]) == 1
    assert run("load").out == "no load is declared\n"


def test_what_an_app_used_is_shown(run: Run, plane: FakeControlPlane) -> None:
    """With times, in their order, as text and as JSON."""
    assert run("usage hello").out == "there is no such app\n"
    create(plane, "hello")
    plane.clock.advance("10s")
    run("load hello 5rps")
    lines = run("usage hello").out.splitlines()
    assert lines[0] == "demo/development/hello"
    assert [line.split("  ")[2] for line in lines[1:]] == ["0 replica(s)", "no load", "1 replica(s)", "load 5rps"]
    assert [each["app"] for each in run("usage --json").value["apps"]] == ["demo/development/hello"]


def test_no_server_is_one_line(run: Run) -> None:
    """Where no server listens, the exit status is 1, and the line says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    status, out, err = run(f"faults list --endpoint localhost:{port}")
    assert (status, out) == (1, "") and err.count("\n") == 1
    assert f"can't connect to http://localhost:{port}" in err and "flyteapps serve" in err


def test_every_command_has_help_with_an_example(run: Run) -> None:
    """Each group and command has --help, with an example that begins with its own path."""
    for path in _paths(control, ()):
        ran = run(" ".join((*path, "--help")))
        assert ran.status == 0 and f"flyteapps control {' '.join(path)}".rstrip() in ran.out.partition("Example")[2]
    assert run("").status == 2


def _paths(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    for name, each in group.commands.items():
        if isinstance(each, click.Group):
            yield from _paths(each, (*path, name))
        else:
            yield (*path, name)
