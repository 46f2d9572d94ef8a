"""A virtual day of many apps on a manual clock: restarts, scaling, crashes, requests and logs: the cost of an event.

Run with `make bench`; `--smoke` for a short form. Nothing watches while it is timed; the messages of a watcher and
the log lines have to be the same, byte for byte, when the day is run again. Exits 1 where a limit is not met.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import sys
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest, GetResponse, UpdateRequest, WatchRequest
from flyteidl2.core.tasks_pb2 import Container
from flyteidl2.logs.dataplane.payload_pb2 import PERSISTED_ONLY
from innards import state_of

from flyteapps_control.api import ControlError
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE, GET, TAIL_LOGS, UPDATE, WATCH
from flyteapps_fake.simulation.scenarios import LABEL
from flyteapps_fake.standard.watch import Event

HOUR = 3_600.0
LIMIT_US = 50.0
DAY_LIMIT_SECONDS = 5.0
KINDS = (
    *("healthy",) * 12,
    *("busy",) * 3,
    "wakes-up",
    "recovers-in-place",
    "fails-later",
    "crash-loop",
    "webhook-error-heals",
)


class Digest(Protocol):
    """A digest of hashlib."""

    def update(self, data: bytes, /) -> None: ...


@dataclass(slots=True)
class Day:
    """The record of a day: seconds of CPU by part, the numbers of events, calls and messages, the digest of all."""

    moving: float = 0.0
    calls: float = 0.0
    reading: float = 0.0
    events: int = 0
    called: int = 0
    messages: int = 0
    digest: str = ""


def day(apps: int, *, watched: bool) -> Day:
    """Run one day; `watched`: the messages of a watcher go into the digest, and nothing is timed for it."""
    plane = FakeControlPlane(clock="manual", org="o", seed=7, watch_buffer=10_000_000)
    made = Day()
    digest = hashlib.sha256()
    watcher = plane.open(Call(WATCH, WatchRequest(org="o"))) if watched else None
    _count_events(plane, made)
    hosts: list[str] = []
    started = time.process_time()
    for number in range(apps):
        plane.call(Call(CREATE, CreateRequest(app=_app(number, "image:0"))))
    made.called += apps
    made.calls += time.process_time() - started
    for number in range(apps):
        answer = GetResponse.FromString(plane.call(Call(GET, GetRequest(app_id=_id(number)))))
        hosts.append(urlsplit(answer.app.status.ingress.public_url).hostname or "")
    for hour in range(24):
        started = time.process_time()
        for number in range(hour % 3, apps, 3):
            plane.ask(hosts[number])
            made.called += 1
        for number in range(hour, apps, 24):
            plane.call(Call(UPDATE, UpdateRequest(app=_app(number, f"image:{hour + 1}"), reason="the daily restart")))
            made.called += 1
        made.calls += time.process_time() - started
        started = time.process_time()
        plane.advance(HOUR)
        made.moving += time.process_time() - started
        started = time.process_time()
        for number in range(hour, apps, 24):
            _read_log(plane, number, made, digest)
        made.reading += time.process_time() - started
        while watcher is not None and (event := watcher.take()) is not None:
            digest.update(event)
    for number in range(apps):
        digest.update(plane.call(Call(GET, GetRequest(app_id=_id(number)))))
    if watcher is not None:
        watcher.close()
    made.digest = digest.hexdigest()
    return made


def _count_events(plane: FakeControlPlane, made: Day) -> None:
    state = state_of(plane)  # what is counted is not public
    heard = state.on_event

    def on_event(event: Event) -> None:
        made.events += 1
        assert heard is not None
        heard(event)

    state.on_event = on_event


def _read_log(plane: FakeControlPlane, number: int, made: Day, digest: Digest) -> None:
    stream = plane.open(Call(TAIL_LOGS, TailLogsRequest(app_id=_id(number), source=PERSISTED_ONLY)))
    try:
        while (message := stream.take()) is not None:
            digest.update(message)
            made.messages += 1
    except EOFError:
        pass
    finally:
        stream.close()


def _id(number: int) -> Identifier:
    return Identifier(org="o", project=f"p{number % 10}", domain="d", name=f"app-{number}")


def _app(number: int, image: str) -> App:
    spec = Spec(container=Container(image=image, args=["serve", "--port", "8080"]))
    spec.autoscaling.replicas.min, spec.autoscaling.replicas.max = number % 2, 1 + number % 4
    return App(metadata=Meta(id=_id(number), labels={LABEL: KINDS[number % len(KINDS)], "team": "a"}), spec=spec)


def until_seconds(apps: int) -> float:
    """Return the CPU time of a day that is moved by `advance_until`, which looks for a status that never comes."""
    plane = FakeControlPlane(clock="manual", org="o", seed=7)
    for number in range(apps):
        plane.call(Call(CREATE, CreateRequest(app=_app(number, "image:0"))))
    started = time.process_time()
    for number in range(apps):
        plane.call(Call(UPDATE, UpdateRequest(app=_app(number, "image:1"), reason="the daily restart")))
    with contextlib.suppress(ControlError):
        plane.clock.advance_until(app="app-0", status="FAILED", limit="1d")
    return time.process_time() - started


def codec_us() -> float:
    """Return the CPU time of parsing and encoding one such app: the base that an event is measured against."""
    plane = FakeControlPlane(clock="manual", org="o")
    plane.call(Call(CREATE, CreateRequest(app=_app(0, "image:0"))))
    plane.advance(60)
    encoded = GetResponse.FromString(plane.call(Call(GET, GetRequest(app_id=_id(0))))).app.SerializeToString()
    rounds = 20_000
    started = time.process_time()
    for _ in range(rounds):
        App.FromString(encoded).SerializeToString(deterministic=True)
    return (time.process_time() - started) / rounds * 1e6


def main() -> int:
    """Print the figures."""
    smoke = "--smoke" in sys.argv
    apps = 100 if smoke else 1_000
    base = codec_us()
    gc.collect()
    days = [day(apps, watched=False) for _ in range(3)]
    first = days[0]
    watched = {day(apps, watched=True).digest for _ in range(2)}
    cost = min(each.moving + each.calls for each in days) / first.events * 1e6
    moved = min(each.moving for each in days) / first.events * 1e6
    print(
        f"a day of {apps:,} apps: {first.events:,} events, {first.called:,} requests, {first.messages:,} log messages"
    )
    whole = min(each.moving + each.calls + each.reading for each in days)
    print(f"the day, requests and logs included {whole:7.2f} s    limit {DAY_LIMIT_SECONDS:g} s")
    until = until_seconds(apps)
    print(f"the day by advance_until             {until:6.2f} s    limit {DAY_LIMIT_SECONDS:g} s")
    print(f"one event, requests included        {cost:7.1f} us   limit {LIMIT_US:g} us")
    print(f"one event, without the requests     {moved:7.1f} us   {moved / base:.1f}x of parsing and encoding an app")
    print(f"one message of a log                {min(each.reading for each in days) / first.messages * 1e6:7.1f} us")
    again = len({each.digest for each in days}) == 1 and len(watched) == 1
    print(
        f"the same day again                  {'identical' if again else 'NOT identical'}, with and without a watcher"
    )
    met = cost <= LIMIT_US and max(whole, until) <= DAY_LIMIT_SECONDS
    return 0 if again and (smoke or met) else 1


if __name__ == "__main__":
    sys.exit(main())
