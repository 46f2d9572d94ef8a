"""The state of a plane has its rules for faults, loads, scenarios and their uses, and the number of the last call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from control.calls import create, get, update
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from flyteapps_control.selection import AppGlobs
from flyteapps_control.v1.control_pb2 import AppSelector, Fault, ScenarioUse
from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.control.effects import Postponed
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.operations import GET
from flyteapps_fake.core.state.document import WrongState

SLOW = {"scenarios": {"slow": {"steps": [{"state": "PENDING", "after": "1m"}, {"state": "ACTIVE", "after": "1m"}]}}}


def made(**settings: Any) -> FakeControlPlane:
    """Return a plane on the manual clock with a log of calls."""
    wanted: dict[str, Any] = {"clock": "manual", "call_log": 100, **settings}
    return FakeControlPlane(**wanted)


def state(plane: FakeControlPlane) -> PlaneState:
    """Return the document of a plane, without the moment at which it was written."""
    document = plane.document()
    document.time.wall = 0
    return document


def through_bytes(document: PlaneState) -> PlaneState:
    """Return a document as it is read from bytes."""
    return PlaneState.FromString(document.SerializeToString())


def through_json(document: PlaneState) -> PlaneState:
    """Return a document as it is read from JSON."""
    return json_format.Parse(json_format.MessageToJson(document), PlaneState())


def declare_rules(plane: FakeControlPlane) -> None:
    plane.faults.fail("Create", nth=2, code="UNAVAILABLE")
    plane.faults.fail("Get", probability=0.5, code="ABORTED", app="hello")
    plane.faults.delay("List", seconds=(1, 2))
    plane.faults.fail("Delete", lifetime="5m", code="INTERNAL")


def declare_loads(plane: FakeControlPlane) -> None:
    plane.loads.set("50rps", app="a*")
    plane.loads.set("2concurrent")
    plane.loads.set("7rps", app="a*")


def declare_scenarios(plane: FakeControlPlane) -> None:
    plane.scenarios.add(SLOW)
    plane.scenarios.use("slow", app="hello-*", times=3)
    plane.scenarios.use("crash-loop", app="bad")


DECLARED: list[Callable[[FakeControlPlane], None]] = [declare_rules, declare_loads, declare_scenarios]


@pytest.mark.parametrize("declare", DECLARED)
@pytest.mark.parametrize("through", [through_bytes, through_json])
def test_a_document_has_it(
    declare: Callable[[FakeControlPlane], None], through: Callable[[PlaneState], PlaneState]
) -> None:
    """A plane that loads the document of another has the same state."""
    plane, other = made(), made()
    declare(plane)
    other.load_document(through(plane.document()))
    assert state(other) == state(plane)
    assert state(other) != state(made())


@pytest.mark.parametrize("declare", DECLARED)
def test_a_snapshot_has_it(declare: Callable[[FakeControlPlane], None]) -> None:
    """A restore brings back what was removed, and removes what was added."""
    plane = made()
    empty = state(plane)
    plane.take_snapshot("empty")
    declare(plane)
    full = state(plane)
    plane.take_snapshot("full")
    plane.reset_state()
    assert state(plane) == empty
    plane.restore_snapshot("full")
    assert state(plane) == full
    plane.restore_snapshot("empty")
    assert state(plane) == empty
    plane.restore_snapshot("full")
    assert state(plane) == full


@pytest.mark.parametrize("declare", DECLARED)
def test_a_project_does_not_have_it(declare: Callable[[FakeControlPlane], None]) -> None:
    """The reset of a project leaves the rules, loads and scenarios of the plane alone."""
    plane = made()
    declare(plane)
    before = state(plane)
    plane.reset_state("any")
    assert state(plane) == before


def test_rules_count_on() -> None:
    """The second call fails, although the first was counted by another plane."""
    plane, other = made(), made()
    plane.faults.fail("Create", nth=2, code="UNAVAILABLE")
    plane.stub().create(create("a"))
    other.load_document(through_bytes(plane.document()))
    with pytest.raises(ConnectError, match="fault f1"):
        other.stub().create(create("b"))
    other.stub().create(create("b"))


def test_ids_are_given_once() -> None:
    """The ids of removed rules and uses aren't given again after a load; after a reset they begin anew."""
    plane, other = made(), made()
    declare_rules(plane)
    declare_scenarios(plane)
    plane.remove_faults([])
    with plane.scenario_book() as book:
        book.clear()
    other.load_document(through_bytes(plane.document()))
    assert other.faults.fail("Get", code="ABORTED").id == "f5"
    assert other.scenarios.use("crash-loop").id == "u3"
    other.reset_state()
    assert other.faults.fail("Get", code="ABORTED").id == "f1"
    assert other.scenarios.use("crash-loop").id == "u1"


def test_draws_follow_the_seed_of_a_reset() -> None:
    """A plane that is reset with a seed draws as a new one with that seed."""

    def outcomes(plane: FakeControlPlane) -> list[bool]:
        plane.faults.fail("Get", probability=0.5, code="ABORTED")
        plane.stub().create(create("hello"))
        return [_answers(lambda: plane.stub().get(get("hello"))) for _ in range(30)]

    plane = made(seed=1)
    first = outcomes(plane)
    plane.reset_state(seed=2)
    second = outcomes(plane)
    assert first != second
    assert second == outcomes(made(seed=2))


def test_calls_are_numbered_on() -> None:
    """A timer's call is none of those that are recorded after a load; a reset numbers them anew."""
    plane, other = made(), made()
    plane.stub().create(create("hello"))
    other.load_document(through_bytes(plane.document()))
    other.stub().get(get("hello"))
    assert [each.number for each in other.recorded_calls()] == [2]
    assert other.forgotten_calls() == 0
    other.advance(60)
    assert not other.recorded_calls()[0].changes
    other.reset_state()
    assert other.recorded_calls() == []
    other.stub().create(create("hello"))
    assert [each.number for each in other.recorded_calls()] == [1]


def test_delayed_calls_end() -> None:
    """A call that a fault delays ends with UNAVAILABLE when the plane is reset meanwhile."""
    plane = made()
    plane.faults.delay("Get", seconds=3600)
    plane.stub().create(create("hello"))
    with pytest.raises(Postponed) as delayed:
        plane.call(Call(GET, get("hello")))
    assert not delayed.value.is_void()
    plane.reset_state()
    assert delayed.value.is_void()
    with pytest.raises(RpcError, match="the plane was reset: try again") as refused:
        delayed.value.resume()
    assert refused.value.code is Code.UNAVAILABLE


def test_a_scenario_is_found_after_a_load() -> None:
    """An app that is to start with an added scenario does so, whichever of the two comes first in the document."""
    plane, other = made(), made()
    plane.scenarios.add(SLOW)
    plane.scenarios.use("slow", app="hello", times=2)
    plane.stub().create(create("hello"))
    other.load_document(through_json(plane.document()))
    for each in (plane, other):
        each.stub().update(update("hello"))
        each.advance(90)
    assert state(other) == state(plane)
    with other.scenario_book() as book:
        [given_to] = book.given.of(_all())
        assert given_to.scenario == book.find("slow")


WRONG: list[tuple[Callable[[PlaneState], Any], str]] = [
    (lambda d: d.fault_rules.add().fault.MergeFrom(_fault(id="f1", rpc="Nothing")), r"fault_rules\[0\]: .*Nothing"),
    (lambda d: d.fault_rules.add().fault.MergeFrom(_fault(id="x")), r"fault_rules\[0\]: 'x' is no id"),
    (lambda d: d.scenarios.add(name="x", data="{"), r"scenarios\[0\]: "),
    (
        lambda d: d.scenarios.add(name="healthy", data='{"steps": [{"state": "PENDING"}]}'),
        r"scenarios\[0\]: .*built-in",
    ),
    (lambda d: d.scenarios.add(name="x", data="[" * 100_000), r"scenarios\[0\]: .*nested"),
    (lambda d: d.scenario_uses.add(), r"scenario_uses\[0\]: '' is no id"),
    (lambda d: d.loads.add().load.app.MergeFrom(_selector("x" * 10_000)), r"loads\[0\]: "),
]


@pytest.mark.parametrize(("spoil", "message"), WRONG)
def test_a_wrong_document_changes_nothing(spoil: Callable[[PlaneState], Any], message: str) -> None:
    """A piece that can't be is refused with its place, and the plane stays what it was."""
    plane = made()
    declare_rules(plane)
    before = state(plane)
    document = made().document()
    spoil(document)
    with pytest.raises(WrongState, match=message):
        plane.load_document(document)
    assert state(plane) == before


NAMES = st.sampled_from(["hello", "hello-1", "bad", "other"])
OPERATIONS = st.one_of(
    st.tuples(st.just("create"), NAMES),
    st.tuples(st.just("get"), NAMES),
    st.tuples(st.just("update"), NAMES),
    st.tuples(st.just("advance"), st.sampled_from([1, 20, 100])),
    st.tuples(st.just("load"), st.sampled_from(["3rps", "0", "20concurrent"]), NAMES),
    st.tuples(st.just("clear-load"), NAMES),
    st.tuples(st.just("use"), st.sampled_from(["crash-loop", "slow", "healthy"]), NAMES, st.integers(0, 2)),
    st.tuples(st.just("add"), st.sampled_from(["slow", "quick"]), st.sampled_from([1, 30])),
    st.tuples(st.just("remove"), st.sampled_from(["slow", "quick", "u1", "u2"])),
    st.tuples(
        st.just("fault"), st.sampled_from(["Create", "Get", "Update"]), st.sampled_from(["probability", "nth", "times"])
    ),
    st.tuples(st.just("no-fault"), st.sampled_from(["f1", "f2", "f3"])),
)
CHOICES: dict[str, dict[str, Any]] = {"probability": {"probability": 0.5}, "nth": {"nth": 2}, "times": {"times": 2}}


def run(plane: FakeControlPlane, operation: tuple[Any, ...]) -> object:
    """Carry an operation out; return its answer, or the refusal."""
    stub = plane.stub()
    try:
        match operation:
            case "create", name:
                return stub.create(create(name)).SerializeToString(deterministic=True)
            case "get", name:
                return stub.get(get(name)).SerializeToString(deterministic=True)
            case "update", name:
                return stub.update(update(name)).SerializeToString(deterministic=True)
            case "advance", seconds:
                return plane.advance(seconds)
            case "load", load, name:
                return plane.loads.set(load, app=name)
            case "clear-load", name:
                return len(plane.loads.clear(app=name))
            case "use", scenario, name, times:
                return plane.scenarios.use(scenario, app=name, times=times).id
            case "add", name, seconds:
                steps = [{"state": "PENDING", "after": f"{seconds}s"}, {"state": "ACTIVE", "after": "1s"}]
                return len(plane.scenarios.add({"scenarios": {name: {"steps": steps}}}))
            case "remove", name:
                return plane.scenarios.remove(ScenarioUse(id=name) if name.startswith("u") else name)
            case "fault", rpc, choice:
                return plane.faults.fail(rpc, code="UNAVAILABLE", **CHOICES[choice]).id
            case _:
                return len(plane.remove_faults([operation[1]]))
    except (ConnectError, KeyError, ValueError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"


@settings(max_examples=60, deadline=None)
@given(st.lists(OPERATIONS, max_size=12), st.lists(OPERATIONS, max_size=12), st.lists(OPERATIONS, max_size=12))
def test_a_twin_behaves_the_same(before: list[Any], between: list[Any], after: list[Any]) -> None:
    """A plane that was restored, and one that loaded its document, answer as one to which nothing has happened."""
    plain, restored, loaded = made(seed=3), made(seed=3), made(seed=3)
    for operation in before:
        assert run(plain, operation) == run(restored, operation)
    then = restored.document()
    image = then.SerializeToString(deterministic=True)
    restored.take_snapshot("then")
    for operation in between:
        run(restored, operation)
        run(loaded, operation)
    restored.restore_snapshot("then")
    loaded.load_document(through_bytes(then))
    assert state(restored).fault_rules == then.fault_rules
    assert PlaneState.FromString(image) == then
    for operation in after:
        answer = run(plain, operation)
        assert run(restored, operation) == answer
        assert run(loaded, operation) == answer
    for plane in (plain, restored, loaded):
        plane.clear_calls()
    wanted = state(plain)
    for plane in (restored, loaded):
        found = state(plane)
        found.time.calls = wanted.time.calls
        for app in (*found.standard_apps, *wanted.standard_apps):
            for timer in app.timers:
                timer.call = 0
        assert found == wanted


def _answers(call: Callable[[], object]) -> bool:
    try:
        call()
    except ConnectError:
        return False
    return True


def _fault(**fields: Any) -> Fault:
    fault = Fault(**fields)
    fault.fail.code = "ABORTED"
    return fault


def _selector(name: str) -> AppSelector:
    return AppSelector(name=name)


def _all() -> AppGlobs:
    return AppGlobs(AppSelector())


@pytest.mark.parametrize("last", [None, 1])
def test_a_document_without_the_last_ids(last: int | None) -> None:
    """A new rule or use of the plane that takes it replaces none, whatever the document says of the last ids."""
    with FakeControlPlane(clock="manual") as plane, FakeControlPlane(clock="manual") as other:
        declare_rules(plane)
        declare_scenarios(plane)
        document = plane.document()
        document.ClearField("last_ids")
        if last is not None:
            document.last_ids.fault_rules = document.last_ids.scenario_uses = last
        other.load_document(through_json(document))
        assert other.faults.fail("Watch", code="ABORTED").id == "f5"
        assert other.scenarios.use("crash-loop", app="new").id == "u3"
        assert [each.id for each in other.faults.list()] == ["f1", "f2", "f3", "f4", "f5"]
        assert [each.id for each in other.scenarios.uses()] == ["u1", "u2", "u3"]


COUNTS: list[Callable[[PlaneState, int], None]] = [
    lambda document, number: setattr(document.last_ids, "fault_rules", number),
    lambda document, number: setattr(document.fault_rules[1].fault, "matched", number),
    lambda document, number: setattr(document.scenario_uses[0].use, "applied", number),
    lambda document, number: setattr(document.loads[0], "number", number),
]


def test_counts_out_of_range() -> None:
    """A document with a count that no plane has is refused, and changes nothing."""
    with FakeControlPlane(clock="manual") as plane:
        declare_rules(plane)
        declare_loads(plane)
        declare_scenarios(plane)
        for number in (-1, 2**63 - 1):
            for edit in COUNTS:
                document = plane.document()
                edit(document, number)
                with pytest.raises(WrongState, match=f"{number} is out of range"):
                    plane.load_document(document)
        assert len(plane.faults.list()) == 4
