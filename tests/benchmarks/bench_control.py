"""The cost of further concerns to a Get, in process and over Connect: idle rules, calls recorded, callers checked.

Run with `make bench`; `--smoke` for a short form. The front is called without a server, so that its own work is all
that is timed; blocks alternate with those of a plane without rules and with the log off. Exits 1 where a limit is
not met.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Identifier
from flyteidl2.app.app_payload_pb2 import CreateRequest, GetRequest

from benchmarks.pairs import Ratio, compare
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import CREATE, GET
from flyteapps_fake.http.front import Front
from flyteapps_fake.http.options import FrontOptions

RULES = 100
ID = Identifier(org="flyte", project="p", domain="d", name="demo")
HEADERS = [(b"content-type", b"application/proto"), (b"host", b"localhost")]


class Case(NamedTuple):
    """A plane with one app, so many rules about other apps, a log of so many calls, and perhaps authentication."""

    rules: int = 0
    log: int = 0
    auth: bool = False


def headers_of(plane: FakeControlPlane) -> dict[str, str]:
    """Return the headers of a call, with a token also for a plane that needs none: the check is what is measured."""
    token = plane.token("alice") if plane.authentication is not None else "x" * 500
    return {"authorization": f"Bearer {token}"}


def plane_with(case: Case) -> FakeControlPlane:
    """Return such a plane."""
    auth = "demo" if case.auth else None
    plane = FakeControlPlane(clock="manual", org="flyte", call_log=case.log, auth=auth)
    app = App()
    app.metadata.id.CopyFrom(ID)
    app.spec.container.image = "image"
    plane.call(Call(CREATE, CreateRequest(app=app), headers_of(plane)))
    for number in range(case.rules):
        plane.faults.fail("Get", code="UNAVAILABLE", app=f"other-{number}")
    return plane


def in_process(plane: FakeControlPlane) -> Callable[[], object]:
    """Return a Get by the plane's stub."""
    stub, request, headers = plane.stub(), GetRequest(app_id=ID), headers_of(plane)
    return lambda: stub.get(request, headers=headers)


def over_connect(plane: FakeControlPlane) -> Callable[[], object]:
    """Return a Get by the front, over Connect, which never suspends."""
    front = Front(plane, FrontOptions(server="hypercorn"))
    body = GetRequest(app_id=ID).SerializeToString()
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": GET.path,
        "root_path": "",
        "query_string": b"",
        "headers": [*HEADERS, *((name.encode(), value.encode()) for name, value in headers_of(plane).items())],
        "client": ("127.0.0.1", 1),
        "extensions": {},
    }
    loop = asyncio.new_event_loop()

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        assert event.get("status", 200) == 200

    return lambda: loop.run_until_complete(front(dict(scope), receive, send))


ROWS: tuple[tuple[str, Case, tuple[float, float]], ...] = (
    ("an idle table of 100 rules", Case(rules=RULES), (1.03, 1.03)),
    ("the log of calls on", Case(log=1_000), (1.10, 1.10)),
    ("callers authenticated", Case(auth=True), (1.10, 1.10)),
)


def main() -> int:
    """Print the table."""
    smoke = "--smoke" in sys.argv
    blocks, calls = (10, 50) if smoke else (200, 300)
    met = True
    for kind, (name, make) in enumerate((("in process", in_process), ("over Connect", over_connect))):
        for label, case, limits in ROWS:
            limit = limits[kind]
            found: Ratio = compare(make(plane_with(Case())), make(plane_with(case)), blocks, calls)
            met = met and found.median <= limit
            print(f"{name}, {label}: {found} of {found.base_us:.1f} us, limit {limit}")
    return 0 if smoke or met else 1


if __name__ == "__main__":
    sys.exit(main())
