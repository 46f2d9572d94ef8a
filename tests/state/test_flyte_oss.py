"""The state of a plane of the dialect flyte-oss: a plane that returned to a state goes on as one that never left it.

A history is a list of operations; a restore takes the plane back to that of its snapshot. What the plane is then is
compared with a twin that has run just the operations that count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest
from flyteidl2.app import app_logs_payload_pb2 as logs_rpc
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_definition_pb2 import App
from flyteidl2.common import list_pb2
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from innards import sections_of
from plane.api import STOP, app_id, new_app

from flyteapps_control.selection import AppGlobs
from flyteapps_control.v1.control_pb2 import AppSelector
from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake.control_plane import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.operations import CREATE, DELETE, GET, LIST, TAIL_LOGS, UPDATE, WATCH
from flyteapps_fake.core.operations import Operation as RpcOperation
from flyteapps_fake.core.state.sections import Section
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.flyte_oss import answers

SCENARIOS: dict[str, Any] = {
    "rounds": {
        "then": "drawn",
        "steps": [
            {"state": "PENDING", "after": "300ms", "jitter": "100ms", "logs": ["begins"]},
            {
                "loop": {
                    "times": 2,
                    "after": "400ms",
                    "steps": [
                        {
                            "state": "FAILED",
                            "message": "Failure {round}",
                            "after": "200ms",
                            "jitter": "50ms",
                            "logs": ["down {round}"],
                        },
                        {"state": "ACTIVE", "substate": "RUNNING", "after": "300ms"},
                    ],
                }
            },
        ],
    },
    "drawn": {
        "when": {"name": "other"},
        "steps": [
            {"state": "PENDING"},
            {
                "choose": [
                    {"weight": 1, "steps": [{"state": "FAILED", "substate": "CRASH_LOOP", "after": "2s"}]},
                    {"weight": 2, "steps": [{"state": "ACTIVE", "substate": "RUNNING", "after": "1s"}]},
                ]
            },
        ],
    },
}
LABELS = ("", "", "crash-loop", "write-conflict", "image-pull-error", "busy", "rounds", "rounds", "unknown")
NAMES, PROJECTS = ("demo", "Demo", "other"), ("proj", "Proj", "second")
MAX_MOVES = 30
"""Timers up to which two planes are compared: some apps move without end."""
ANSWERS_BYTES = 500
"""A bound of the cached answers that a few of them reach."""

POD = "pod"
Operation = tuple[Any, ...]
Answer = object


def new_plane(seed: int = 7) -> FakeControlPlane:
    """Return a plane with the settings that all planes here have."""
    return FakeControlPlane(dialect="flyte-oss", clock="manual", seed=seed, scenarios={"scenarios": SCENARIOS})


def answer(plane: FakeControlPlane, operation: RpcOperation, request: Any) -> Answer:
    """Return the answer to a unary call: encoded, or the text of its error."""
    try:
        return plane.call(Call(operation, request))
    except RpcError as error:
        return f"{error.code}: {error}"


def read(plane: FakeControlPlane, operation: RpcOperation, request: Any) -> Answer:
    """Return what a stream yields at once."""
    try:
        stream = plane.open(Call(operation, request))
    except RpcError as error:
        return f"{error.code}: {error}"
    try:
        return drained(stream)
    finally:
        stream.close()


def drained(stream: OpenStream) -> list[object]:
    """Return what a stream yields now, with the error that it ends with."""
    found: list[object] = []
    try:
        while (message := stream.take()) is not None:
            found.append(message)
    except RpcError as error:
        found.append(f"{error.code}: {error}")
    return found


def sent(name: str, where: str, label: str, image: str, bounds: tuple[int, int], stopped: bool) -> App:
    """Return an app as a client sends it: with the image POD as a pod, whose maps have random orders."""
    app = new_app(name, project=where, image=image)
    if image == POD:
        app.spec.pod.pod_spec.update({"containers": [{"name": "app", "image": "img:1"}]})
    if label:
        app.metadata.labels["flyteapps.dev/scenario"] = label
    app.spec.autoscaling.replicas.min, app.spec.autoscaling.replicas.max = bounds
    if stopped:
        app.spec.desired_state = STOP
    return app


def run(plane: FakeControlPlane, operation: Operation) -> Answer:
    """Run one operation of a client, or of time."""
    match operation:
        case "create", *app:
            return answer(plane, CREATE, rpc.CreateRequest(app=sent(*app)))
        case "update", *app:
            return answer(plane, UPDATE, rpc.UpdateRequest(app=sent(*app)))
        case "delete", name, where:
            return answer(plane, DELETE, rpc.DeleteRequest(app_id=app_id(name, project=where)))
        case "get", name, where:
            return answer(plane, GET, rpc.GetRequest(app_id=app_id(name, project=where)))
        case "list", limit:
            return answer(plane, LIST, rpc.ListRequest(request=list_pb2.ListRequest(limit=limit)))
        case "watch", name, where:
            return read(plane, WATCH, rpc.WatchRequest(app_id=app_id(name, project=where)))
        case "tail", name, where:
            return read(plane, TAIL_LOGS, logs_rpc.TailLogsRequest(app_id=app_id(name, project=where)))
        case "ask", name, where:
            return plane.ask(f"{name}-{where}-dev.{plane.settings.base_domain}")
        case "load", amount, name:
            return plane.loads.set(amount, app=name)
        case "use", scenario, name:
            return plane.scenarios.use(scenario, app=name, times=1).id
        case "advance", seconds:
            plane.advance(seconds)
            return None
        case _:
            raise AssertionError(operation)


def state(plane: FakeControlPlane) -> PlaneState:
    """Return the plane's state without what depends on the wall clock."""
    document = plane.document()
    document.time.wall = 0
    return document


def future(plane: FakeControlPlane) -> list[object]:
    """Return what a plane shows from now on, to the end of its timers."""
    looks: list[Operation] = [("list", 0)]
    for name in NAMES:
        for where in PROJECTS:
            looks += [(verb, name, where) for verb in ("get", "ask", "watch", "tail")]
    seen: list[object] = [run(plane, each) for each in looks]
    streams = [plane.open(Call(WATCH, rpc.WatchRequest(app_id=app_id(name)))) for name in NAMES]
    for _ in range(MAX_MOVES):
        due = plane.next_timer_due()
        if due is None:
            break
        plane.advance(max(0, due - plane.now_ns()) / SECOND + 0.001)
        seen.append([drained(stream) for stream in streams])
    for stream in streams:
        stream.close()
    with plane.scenario_book() as book:
        chosen = [each._replace(scenario=None) for each in book.given.of(AppGlobs(AppSelector()))]
    return [*seen, *(run(plane, each) for each in looks), chosen, state(plane)]


def reloaded(plane: FakeControlPlane, form: str) -> None:
    """Let a plane take its own state, from a document in bytes or in JSON."""
    plane.load_document(copied(plane.document(), form))


def copied(document: PlaneState, form: str) -> PlaneState:
    """Return what is read of a document that was written in that form."""
    if form == "bytes":
        return PlaneState.FromString(document.SerializeToString())
    return json_format.Parse(json_format.MessageToJson(document), PlaneState())


ids = st.one_of(
    st.just(("demo", "proj")),
    st.just(("demo", "proj")),
    st.tuples(st.sampled_from(NAMES), st.sampled_from(PROJECTS)),
)
apps = st.tuples(
    ids,
    st.sampled_from(LABELS),
    st.sampled_from(("img:1", "img:2", POD)),
    st.sampled_from(((0, 0), (0, 3), (2, 4), (3, 1))),
    st.booleans(),
).map(lambda app: (*app[0], *app[1:]))
operations: st.SearchStrategy[Operation] = st.one_of(
    apps.map(lambda app: ("create", *app[:-1], False)),
    apps.map(lambda app: ("update", *app)),
    ids.map(lambda app: ("delete", *app)),
    st.tuples(st.sampled_from(("get", "get", "ask", "watch", "tail")), ids).map(lambda each: (each[0], *each[1])),
    st.tuples(st.just("list"), st.integers(0, 2)),
    st.tuples(st.just("load"), st.sampled_from(("0", "2concurrent", "9rps")), st.sampled_from(("demo", "*"))),
    st.tuples(st.just("use"), st.sampled_from(("crash-loop", "rounds")), st.sampled_from(("demo", "*"))),
    st.tuples(st.just("advance"), st.sampled_from((0.0, 0.001, 0.0485, 0.3, 1.0, 7.0, 31.0, 1_000.0))),
    st.tuples(st.just("advance"), st.sampled_from((0.3, 0.6, 2.0))),
)
slots = st.sampled_from("ab")
states: st.SearchStrategy[Operation] = st.one_of(
    st.tuples(st.just("restore"), slots),
    st.tuples(st.just("restore"), slots),
    st.tuples(st.just("drop"), slots),
    st.tuples(st.just("reload"), st.sampled_from(("bytes", "json"))),
    st.just(("move",)),
    st.just(("reset",)),
)
rounds = st.tuples(
    st.lists(operations, min_size=3, max_size=10),
    st.tuples(st.just("snapshot"), slots),
    st.lists(operations, min_size=1, max_size=6),
    states,
).map(lambda each: [*each[0], each[1], *each[2], each[3]])


class Twins:
    """A plane that returns to states, and the history that counts for it."""

    def __init__(self, plane: FakeControlPlane) -> None:
        self.plane = plane
        self.history: list[tuple[Operation, Answer]] = []
        self.snapshots: dict[str, tuple[list[tuple[Operation, Answer]], PlaneState]] = {}
        self.images: list[tuple[Section, Any, Any, bytes]] = []

    def move(self, move: Operation) -> None:
        """Run an operation, or change the state as a whole."""
        plane = self.plane
        match move:
            case "snapshot", slot:
                plane.take_snapshot(slot)
                self.snapshots[slot] = [*self.history], state(plane)
                self._keep_images()
            case "restore", slot if slot in self.snapshots:
                plane.restore_snapshot(slot)
                history, document = self.snapshots[slot]
                self.history = [*history]
                assert state(plane) == document
            case "drop", slot if slot in self.snapshots:
                plane.drop_snapshot(slot)
                del self.snapshots[slot]
            case "reload", form:
                before = state(plane)
                reloaded(plane, form)
                assert state(plane) == before
            case ("move",):
                other = new_plane(seed=8)
                other.load_document(copied(plane.document(), "bytes"))
                plane.close()
                self.plane, self.snapshots = other, {}
            case ("reset",):
                plane.reset_state()
                self.history = []
            case "restore" | "drop", _:
                pass
            case _:
                self.history.append((move, run(plane, move)))

    def _keep_images(self) -> None:
        for section in sections_of(self.plane):
            for key in section.keys():  # noqa: SIM118  # no mapping
                image = section.image(key)
                if image is not None:
                    self.images.append((section, key, image, section.encode(key, image).SerializeToString()))

    def check(self) -> None:
        """Check that the plane is, and goes on, as one that has run just the operations that count."""
        with new_plane() as twin:
            for operation, answered in self.history:
                assert run(twin, operation) == answered
            assert state(self.plane) == state(twin)
            assert future(self.plane) == future(twin)
        for section, key, image, encoded in self.images:
            assert section.encode(key, image).SerializeToString() == encoded


@given(st.lists(rounds, min_size=1, max_size=3), st.booleans())
@settings(deadline=None, max_examples=25)
def test_a_plane_that_returned_to_a_state_goes_on_as_if_it_never_left(each: list[list[Operation]], full: bool) -> None:
    """Snapshots, restores, resets and documents in any order leave a plane that is as the operations that count."""
    with (
        patch.object(answers, "MAX_CACHED_BYTES", ANSWERS_BYTES if full else answers.MAX_CACHED_BYTES),
        new_plane() as plane,
    ):
        twins = Twins(plane)
        for move in (move for moves in each for move in moves):
            twins.move(move)
        twins.check()
        for slot in twins.snapshots:
            twins.move(("restore", slot))
            twins.check()


def _app(label: str = "", bounds: tuple[int, int] = (0, 3), image: str = "img:1") -> tuple[Any, ...]:
    return "demo", "proj", label, image, bounds, False


DEMO, SLEEPING = ("demo", "proj"), (("create", *_app()), ("advance", 2_000.0))
CASES: dict[str, tuple[Sequence[Operation], Sequence[Operation]]] = {
    "a new app": ([], [("create", *_app())]),
    "an app that another id has replaced": (
        [("create", *_app("rounds"))],
        [("create", "Demo", "proj", "crash-loop", "img:2", (0, 3), False)],
    ),
    "a report": ([("create", *_app())], [("advance", 0.06)]),
    "a report that that of the routes follows": ([("create", *_app())], [("advance", 0.6)]),
    "the report of the routes": ([("create", *_app()), ("advance", 1.05)], [("advance", 1.0)]),
    "a failure": ([("create", *_app("rounds")), ("advance", 0.9)], [("advance", 5.0)]),
    "lines": ([("create", *_app("rounds")), ("advance", 1.2)], [("advance", 7.0), ("tail", *DEMO)]),
    "lines of an app that is deleted": ([("create", *_app("rounds")), ("advance", 1.2)], [("delete", *DEMO)]),
    "a conflict": ([("create", *_app("write-conflict"))], [("update", *_app(image="img:2"))]),
    "a request": ([("create", *_app()), ("advance", 5.0)], [("advance", 100.0), ("ask", *DEMO)]),
    "a request to an app that sleeps": (SLEEPING, [("ask", *DEMO)]),
    "an app that has gone to sleep": ([("create", *_app()), ("advance", 5.0)], [("advance", 2_000.0)]),
    "more pods": ([("create", *_app("busy", (1, 4))), ("advance", 5.0)], [("advance", 600.0)]),
    "a load": ([("create", *_app()), ("advance", 5.0)], [("load", "3concurrent", "demo"), ("advance", 1.2)]),
    "a load that goes": (
        [("create", *_app()), ("load", "3concurrent", "demo"), ("advance", 9.0)],
        [("load", "0", "*"), ("advance", 2_000.0)],
    ),
    "a scenario that is used up": (
        [("create", *_app()), ("use", "rounds", "demo")],
        [("update", *_app(image="img:2")), ("advance", 1.0)],
    ),
    "a stop": ([("create", *_app()), ("advance", 5.0)], [("update", *_app()[:-1], True)]),
    "the report of a stop": (
        [("create", *_app()), ("advance", 5.0), ("update", *_app()[:-1], True)],
        [("advance", 1.0)],
    ),
    "another spec": ([("create", *_app("rounds")), ("advance", 5.0)], [("update", *_app("rounds", image="img:2"))]),
    "an app that is made anew": (
        [("create", *_app("rounds")), ("advance", 5.0), ("update", *_app("rounds", image="img:2"))],
        [("delete", *DEMO), ("create", *_app("rounds"))],
    ),
    "a delete": ([("create", *_app()), ("advance", 5.0)], [("delete", *DEMO)]),
    "an answer that is cached": ([("create", *_app())], [("get", *DEMO), ("advance", 2.0)]),
    "an answer that ends": ([("create", *_app()), ("get", *DEMO)], [("advance", 31.0), ("get", *DEMO)]),
    "an answer that a write drops": ([("create", *_app()), ("get", *DEMO)], [("update", *_app(image="img:2"))]),
    "an answer that newer ones push out": (
        [("create", *_app()), ("create", "other", *_app()[1:]), ("get", *DEMO), ("get", "other", "proj")],
        [("get", "Demo", "proj"), ("get", "DEMO", "proj"), ("get", "deMo", "proj")],
    ),
    "answers that are put back": (
        [("create", *_app()), ("get", *DEMO), ("get", "Demo", "proj"), ("get", "DEMO", "proj")],
        [("update", *_app(image="img:2")), ("advance", 0.5), ("get", "deMo", "proj"), ("get", "demO", "proj")],
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "back", [("restore", "a"), ("reload", "json"), ("move",)], ids=["snapshot", "document", "plane"]
)
def test_each_piece_comes_back(case: str, back: Operation) -> None:
    """A plane that has returned shows nothing of what came after the snapshot; a document holds all of it."""
    before, meanwhile = CASES[case]
    with patch.object(answers, "MAX_CACHED_BYTES", ANSWERS_BYTES), new_plane() as plane:
        twins = Twins(plane)
        for move in (*before, ("snapshot", "a"), *meanwhile, back):
            twins.move(move)
        twins.check()


def test_the_oldest_answer_makes_place_after_a_return_as_before() -> None:
    """Answers that are put back are as old as they were."""
    with new_plane() as plane, new_plane() as twin:
        for each in (plane, twin):
            for name in ("a", "b", "c"):
                run(each, ("create", name, "proj", "", "img:1", (0, 0), False))
                run(each, ("get", name, "proj"))
        plane.take_snapshot("all")
        run(plane, ("create", "a", "proj", "", "img:2", (0, 0), False))  # drops the answer
        plane.restore_snapshot("all")
        total = sum(len(each.app) for each in state(plane).flyte_oss_answers)
        with patch.object(answers, "MAX_CACHED_BYTES", total):
            for each in (plane, twin):
                run(each, ("create", "d", "proj", "", "img:1", (0, 0), False))
                run(each, ("get", "d", "proj"))
        assert [each.name for each in state(plane).flyte_oss_answers] == ["b", "c", "d"]
        assert state(plane) == state(twin)


@given(st.lists(operations, max_size=30), st.sampled_from(("bytes", "json")))
@settings(deadline=None, max_examples=20)
def test_a_plane_that_takes_a_document_goes_on_as_the_one_that_wrote_it(before: list[Operation], form: str) -> None:
    """Another plane has the same state, with another seed before, and with apps of its own that go."""
    with (
        new_plane() as plane,
        new_plane(seed=8) as other,
    ):
        for each in before:
            run(plane, each)
        run(other, ("create", "own", "proj", "", "img:9", (0, 0), False))
        other.load_document(copied(plane.document(), form))
        assert state(other) == state(plane)
        assert future(other) == future(plane)


@given(st.lists(operations, max_size=30))
@settings(deadline=None, max_examples=20)
def test_a_reset_of_a_project_leaves_the_others_alone(before: list[Operation]) -> None:
    """Nothing of the project is left, and the pieces of all others are the same."""
    with new_plane() as plane:
        for each in before:
            run(plane, each)
        was = state(plane)
        plane.reset_state("proj")
        now = state(plane)
        assert [each for each in was.flyte_oss_services if each.project != "proj"] == list(now.flyte_oss_services)
        assert [each for each in was.flyte_oss_answers if each.project == "second"] == [
            each for each in now.flyte_oss_answers if each.project == "second"
        ]
        assert not [each for each in now.flyte_oss_answers if each.project == "proj"]
