"""The log lines of steps: in TailLogs of the replicas at their time, in both dialects."""

from __future__ import annotations

from typing import Any

import pytest
from control.calls import app_id, create
from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest, TailLogsResponse

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import TAIL_LOGS
from flyteapps_fake.simulation.step_logs import StepLog, StepLogs

from .driving import ACTIVE, FAILED, PENDING, restart, scenarios

dialects = pytest.mark.parametrize("dialect", ["standard", "flyte-oss"])
LOADING = {"state": "DEPLOYING", "substate": "INITIALIZING", "after": "1s", "logs": ["Loading", "... the model"]}


def plane_with(*steps: Any, dialect: str = "standard") -> FakeControlPlane:
    """Return a plane whose app `hello` goes through the steps."""
    plane = FakeControlPlane(
        scenarios=scenarios(own=[PENDING, *steps]), app_scenarios={"*": "own"}, clock="manual", dialect=dialect
    )
    plane.stub().create(create("hello"))
    return plane


class Tail:
    """An open TailLogs of the app."""

    def __init__(self, plane: FakeControlPlane, **request: Any) -> None:
        self.stream = plane.open(Call(TAIL_LOGS, TailLogsRequest(app_id=app_id("hello"), **request)))
        self.replicas: list[str] = []

    def lines(self) -> list[tuple[str, str]]:
        """Return the new lines with the replicas that logged them."""
        found: list[tuple[str, str]] = []
        try:
            while (message := self.stream.take()) is not None:
                response = TailLogsResponse.FromString(message)
                self.replicas += [each.name for each in response.replicas.replicas]
                for logs in response.batches.logs:
                    found += [(logs.replica_id.name, line.message) for line in logs.structured_lines]
        except EOFError:
            pass
        return found

    def texts(self, *own: str) -> list[str]:
        """Return those of the new lines that are of these."""
        return [text for _, text in self.lines() if text in own]


def read(plane: FakeControlPlane) -> list[str]:
    """Return the lines of the app's log so far."""
    tail = Tail(plane)
    texts = [text for _, text in tail.lines()]
    tail.stream.close()
    return texts


@dialects
def test_lines_come_at_the_time_of_their_step(dialect: str) -> None:
    """By replicas that begin in the step, and by those that have begun before; a follower is woken."""
    with plane_with(LOADING, {**ACTIVE, "after": "9s", "logs": ["Ready"]}, dialect=dialect) as plane:
        plane.clock.advance("2s")
        tail, woken = Tail(plane), list[bool]()
        assert tail.texts("Loading", "... the model", "Ready") == ["Loading", "... the model"]
        tail.stream.wake = lambda: woken.append(True)
        plane.clock.advance("10s")
        assert woken
        assert tail.texts("Loading", "Ready") == ["Ready"]
        tail.stream.close()


@dialects
def test_each_replica_logs_the_lines(dialect: str) -> None:
    """All that run when the step comes; one that starts later didn't say it."""
    steps = [
        {**ACTIVE, "replicas": 2},
        {**ACTIVE, "logs": ["two"], "replicas": 3},
        {**ACTIVE, "message": "x", "logs": ["three"]},
    ]
    with FakeControlPlane(
        scenarios=scenarios(own=[PENDING, *steps]), app_scenarios={"*": "own"}, clock="manual", dialect=dialect
    ) as plane:
        request = create("hello")
        request.app.spec.autoscaling.replicas.max = 3
        plane.stub().create(request)
        plane.clock.advance("3s")
        tail = Tail(plane)
        assert sorted(text for _, text in tail.lines() if text == "two") == ["two", "two"]
        assert len(tail.replicas) == 3
        tail.stream.close()


def test_own_last_lines_replace_the_usual_ones() -> None:
    """A container that dies has the traceback of before only where the scenario says nothing else."""
    steps = [ACTIVE, {**FAILED, "logs": ["out of quota"]}]
    with plane_with(*steps) as plane:
        plane.clock.advance("5s")
        texts = read(plane)
        assert "out of quota" in texts and not any("Traceback" in each for each in texts)
    with plane_with(ACTIVE, FAILED) as plane:
        plane.clock.advance("5s")
        assert any("Traceback" in each for each in read(plane))


def test_the_lines_of_a_replica_that_ends_stay_readable() -> None:
    """Its last line is logged before its end; a follower reads it, and who asks later, too."""
    with plane_with(ACTIVE, {**FAILED, "after": "5s", "replicas": "none", "logs": ["Killed"]}) as plane:
        plane.clock.advance("2s")
        tail = Tail(plane)
        tail.lines()
        plane.clock.advance("5s")
        assert tail.texts("Killed") == ["Killed"]
        tail.stream.close()
        assert read(plane).count("Killed") == 1
        restart(plane)
        assert "Killed" not in read(plane)


@dialects
def test_a_loop_logs_in_each_round(dialect: str) -> None:
    """Also where the open-source backend shows nothing else of it."""
    loop = {"loop": {"after": "10s", "steps": [{**FAILED, "after": 0, "logs": ["again"]}]}}
    with plane_with(LOADING, FAILED, loop, dialect=dialect) as plane:
        plane.clock.advance("35s")
        assert read(plane).count("again") == 3


def test_the_lines_that_are_kept_are_bounded() -> None:
    """The oldest steps' lines go first; a removed app has none."""
    logs = StepLogs()
    for number in range(30):
        logs.add("app", StepLog(number, ("a",), ("line",) * 100))
    assert [each.at for each in logs.of("app")] == [*range(20, 30)]
    logs.drop("app")
    assert list(logs.of("app")) == []
