"""A program as a user would write it: checked by pyright and mypy, strictly, and run in a bare install.

`python typed_sample.py URL` against a control plane; it says "ok" at the end.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar, assert_type

from connectrpc.method import MethodInfo
from flyteidl2.app import app_definition_pb2
from google.protobuf.message import Message

import flyteapps
from flyteapps import (
    App,
    AppNotFound,
    AsyncStream,
    Change,
    Client,
    DeploymentFailed,
    DeploymentStatus,
    DesiredState,
    LogLine,
    Retries,
    Stream,
    Substate,
    Transport,
    Waited,
    Waits,
)

Res = TypeVar("Res", bound=Message)


class Counting:
    """A transport of one's own, around another."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.calls = 0

    def unary(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Res:
        """Return one response."""
        self.calls += 1
        return self.inner.unary(method, request, timeout, headers)

    async def async_unary(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Res:
        """Return one response, awaiting."""
        self.calls += 1
        return await self.inner.async_unary(method, request, timeout, headers)

    def stream(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Stream[Res]:
        """Return one stream."""
        return self.inner.stream(method, request, timeout, headers)

    def async_stream(
        self,
        method: MethodInfo[Any, Res],
        request: Any,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncStream[Res]:
        """Return one stream, awaiting."""
        return self.inner.async_stream(method, request, timeout, headers)


class Mine(App):
    """A subclass, whose methods give it."""

    @property
    def title(self) -> str:
        """Something of its own."""
        return self.name.title()


def spec(image: str) -> app_definition_pb2.Spec:
    """Return a spec with one container."""
    made = app_definition_pb2.Spec()
    made.container.image = image
    return made


def message(name: str) -> app_definition_pb2.App:
    """Return an app to create."""
    return flyteapps.new_app(
        name,
        image="example.org/hello:1",
        command=["python", "-m", "http.server"],
        env={"A": "b"},
        port=8080,
        replicas=(0, 2),
        scaledown_period=timedelta(minutes=5),
    )


def blocking(client: Client) -> None:
    """Use the surface, blocking."""
    app = client.apps.create(message("sample"))
    assert_type(app, App)
    assert_type(app.watch("activated", timeout=60), App)
    assert_type(app.waited, Waited | None)
    assert_type(app.deployment_status, DeploymentStatus)
    assert_type(app.desired_state, DesiredState)
    assert_type(app.substate, Substate)
    assert_type(app.is_active(), bool)
    assert_type(app.revision, int)
    assert_type(app.endpoint + app.url + app.name + app.message + app.to_json(), str)
    assert_type(client.apps.get("sample"), App)
    assert_type(client.apps.replace("sample", spec("example.org/hello:2"), "a new image", labels={"a": "b"}), App)
    names = [each.name for each in client.apps.listall(in_status="active", sort_by=("name", "asc"))]
    assert_type(names, list[str])
    with app.events(timeout=0.1) as events:
        for change in events:
            assert_type(change, Change)
            assert_type(change.old, App | None)
    for line in app.logs(follow=False):
        assert_type(line, LogLine)
    with app.ephemeral_ctx_sync() as running:
        assert_type(running, App)
    assert_type(app.activate(wait=True), App)
    assert_type(app.deactivate(wait=True), App)
    app.show_logs(max_lines=10, raw=True)  # no replica is left, so that it ends
    assert_type(App.get("sample"), App)
    stopped = App.get("sample").pb2
    stopped.spec.container.image = "example.org/hello:3"
    assert_type(App.update(stopped, "by hand"), App)
    client.apps.delete("sample")
    with_subclass()
    try:
        App.get("sample")
    except AppNotFound as error:
        assert_type(error.code, flyteapps.Code | None)
        assert_type(error.request_id, str)


def with_subclass() -> None:
    """Use a subclass of App, by the default client."""
    mine = Mine.create(message("mine"))
    assert_type(mine, Mine)
    assert_type(mine.watch(timeout=60), Mine)
    assert_type(Mine.get("mine"), Mine)
    assert_type([each.title for each in Mine.listall(limit=None)], list[str])
    assert_type(Mine.replace("mine", spec("example.org/hello:2"), "a new image"), Mine)
    assert_type(mine.activate(wait=True), Mine)
    assert_type(App.activate(mine), App)
    assert_type(Mine.watch(mine), Mine)
    with mine.ephemeral_ctx_sync() as running:
        assert_type(running, Mine)

    @mine.ephemeral_ctx_sync()
    def decorated(number: int) -> str:
        return str(number)

    assert_type(decorated(1), str)
    assert_type(Mine.delete("mine"), None)


async def awaiting(client: Client) -> None:
    """Use the surface, awaiting."""
    app = await client.apps.create.aio(message("sample"))
    assert_type(app, App)
    try:
        assert_type(await app.watch.aio(timeout=60), App)
    except DeploymentFailed as error:
        assert_type(error.log_lines, tuple[str, ...])
    async for each in client.apps.listall.aio(limit=None):
        assert_type(each, App)
    async with app.events.aio(timeout=0.1) as events:
        async for change in events:
            assert_type(change, Change)
    async with app.ephemeral_ctx() as running:
        assert_type(running, App)
    assert_type(await App.get.aio("sample"), App)
    assert_type(await Mine.get.aio("sample"), Mine)
    async for mine in Mine.listall.aio():
        assert_type(mine, Mine)
        assert_type(await mine.watch.aio("deactivated"), Mine)
    async with asyncio.TaskGroup() as group:
        group.create_task(client.apps.get.aio("sample"))
    await client.apps.delete.aio("sample")


def main(url: str) -> None:
    """Run all of it against a plane."""
    scope = {"project": "sample", "domain": "development"}
    retries, waits = Retries(attempts=3, seed=1), Waits(timeout=60)
    client = flyteapps.init(url, project=scope["project"], domain=scope["domain"], retries=retries, waits=waits)
    assert_type(client, Client)
    assert_type(asyncio.run(flyteapps.init.aio(url, project="sample", domain="development")), Client)
    counting = Counting(client.transport)
    with Client(transport=counting, project=scope["project"], domain=scope["domain"]) as counted:
        blocking(counted)
    asyncio.run(awaiting(client))
    client.close()
    print(f"ok, {counting.calls > 10}")


if __name__ == "__main__":
    main(sys.argv[1])
