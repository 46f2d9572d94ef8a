"""Requests to a front in this process: ASGI events in, ASGI events out, and the access line of each call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.http.front import Front
from flyteapps_fake.http.limits import Limits
from flyteapps_fake.http.options import AccessLine, FrontOptions

PATIENCE = 150.0
Events = list[Any]


class Caller:
    """A sender of requests to the front of one plane; `lines` are the access lines so far."""

    def __init__(self, plane: FakeControlPlane, front: Front, lines: list[AccessLine]) -> None:
        self.plane = plane
        self.front = front
        self.lines = lines

    async def send(
        self,
        path: str,
        body: bytes | Sequence[bytes],
        headers: Iterable[tuple[str, str]] = (),
        *,
        method: str = "POST",
        query: str = "",
        ends: bool = True,
        on_event: Callable[[Any], None] | None = None,
    ) -> Events:
        """Return the events of the answer. A body of many parts comes one by one; it never ends unless `ends`."""
        given = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        if all(name != b"host" for name, _ in given):
            given.append((b"host", b"localhost"))
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "2",
            "method": method,
            "scheme": "http",
            "path": path,
            "root_path": "",
            "query_string": query.encode(),
            "headers": given,
            "client": ("127.0.0.1", 1),
            "extensions": {"http.response.trailers": {}},
        }
        parts = [body] if isinstance(body, bytes) else list(body)
        came = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        came[-1]["more_body"] = not ends
        events: Events = []
        left = asyncio.get_running_loop().create_future()

        async def receive() -> Any:
            if not came:
                await left
                return {"type": "http.disconnect"}
            return came.pop(0)

        async def sending(event: Any) -> None:
            events.append(event)
            ended = event["type"] != "http.response.start" and not event.get("more_body", event.get("more_trailers"))
            if ended and not ends and not left.done():
                left.set_result(None)  # as a server ends the connection whose answer overtook its request

        await asyncio.wait_for(self.front(scope, receive, sending), PATIENCE)
        return events

    async def code(self, *arguments: Any, **options: Any) -> str:
        """Return the code of a request's access line."""
        before = len(self.lines)
        events = await self.send(*arguments, **options)
        assert len(self.lines) == before + 1, events
        return self.lines[-1].code


@asynccontextmanager
async def calling(
    dialect: str = "standard", *, request_seconds: float = 60.0, **options: Any
) -> AsyncGenerator[Caller]:
    """Yield a plane and its front, on the running loop."""
    lines: list[AccessLine] = []
    plane = FakeControlPlane(clock="manual", org="flyte", dialect=dialect)
    limits = Limits(request_seconds=request_seconds)
    front = Front(plane, FrontOptions(server="hypercorn", limits=limits, access_log=lines.append, **options))
    await front.start()
    try:
        yield Caller(plane, front, lines)
    finally:
        await front.stop()
