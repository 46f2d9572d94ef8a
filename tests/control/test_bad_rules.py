"""Rules that can't be, and arguments of the wrong type, are errors that name what is wrong, and change nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from unittest.mock import call

import pytest

from flyteapps_control import faults
from flyteapps_control.api import ControlError
from flyteapps_control.v1.control_pb2 import Fault
from flyteapps_fake import FakeControlPlane

Use = Callable[[FakeControlPlane, Any], object]


def fail(name: str) -> Use:
    """Return a use of a keyword of `fail`."""
    arguments: dict[str, Any] = {"rpc": "Get", "code": "ABORTED"}
    return lambda plane, value: plane.faults.fail(**{**arguments, name: value})


def answer(name: str) -> Use:
    """Return a use of a keyword of `answer`."""
    arguments: dict[str, Any] = {"rpc": "Get", "status": 429}
    return lambda plane, value: plane.faults.answer(**{**arguments, name: value})


def delay(plane: FakeControlPlane, value: Any) -> object:
    """Use a sigma."""
    return plane.faults.delay("Get", median=1, sigma=value)


def cut(plane: FakeControlPlane, value: Any) -> object:
    """Use a number of messages."""
    return plane.faults.cut("Watch", after=value)


def steal(plane: FakeControlPlane, value: Any) -> object:
    """Use a name of a cluster."""
    return plane.faults.steal_lease(cluster=value)


def scenario(name: str) -> Use:
    """Return a use of an argument of `scenarios.use`."""
    arguments: dict[str, Any] = {"name": "healthy"}
    return lambda plane, value: plane.scenarios.use(**{**arguments, name: value})


def calls(name: str) -> Use:
    """Return a use of an argument of `calls.list`."""
    return lambda plane, value: plane.calls.list(**{name: value})


TEXTS: dict[str, Use] = {
    **{f"fail {name}": fail(name) for name in ("rpc", "code", "app", "project", "domain", "caller", "message")},
    **{f"calls {name}": calls(name) for name in ("rpc", "code", "app", "project", "domain")},
    **{f"use {name}": scenario(name) for name in ("name", "app", "project", "domain")},
    "cluster": steal,
    "until app": lambda plane, value: plane.clock.advance_until(app=value, status="ACTIVE"),
    "until status": lambda plane, value: plane.clock.advance_until(app="demo", status=value),
    "why": lambda plane, value: plane.clock.why(app=value),
    "reset": lambda plane, value: plane.reset(app=value),
    "drop app": lambda plane, value: plane.drop_streams(app=value),
    "drop code": lambda plane, value: plane.drop_streams(code=value),
    "load": lambda plane, value: plane.loads.set("5rps", app=value),
    "clear": lambda plane, value: plane.loads.clear(app=value),
    "remove rule": lambda plane, value: plane.faults.remove(value),
    "remove scenario": lambda plane, value: plane.scenarios.remove(value),
}
FLAGS: dict[str, Use] = {
    "fail applied": fail("applied"),
    "reset applied": lambda plane, value: plane.faults.reset("Get", applied=value),
    "answer applied": lambda plane, value: plane.faults.answer("Get", status=502, applied=value),
    "delay real": lambda plane, value: plane.faults.delay("Get", seconds=1, real=value),
}
WHOLES: dict[str, Use] = {
    **{f"fail {name}": fail(name) for name in ("nth", "first", "every", "times")},
    "calls limit": calls("limit"),
    "verify times": lambda plane, value: plane.calls.verify("Get", times=value),
    "use times": scenario("times"),
    "status": answer("status"),
    "retry_after": answer("retry_after"),
    "cut": cut,
}
MAPPINGS: dict[str, Use] = {"headers": fail("headers"), "headers_sent": answer("headers_sent")}
NUMBERS: dict[str, Use] = {"probability": fail("probability"), "sigma": delay}
OTHERS: dict[str, Use] = {
    "details": fail("details"),
    "body": answer("body"),
    "add": lambda plane, value: plane.faults.add(*value),
}


def refuses(use: Use, bad: Any, message: str) -> None:
    """Check that the use of a value is a TypeError, and changes nothing."""
    with FakeControlPlane(clock="manual", call_log=10) as plane:
        with pytest.raises(TypeError, match=message):
            use(plane, bad)
        assert not plane.faults.list() and not plane.scenarios.uses() and not plane.loads.list()


@pytest.mark.parametrize("use", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("bad", [5, b"x", ["x"]], ids=repr)
def test_a_value_that_is_no_text(use: Use, bad: Any) -> None:
    """A number or bytes instead of a text."""
    refuses(use, bad, "must be a text, not ")


@pytest.mark.parametrize("use", FLAGS.values(), ids=FLAGS)
@pytest.mark.parametrize("bad", ["true", 1, 2**63, None], ids=repr)
def test_a_value_that_is_no_flag(use: Use, bad: Any) -> None:
    """A text or a number instead of True or False."""
    refuses(use, bad, "must be True or False, not ")


@pytest.mark.parametrize("use", WHOLES.values(), ids=WHOLES)
@pytest.mark.parametrize("bad", ["2", 1.5, True, b"1"], ids=repr)
def test_a_value_that_is_no_whole_number(use: Use, bad: Any) -> None:
    """A text, a fraction or a flag instead of a number of calls."""
    refuses(use, bad, "must be a whole number, not ")


@pytest.mark.parametrize("use", WHOLES.values(), ids=WHOLES)
def test_a_number_that_is_too_large(use: Use) -> None:
    """The bound is named."""
    with FakeControlPlane(call_log=10) as plane, pytest.raises(ValueError, match=r"at most 2,147,483,647|from 200 to"):
        use(plane, 2**31)


@pytest.mark.parametrize("use", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("bad", ["0.5", True, [1]], ids=repr)
def test_a_value_that_is_no_number(use: Use, bad: Any) -> None:
    """A text instead of a probability."""
    refuses(use, bad, "must be a number, not ")


@pytest.mark.parametrize("use", MAPPINGS.values(), ids=MAPPINGS)
@pytest.mark.parametrize("bad", [5, "x", [("a", "b")], {"a": 5}, {5: "a"}], ids=repr)
def test_a_value_that_is_no_mapping_of_texts(use: Use, bad: Any) -> None:
    """Headers whose names or values are no texts."""
    refuses(use, bad, "must be a (mapping of texts|text)")


@pytest.mark.parametrize("use", OTHERS.values(), ids=OTHERS)
def test_a_value_of_another_type(use: Use) -> None:
    """Details that are no messages, a body that is no bytes, a rule that is none."""
    refuses(use, [5], "must be ")


@pytest.mark.parametrize(
    ("setting", "value", "error", "message"),
    [
        ("call_log", "5", TypeError, "call_log must be a whole number, not '5'"),
        ("call_log", 1.5, TypeError, "call_log must be a whole number, not 1.5"),
        ("call_log", -1, ValueError, "call_log must be at least 0, not -1"),
        ("call_log", 10**30, ValueError, "call_log must be at most 1,000,000"),
        ("speed", "2", TypeError, "speed must be a number, not '2'"),
        ("app_scenarios", "healthy", TypeError, "app_scenarios must be a mapping of texts by name, not 'healthy'"),
        ("app_scenarios", {5: "healthy"}, TypeError, "a name in app_scenarios must be a text, not 5"),
        ("app_scenarios", {"*": 5}, TypeError, "app_scenarios['*'] must be a text, not 5"),
    ],
)
def test_a_setting_of_another_type(setting: str, value: Any, error: type[Exception], message: str) -> None:
    """It is refused where the plane is made, not by a later call."""
    settings: dict[str, Any] = {setting: value}
    with pytest.raises(error, match=re.escape(message)):
        FakeControlPlane(**settings)


def test_a_delay_between_three_durations() -> None:
    """A pair is wanted."""
    with pytest.raises(ValueError, match=r"a pair \(minimum, maximum\), not \(1, 2, 3\)"):
        faults.delay("Get", seconds=(1, 2, 3))  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize(
    ("status", "headers", "body", "message"),
    [
        (429, {"a\r\nb": "c"}, b"", "is no name of a header"),
        (429, {"": "c"}, b"", "is no name of a header"),
        (429, {":status": "200"}, b"", "is no name of a header"),
        (429, {"a b": "c"}, b"", "is no name of a header"),
        (429, {"a": "c\r\nset-cookie: d"}, b"", "the header a can't be"),
        (429, {"a": "\0"}, b"", "the header a can't be"),
        (429, {"a": "\u65e5"}, b"", "the header a can't be"),
        (200, {"Content-Length": "5"}, b"hello, world", "the header Content-Length is up to the server"),
        (200, {"transfer-encoding": "chunked"}, b"", "the header transfer-encoding is up to the server"),
        (200, {"a": "x" * 100_000}, b"", "headers have at most 16,384 characters, and these 100,001"),
        (204, {}, b"x", "an answer of HTTP 204 has no body"),
        (304, {}, b"x", "an answer of HTTP 304 has no body"),
    ],
)
def test_an_answer_that_no_server_can_send(status: int, headers: dict[str, str], body: bytes, message: str) -> None:
    """It is refused where it is added, not by a 500 where it is sent, which differs by version of HTTP."""
    with FakeControlPlane() as plane:
        rule = Fault(rpc="Get", http=Fault.HttpAnswer(status=status, headers=headers, body=body))
        with pytest.raises(ControlError, match=re.escape(message)):
            plane.faults.add(rule)
        assert not plane.faults.list()


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("fail", call("Creat", code="UNAVAILABLE"), "no RPC is called 'Creat': did you mean Create"),
        ("fail", call("Create", code="SOMETHING"), "'SOMETHING' is no code of an error: there are"),
        ("fail", call("Create", code="OK"), "'OK' is no code of an error"),
        ("fail", call("Create", code="ABORTED", probability=2), "probability must be over 0"),
        ("fail", call("Create", code="ABORTED", nth=0), "nth must be at least 1, not 0"),
        ("fail", call("Create", code="ABORTED", nth=1, first=1), "nth and first exclude each other"),
        ("fail", call("Create", code="ABORTED", times=0), "times must be at least 1"),
        ("fail", call("Create", code="ABORTED", lifetime="-1s"), "the duration '-1s' is invalid"),
        ("delay", call("Get", seconds=-1), "the duration -1 is negative"),
        ("delay", call("Get", seconds=0), "seconds must be longer than nothing"),
        ("delay", call("Get", seconds=("3s", "1s")), "minimum '3s' is above its maximum '1s'"),
        ("delay", call("Get"), "a delay needs seconds"),
        ("delay", call("Get", seconds=float("nan")), "is not finite"),
        ("delay", call("Get", seconds="200y"), "the duration '200y' is invalid"),
        ("delay", call("Get", median="1s", sigma=0), "sigma must be over 0"),
        ("answer", call("Get", status=99), "a status of HTTP is from 200 to 599, not 99"),
        ("cut", call("Get", after=1), "cut is for streams, such as Watch"),
        ("cut", call("Watch", after=-1), "after must be at least 0, not -1"),
        ("repeat", call("Watch", message=0), "message must be at least 1, not 0"),
        ("remove", call("f7"), "no rule has the id 'f7'"),
    ],
)
def test_a_rule_that_cannot_be_changes_nothing(
    plane: FakeControlPlane, method: str, arguments: Any, message: str
) -> None:
    """A clear error says what is wrong, and the rules stay as they were."""
    plane.faults.fail("Get", code="ABORTED")
    with pytest.raises(ValueError) as refused:  # noqa: PT011  # its text is compared
        getattr(plane.faults, method)(*arguments.args, **arguments.kwargs)
    assert message in str(refused.value)
    assert [each.id for each in plane.faults.list()] == ["f1"]


def test_an_unknown_keyword_is_named() -> None:
    """A misspelt keyword is a TypeError that lists those that exist."""
    with (
        FakeControlPlane(call_log=1_000) as plane,
        pytest.raises(TypeError, match="no keyword 'ap'; calls are selected by project"),
    ):
        plane.faults.fail("Get", code="ABORTED", ap="demo")  # type: ignore[call-arg]  # the mistake


def test_rules_are_added_all_or_none(plane: FakeControlPlane) -> None:
    """One invalid rule among several adds none."""
    with pytest.raises(ControlError):
        plane.faults.add(faults.fail("Get", code="ABORTED"), faults.fail("Nothing", code="ABORTED"))
    assert plane.faults.list() == []
