"""The time at which a plane's clock begins."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from flyteidl2.app.app_definition_pb2 import App, Identifier
from flyteidl2.app.app_payload_pb2 import CreateRequest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.settings import Settings

EVE = datetime.datetime(2026, 12, 24, 9, tzinfo=datetime.UTC)


@pytest.mark.parametrize("clock", ["manual", "auto"])
@pytest.mark.parametrize("start", ["2026-12-24T09:00:00Z", "2026-12-24T10:00:00+01:00", EVE, EVE.astimezone()], ids=str)
def test_a_virtual_clock_begins_there(clock: Any, start: Any) -> None:
    """The first app is created at that time, whatever the zone in which it was written."""
    with FakeControlPlane(clock=clock, start_time=start) as plane:
        assert plane.clock.now == EVE
        app = App()
        app.metadata.id.CopyFrom(Identifier(project="p", domain="d", name="hello"))
        app.spec.container.image = "image"
        moment = plane.stub().create(CreateRequest(app=app)).app.status.created_at
        assert abs(moment.ToDatetime(datetime.UTC) - EVE) < datetime.timedelta(milliseconds=1)


def test_the_realtime_clock_begins_there_and_runs() -> None:
    """It is as far from that time as real time has passed, at its speed."""
    real = 100.0
    settings = Settings(clock="realtime", speed=60, start_time="2026-12-24T09:00:00Z")
    with FakeControlPlane.of(settings, real=lambda: real) as plane:
        assert plane.clock.now == EVE
        real += 60
        assert plane.clock.now == EVE + datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("tomorrow", "is no time: it should be such as"),
        ("2026-12-24T09:00:00", "has no time zone"),
        ("2026-12-24", "has no time zone"),
        (datetime.datetime(2026, 12, 24, 9), "has no time zone"),
        ("1969-12-31T23:59:59Z", "must be from 1970 to 2099"),
        ("2100-01-01T00:00:00Z", "must be from 1970 to 2099"),
        (1_700_000_000, "must be a datetime or a text, not int"),
        ("", "is no time"),
    ],
    ids=str,
)
def test_another_start_is_refused(start: Any, message: str) -> None:
    """The error says what is wrong, and how a time is written."""
    with pytest.raises(ValueError, match=message):
        FakeControlPlane(start_time=start)


@pytest.mark.parametrize("clock", ["manual", "auto"])
def test_a_speed_is_for_the_realtime_clock(clock: Any) -> None:
    """On the others it would have no effect: an error says so."""
    with pytest.raises(ValueError, match=f"speed 10 is for the clock realtime, and this one is {clock}"):
        FakeControlPlane(clock=clock, speed=10)
