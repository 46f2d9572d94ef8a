"""Blocks of calls for `against.py`, run by the Python of either commit: what both offer under the same names, alone.

Arguments: WHAT CALLS [URL]. For each line on standard input it runs one block and prints its CPU seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import Callable
from typing import Any

from flyteidl2.app.app_definition_pb2 import App, Identifier, Meta, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest, ListRequest
from flyteidl2.core.tasks_pb2 import Container

import flyteapps
from flyteapps_fake import FakeControlPlane

SCOPE: dict[str, Any] = {"project": "p", "domain": "d"}


def app(name: str) -> App:
    """Return an app to create."""
    return App(metadata=Meta(id=Identifier(**SCOPE, name=name)), spec=Spec(container=Container(image="image")))


def block(what: str, calls: int, url: str) -> Callable[[], object]:
    """Return the function that runs one block."""
    if url:
        options: dict[str, Any] = {"protocol": what.removesuffix("-aio"), "insecure": True}
        client = flyteapps.Client(url, **SCOPE, **options)
    else:
        plane = FakeControlPlane(clock="manual")
        stub = plane.stub()
        for number in range(100):
            stub.create(CreateRequest(app=app(f"a{number}")))
        request, listing, serial = GetRequest(app_id=Identifier(**SCOPE, name="a1")), ListRequest(), itertools.count()
        if what == "get":
            return lambda: [stub.get(request) for _ in range(calls)]
        if what == "list":
            return lambda: [stub.list(listing) for _ in range(calls // 50)]
        if what == "create":
            return lambda: [stub.create(CreateRequest(app=app(f"b{next(serial)}"))) for _ in range(calls // 10)]
        client = flyteapps.Client(transport=plane.transport(), **SCOPE)
    with contextlib.suppress(flyteapps.AppExists):  # the other commit's worker was here
        client.apps.create(app("a1"))
    if not what.endswith("-aio"):
        return lambda: [client.apps.get("a1") for _ in range(calls)]
    loop = asyncio.new_event_loop()

    async def awaited() -> None:
        for _ in range(calls):
            await client.apps.get.aio("a1")

    return lambda: loop.run_until_complete(awaited())


def main() -> None:
    """Serve blocks until standard input ends."""
    run = block(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    for _ in sys.stdin:
        before = time.process_time()
        run()
        print(time.process_time() - before, flush=True)


if __name__ == "__main__":
    main()
