"""The retries of calls: the flow by itself, driven by hand."""

from __future__ import annotations

from typing import NoReturn

import pytest
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import Code, ConfigError, Error, InvalidArgument, Overloaded, PlaneError, Retries, Unavailable, Waits
from flyteapps.flows.calls import MAX_COLLISIONS, call
from flyteapps.flows.methods import GET
from flyteapps.flows.operations import Sleep, Unary
from flyteapps.settings import Settings


def failing(settings: Settings, error: Error, seconds: float = 0.0) -> tuple[list[float | None], list[float]]:
    """Return the timeouts of all attempts and the pauses between them, of a call that always fails."""
    timeouts: list[float | None] = []
    pauses: list[float] = []
    with pytest.raises(type(error)):
        _drive(settings, error, seconds, timeouts, pauses)
    return timeouts, pauses


def _drive(
    settings: Settings, error: Error, seconds: float, timeouts: list[float | None], pauses: list[float]
) -> NoReturn:
    flow = call(settings, GET, payload.GetRequest())
    operation = next(flow)
    while True:
        if isinstance(operation, Sleep):
            pauses.append(operation.seconds)
            operation = flow.send(None)
            continue
        assert isinstance(operation, Unary)
        timeouts.append(operation.timeout)
        error.seconds = seconds
        operation = flow.throw(error)


def test_pauses_grow_and_are_drawn() -> None:
    """Full jitter: anywhere between nothing and the exponential bound, which has a cap."""
    retries = Retries(initial=0.1, maximum=1.0, seed=7)
    for repetition, bound in enumerate((0.1, 0.2, 0.4, 0.8, 1.0, 1.0), 1):
        drawn = [retries.pause(repetition) for _ in range(500)]
        assert 0 <= min(drawn) < bound * 0.1
        assert bound * 0.9 < max(drawn) <= bound


def test_the_same_seed_gives_the_same_pauses() -> None:
    """So that a test that depends on them can be run again."""
    one, two = (Settings(retries=Retries(attempts=6, seed=3), timeout=None) for _ in range(2))
    assert failing(one, Unavailable("down"))[1] == failing(two, Unavailable("down"))[1]
    other = Settings(retries=Retries(attempts=6, seed=4), timeout=None)
    assert failing(one, Unavailable("down"))[1] != failing(other, Unavailable("down"))[1]


def test_a_call_is_tried_as_often_as_said() -> None:
    """The first attempt counts."""
    for attempts in (1, 2, 5):
        timeouts, pauses = failing(Settings(retries=Retries(attempts=attempts), timeout=None), Overloaded("busy"))
        assert timeouts == [None] * attempts
        assert len(pauses) == attempts - 1


def test_all_attempts_share_one_timeout() -> None:
    """The rest of the time is an attempt's timeout; none begins after the end."""
    retries = Retries(attempts=10, initial=0, maximum=0)
    timeouts, _ = failing(Settings(retries=retries, timeout=1.0), Unavailable("down"), seconds=0.3)
    assert timeouts == pytest.approx([1.0, 0.7, 0.4, 0.1])


def collision() -> PlaneError:
    """Return the error of a write that met another one."""
    error = PlaneError("another write came between", code=Code.INTERNAL)
    error.collided = True
    return error


def test_a_write_that_meets_others_is_tried_again_apart_from_failures() -> None:
    """Its attempts have a bound of their own, and so have its pauses, which grow from 10 ms to half a second."""
    retries = Retries(attempts=2, initial=5, seed=7)
    timeouts, pauses = failing(Settings(retries=retries, timeout=None), collision())
    assert len(timeouts) == MAX_COLLISIONS
    assert 0 < pauses[0] <= 0.01 and pauses[1] <= 0.02
    assert 0.1 < max(pauses) <= 0.5


def test_pauses_of_writes_that_meet_are_no_longer_than_said() -> None:
    """`maximum` holds for them, too."""
    _, pauses = failing(Settings(retries=Retries(attempts=2, initial=0, maximum=0.005), timeout=None), collision())
    assert max(pauses) <= 0.005


def test_without_retries_a_write_that_meets_another_one_fails() -> None:
    """One attempt is one attempt."""
    assert failing(Settings(retries=Retries(attempts=1)), collision()) == ([30.0], [])


def test_writes_that_meet_end_with_their_timeout() -> None:
    """All attempts share it."""
    retries = Retries(attempts=2, initial=0, maximum=0)
    timeouts, _ = failing(Settings(retries=retries, timeout=1.0), collision(), seconds=0.3)
    assert timeouts == pytest.approx([1.0, 0.7, 0.4, 0.1])


def test_a_write_that_met_another_one_fails_as_often_as_said() -> None:
    """Failures of the plane are counted by themselves, before and after it met another write."""
    flow = call(Settings(retries=Retries(attempts=2), timeout=None), GET, payload.GetRequest())
    next(flow)
    for error in (collision(), Unavailable("down"), collision()):
        assert isinstance(flow.throw(error), Sleep)
        assert isinstance(flow.send(None), Unary)
    with pytest.raises(Unavailable):
        flow.throw(Unavailable("down"))


def test_what_the_caller_has_to_mend_is_not_tried_again() -> None:
    """Nor is it waited for."""
    assert failing(Settings(), InvalidArgument("no")) == ([30.0], [])


@pytest.mark.parametrize("options", [{"attempts": 0}, {"initial": -1}, {"initial": 2, "maximum": 1}])
def test_bad_retries_are_refused(options: dict[str, float]) -> None:
    """The error shows all three."""
    with pytest.raises(ConfigError, match="at least one attempt"):
        Retries(**options)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["timeout", "settle", "poll", "stall"])
def test_bad_waits_are_refused(name: str) -> None:
    """The error names the one."""
    with pytest.raises(ConfigError, match=name):
        Waits(**{name: 0})
