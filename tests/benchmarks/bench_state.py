"""The state of a plane: what snapshots, returns and documents cost, and what they cost the calls in between.

Run with `make bench`; `--smoke` for a short form. Prints figures and limits, exits 1 where one isn't met.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest
from flyteidl2.core.tasks_pb2 import Container

from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE, GET
from flyteapps_fake.core.state.garbage import uncollected

WRITES = 1_000
ROUNDS = 5
"""Times that each figure is taken; the best one counts. Seconds are those of the CPU: nothing here waits."""


def app_id(number: int) -> Identifier:
    """Return the id of an app."""
    return Identifier(org="o", project=f"p{number % 10}", domain="d", name=f"app-{number}")


def create(plane: FakeControlPlane, numbers: range) -> float:
    """Create apps; return the seconds of one."""
    calls = [
        Call(CREATE, CreateRequest(app=App(metadata=Meta(id=app_id(each)), spec=Spec(container=Container(image="x")))))
        for each in numbers
    ]
    start = time.process_time()
    for call in calls:
        plane.call(call)
    return (time.process_time() - start) / len(calls)


def get(plane: FakeControlPlane, reads: int) -> float:
    """Return the seconds of a Get in process, of one app after the other."""
    calls = [Call(GET, GetRequest(app_id=app_id(each))) for each in range(100)]
    start = time.process_time()
    for _ in range(reads // len(calls)):
        for call in calls:
            plane.call(call)
    return (time.process_time() - start) / reads


def new_plane() -> FakeControlPlane:
    """Return a plane without apps."""
    return FakeControlPlane(clock="manual", org="o")


def filled(apps: int) -> FakeControlPlane:
    """Return a plane of settled apps."""
    plane = new_plane()
    for first in range(0, apps, 1_000):
        create(plane, range(first, first + 1_000))
        plane.advance(5)
    return plane


def timed(function: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def returns(plane: FakeControlPlane, apps: int, rounds: int) -> tuple[float, float]:
    """Return the seconds of a snapshot, and of a return to it after writes."""
    taken: list[float] = []
    restored: list[float] = []
    for each in range(rounds):
        taken.append(timed(partial(plane.take_snapshot, f"s{each}")))
        create(plane, range(apps, apps + WRITES))
        restored.append(timed(partial(plane.restore_snapshot, f"s{each}")))
    for name in plane.list_snapshots():
        plane.drop_snapshot(name)
    return min(taken), min(restored)


def ratios(plane: FakeControlPlane, apps: int, reads: int, rounds: int) -> tuple[float, float]:
    """Return the time of a Get, and of a Create, with a snapshot over that without one; medians of rounds."""
    gets: list[float] = []
    creates: list[float] = []
    for each in range(rounds):
        first = apps + 2 * WRITES * each
        with uncollected():  # a collection falls on either side, and takes longer than all writes
            bare = get(plane, reads), create(plane, range(first, first + WRITES))
            plane.take_snapshot("now")
            kept = get(plane, reads), create(plane, range(first + WRITES, first + 2 * WRITES))
            plane.drop_snapshot("now")
        gets.append(kept[0] / bare[0])
        creates.append(kept[1] / bare[1])
    return median(gets), median(creates)


def loading(plane: FakeControlPlane) -> tuple[float, float]:
    """Return the seconds of a document's writing to bytes, and of a new plane that is loaded from them."""
    encoded = b""

    def write() -> None:
        nonlocal encoded
        encoded = plane.document().SerializeToString()

    def load(new: FakeControlPlane) -> None:
        new.load_document(PlaneState.FromString(encoded))

    planes = [new_plane() for _ in range(2)]  # which stay: the end of one would be counted otherwise
    return timed(write), min(timed(partial(load, each)) for each in planes)


def saved(creates: int, rounds: int) -> tuple[float, float]:
    """Return the rate of Creates of 64 callers with a directory over that in memory, and the same of a Get's time.

    Medians of rounds; seconds of Creates are those of the clock on the wall, since the disk is waited for.
    """
    rates: list[float] = []
    gets: list[float] = []
    for _ in range(rounds):
        with TemporaryDirectory() as folder:
            bare, kept = (
                FakeControlPlane(clock="manual", org="o", state=each) for each in (None, Path(folder, "state"))
            )
            with bare, kept:
                seconds = [asyncio.run(created(plane, creates)) for plane in (bare, kept)]
                rates.append(seconds[0] / seconds[1])
                gets.append(get(kept, creates * 5) / get(bare, creates * 5))
    return median(rates), median(gets)


async def created(plane: FakeControlPlane, creates: int) -> float:
    """Return the seconds in which 64 callers create so many apps."""
    stub, numbers = plane.async_stub(), iter(range(creates))

    async def call() -> None:
        for each in numbers:
            await stub.create(
                CreateRequest(app=App(metadata=Meta(id=app_id(each)), spec=Spec(container=Container(image="x"))))
            )

    start = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(64)))
    return time.perf_counter() - start


def main() -> int:
    """Print the table."""
    smoke = "--smoke" in sys.argv
    rounds = 1 if smoke else ROUNDS
    apps = 1_000 if smoke else 100_000
    plane = filled(apps)
    snapshot, restore = returns(plane, apps, rounds)
    get_ratio, create_ratio = ratios(plane, apps, 1_000 if smoke else 100_000, rounds)
    written, loaded = loading(plane)
    kept_create, kept_get = saved(100 if smoke else 4_000, rounds)
    rows = [
        ("Creates of 64 callers in memory over those with a directory", 1 / kept_create, 2.0),
        ("a Get with a directory over one in memory", kept_get, 1.1),
        (f"a snapshot of {apps:,} apps, ms", snapshot * 1e3, 1.0),
        (f"a return to it after {WRITES:,} writes, ms", restore * 1e3, 20.0),
        ("a Get with a snapshot over one without", get_ratio, 1.1),
        ("a Create with a snapshot over one without", create_ratio, 1.5),
        (f"a document of {apps:,} apps to bytes, s", written, 10.0),
        (f"a plane of {apps:,} apps from those bytes, s", loaded, 5.0),
    ]
    for label, figure, limit in rows:
        print(f"{label:60} {figure:8.3f}   limit {limit} {'' if figure <= limit else '  NOT MET'}")
    return 0 if smoke or all(figure <= limit for _, figure, limit in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
