"""A plane in process: what a fresh one costs, and what a stored app weighs against its own bytes.

Run with `make bench`; `--smoke` for a short form. Prints figures and limits, exits 1 where one isn't met.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
import tracemalloc

from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest
from flyteidl2.core.tasks_pb2 import Container
from innards import state_of

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE


def fresh_plane(rounds: int) -> float:
    """Return the milliseconds of making and closing one plane, median."""
    times: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        with FakeControlPlane():
            pass
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def memory_ratio(apps: int, image_bytes: int) -> float:
    """Return the bytes of memory of a settled app, store and indexes, over its serialized size."""
    gc.collect()
    tracemalloc.start()
    plane = FakeControlPlane(clock="manual", org="o")
    before = tracemalloc.get_traced_memory()[0]
    for i in range(apps):
        app_id = Identifier(org="o", project=f"p{i % 10}", domain="d", name=f"app-{i}")
        app = App(metadata=Meta(id=app_id), spec=Spec(container=Container(image="x" * image_bytes)))
        plane.call(Call(CREATE, CreateRequest(app=app)))
        if i % 1_000 == 999:
            plane.advance(5)
    plane.advance(5)
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    stored = sum(len(record.encoded) for record in state_of(plane).store.members(("org",)))
    return used / stored


def main() -> int:
    """Print the table."""
    smoke = "--smoke" in sys.argv
    apps = 200 if smoke else 100_000
    rows = [("a fresh embedded plane, ms", fresh_plane(50 if smoke else 1_000), 1.0)]
    for size in (8, 8_000):
        label = f"memory per stored app / serialized size, image of {size} bytes, {apps:,} apps"
        rows.append((label, memory_ratio(apps, size), 4.0))
    for label, figure, limit in rows:
        print(f"{label:86} {figure:8.3f}   limit {limit} {'' if figure <= limit else '  NOT MET'}")
    return 0 if smoke or all(figure <= limit for _, figure, limit in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
