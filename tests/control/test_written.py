"""`plane.calls.as_test()`: the test that it writes runs, and makes the same calls with the same codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import Spec
from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.calls.message_code import Imports, code_of
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import GET

from .calls import app_id, create, delete, get, update, watch


def test_calls_that_were_not_carried_out_are_left_out() -> None:
    """A delayed call whose client left, and one that still waits, have no code that a test could expect."""
    with FakeControlPlane(clock="manual", call_log=10) as plane:
        plane.stub().create(create())
        plane.faults.delay("Get", seconds=60)
        with pytest.raises(ConnectError, match="the deadline passed"):
            plane.stub().get(get(), timeout_ms=20)
        with pytest.raises(Postponed):
            plane.call(Call(GET, get()))
        source = plane.calls.as_test()
    assert "# #2 Get is not repeated: it was delayed, and its client left" in source
    assert "# #3 Get is not repeated: it was delayed, and it was not over" in source
    assert [each.code for each in repeated(source)] == ["OK"]


def refused(call: Callable[[], object]) -> None:
    """Make a call that is refused."""
    with pytest.raises(ConnectError):
        call()


def history(plane: FakeControlPlane) -> None:
    """Make writes, reads, a refused call, a call with a fault, and a Watch that is cut."""
    stub = plane.stub()
    stub.create(create())
    plane.faults.fail("Create", nth=2, code="UNAVAILABLE")
    plane.faults.cut("Watch", after=3, code="DATA_LOSS")
    stub.create(create("second"))
    refused(lambda: stub.create(create("third")))
    stub.create(create("fourth"))
    stub.update(update("second", desired_state=Spec.DESIRED_STATE_STOPPED))
    events = iter(stub.watch(watch()))
    plane.clock.advance_until(app="demo", status="ACTIVE")
    for _ in range(3):
        next(events)
    refused(partial(next, events))
    stub.get(get())
    refused(lambda: stub.get(get("absent")))
    logs = iter(plane.logs_stub().tail_logs(TailLogsRequest(app_id=app_id())))
    next(logs)
    stub.update(update())
    plane.faults.fail("Update", code="ABORTED", applied=True, first=1)
    refused(lambda: stub.update(update(desired_state=1)))
    plane.clock.advance("1h")
    stub.delete(delete("second"))
    del events, logs


def repeated(source: str) -> list[Any]:
    """Run a written test on a plane of its own, as its marker says; return the calls that it made."""
    names: dict[str, Any] = {}
    exec(compile(source, "<as_test>", "exec"), names)
    test = names["test_recorded_calls"]
    [marker] = test.pytestmark
    with FakeControlPlane(call_log=1_000, **marker.kwargs) as plane:
        test(plane)
        return plane.calls.list()


@pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
def test_a_written_test_makes_the_same_calls(dialect: str) -> None:
    """Same RPCs, requests and codes, at the same times; the text is the same for the same calls."""
    settings: dict[str, Any] = {"dialect": dialect, "seed": 7, "org": "acme" if dialect == "standard" else None}
    with FakeControlPlane(call_log=1_000, clock="manual", **settings) as plane:
        history(plane)
        source = plane.calls.as_test()
        assert source == plane.calls.as_test()
        before = plane.calls.list()
    after = repeated(source)
    assert [each.rpc for each in after] == [each.rpc for each in before]
    for one, other in zip(before, after, strict=True):
        assert (one.request, one.code) == (other.request, other.code), f"#{one.number}"
        assert abs(one.time.ToNanoseconds() - other.time.ToNanoseconds()) < 1_000_000, f"#{one.number}"


def test_a_stream_that_was_the_last_call_is_read_at_the_times_of_its_messages() -> None:
    """The clock is moved before messages are read that timers led to."""
    with FakeControlPlane(call_log=1_000) as plane:
        plane.stub().create(create())
        events = iter(plane.stub().watch(watch()))
        for _ in range(5):
            next(events)
        del events
        source = plane.calls.as_test()
    [_, watched] = repeated(source)
    assert len(watched.responses) == 5


def test_a_written_test_can_fail() -> None:
    """A plane that answers otherwise doesn't pass it."""
    with FakeControlPlane(call_log=1_000, clock="manual") as plane:
        plane.stub().create(create())
        source = plane.calls.as_test()
    with pytest.raises(AssertionError):
        repeated(source.replace('== "OK"', '== "ABORTED"'))


def test_a_written_test_runs_in_pytest(tmp_path: Path) -> None:
    """As a file of its own, with the fixture flyte_plane."""
    with FakeControlPlane(call_log=1_000, clock="manual", app_scenarios={"demo": "crash-loop"}) as plane:
        history_of_one(plane)
        (tmp_path / "test_recorded.py").write_text(plane.calls.as_test(app="demo"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def history_of_one(plane: FakeControlPlane) -> None:
    """Make a few calls."""
    stub = plane.stub()
    stub.create(create())
    plane.clock.advance("2m")
    stub.get(get())
    stub.create(create("other"))


def test_calls_that_cannot_be_repeated_are_comments() -> None:
    """Calls of services without a stub in process, and faults that depend on time."""
    with FakeControlPlane(call_log=1_000, clock="manual") as plane:
        stub = plane.stub()
        stub.create(create())
        plane.faults.stale("Get", age=5)
        stub.get(get())
        source = plane.calls.as_test()
    assert "# f1, stale of #2, is not repeated" in source
    assert len(repeated(source)) == 2


def test_without_a_call_there_is_nothing_to_write() -> None:
    """A selection that matches none is an error, instead of a test that checks nothing."""
    with (
        FakeControlPlane(call_log=1_000, clock="manual") as plane,
        pytest.raises(ValueError, match="nothing to repeat"),
    ):
        plane.calls.as_test("Delete")


@pytest.mark.parametrize("request_", [create(), update(desired_state=2), get(), watch()])
def test_code_makes_the_message(request_: Any) -> None:
    """Maps, lists, enums, nested types and messages of one name are written as constructors."""
    if hasattr(request_, "app"):
        request_.app.metadata.labels["b"] = "2"
        request_.app.metadata.labels["a"] = 'quo"te\n'
        request_.app.spec.container.args.extend(["--x", "y" * 200])
        request_.app.spec.autoscaling.replicas.max = 3
        request_.app.spec.timeouts.request_timeout.seconds = 5
    imports = Imports()
    text = code_of(request_, imports)
    names: dict[str, Any] = {}
    exec("\n".join(imports.lines()), names)
    assert eval(text, names) == request_
    assert all(len(line) <= 120 for line in text.splitlines() if "yyyy" not in line)
