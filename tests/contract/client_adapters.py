"""The clients that are judged here, as adapters: this project's own (awaiting and blocking), and the Flyte SDK.

The SDK's state is one for the whole process: it is judged in a process of its own (judge_sdk.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as model

import flyteapps
from flyteapps_contract.clients.adapter import Kind, TokenFunction, WaitFor, blocking
from flyteapps_contract.outcomes import NotOffered

TIMEOUT_SECONDS = 30.0
"""Seconds of a call without a deadline of its own."""
LONGEST = 20.0
"""Seconds of a wait without a deadline of its own: longer than a check, shorter than a test run."""


# ---- flyteapps

OWN_KINDS: dict[type[flyteapps.Error], Kind] = {
    flyteapps.DeploymentFailed: Kind.FAILED,
    flyteapps.AppDeleted: Kind.DELETED,
    flyteapps.WatchStalled: Kind.STALLED,
    flyteapps.WaitTimeout: Kind.TIMEOUT,
    flyteapps.AppNotFound: Kind.NOT_FOUND,
    flyteapps.Conflict: Kind.CONFLICT,
    flyteapps.NetworkError: Kind.NETWORK,
}


class Own:
    """flyteapps, awaiting."""

    deadlines = True
    cancels = True

    def __init__(
        self,
        endpoint: str,
        project: str,
        domain: str,
        auth: TokenFunction | None = None,
        timeout: float | None = TIMEOUT_SECONDS,
    ) -> None:
        self._where = endpoint, project, domain
        self.client = flyteapps.Client(endpoint, project=project, domain=domain, auth=auth, timeout=timeout)

    def with_tokens(self, token: TokenFunction) -> Own:
        return type(self)(*self._where, token)

    def with_timeout(self, seconds: float) -> Own:
        return type(self)(*self._where, timeout=seconds)

    async def call(self, method: Any, *arguments: Any, **options: Any) -> Any:
        """Return how a method of the client is called."""
        return await method.aio(*arguments, **options)

    def context(self, app: flyteapps.App) -> AbstractAsyncContextManager[object]:
        """Return the ephemeral context of an app."""
        return app.ephemeral_ctx()

    async def get(self, name: str) -> OwnHandle:
        return OwnHandle(self, await self.call(self.client.apps.get, name))

    async def listall(self) -> AsyncGenerator[model.App]:
        async for app in self.client.apps.listall.aio(limit=None):
            yield app.pb2

    async def create(self, app: model.App) -> OwnHandle:
        return OwnHandle(self, await self.call(self.client.apps.create, app))

    async def replace(self, name: str, spec: model.Spec, reason: str) -> OwnHandle:
        return OwnHandle(self, await self.call(self.client.apps.replace, name, spec, reason))

    async def update(self, app: model.App, reason: str) -> OwnHandle:
        return OwnHandle(self, await self.call(self.client.apps.update, app, reason))

    async def delete(self, name: str) -> None:
        await self.call(self.client.apps.delete, name)

    def kind(self, error: BaseException) -> Kind | None:
        return next((kind for error_type, kind in OWN_KINDS.items() if isinstance(error, error_type)), Kind.OTHER)

    async def close(self) -> None:
        await self.client.aclose()


class OwnHandle:
    """A flyteapps.App."""

    def __init__(self, adapter: Own, app: flyteapps.App) -> None:
        self._adapter = adapter
        self._app = app

    @property
    def app(self) -> model.App:
        return self._app.pb2

    async def activate(self, *, wait: bool, seconds: float | None = None) -> object:
        return await self._adapter.call(self._app.activate, wait=wait, timeout=seconds or LONGEST)

    async def deactivate(self, *, wait: bool, seconds: float | None = None) -> object:
        return await self._adapter.call(self._app.deactivate, wait=wait, timeout=seconds or LONGEST)

    async def watch(self, wait_for: WaitFor, *, seconds: float | None = None) -> object:
        return await self._adapter.call(self._app.watch, wait_for, timeout=seconds or LONGEST)

    def ephemeral(self) -> AbstractAsyncContextManager[object]:
        return self._adapter.context(self._app)


class OwnBlocking(Own):
    """flyteapps, blocking: each call in a thread."""

    cancels = False

    async def listall(self) -> AsyncGenerator[model.App]:
        for app in await blocking(lambda: list(self.client.apps.listall(limit=None))):
            yield app.pb2

    async def call(self, method: Any, *arguments: Any, **options: Any) -> Any:
        return await blocking(method, *arguments, **options)

    @contextlib.asynccontextmanager
    async def context(self, app: flyteapps.App) -> AsyncGenerator[object]:
        """Enter and leave a context in threads, as a caller without asyncio would in its own."""
        inner = app.ephemeral_ctx_sync()
        entered = await blocking(inner.__enter__)
        try:
            yield entered
        except BaseException as error:
            if not await blocking(inner.__exit__, type(error), error, error.__traceback__):
                raise
        else:
            await blocking(inner.__exit__, None, None, None)

    async def close(self) -> None:
        await blocking(self.client.close)


# ---- the Flyte SDK


class Sdk:
    """`flyte.remote.App`, unmodified. Its handles don't follow their own writes, and its waits have no deadline."""

    deadlines = False
    cancels = True
    _initialised: ClassVar[dict[str, asyncio.Task[None]]] = {}

    def __init__(self, endpoint: str, project: str, domain: str) -> None:
        self._endpoint, self._project, self._domain = endpoint, project, domain

    def with_tokens(self, token: TokenFunction) -> Any:
        raise NotOffered("the SDK sends credentials over TLS alone")

    async def _remote(self) -> Any:
        """Return the SDK's App, once the SDK knows the endpoint."""
        known = self._initialised
        if self._endpoint not in known:
            known.clear()
            known[self._endpoint] = asyncio.create_task(self._init())
        await known[self._endpoint]
        return importlib.import_module("flyte.remote").App

    async def _init(self) -> None:
        flyte: Any = importlib.import_module("flyte")
        where = f"dns:///{self._endpoint.removeprefix('http://')}"
        await flyte.init.aio(endpoint=where, insecure=True, project=self._project, domain=self._domain)

    def _scope(self) -> dict[str, str]:
        return {"project": self._project, "domain": self._domain}

    async def get(self, name: str) -> SdkHandle:
        return SdkHandle(await (await self._remote()).get.aio(name, **self._scope()))

    async def listall(self) -> AsyncGenerator[model.App]:
        async for app in (await self._remote()).listall.aio(limit=10_000):
            yield app.pb2

    async def create(self, app: model.App) -> SdkHandle:
        return SdkHandle(await (await self._remote()).create.aio(app))

    async def replace(self, name: str, spec: model.Spec, reason: str) -> SdkHandle:
        return SdkHandle(await (await self._remote()).replace.aio(name, spec, reason, **self._scope()))

    async def update(self, app: model.App, reason: str) -> SdkHandle:
        return SdkHandle(await (await self._remote()).update.aio(app, reason))

    async def delete(self, name: str) -> None:
        await (await self._remote()).delete.aio(name, **self._scope())

    def kind(self, error: BaseException) -> Kind | None:
        if isinstance(error, ConnectError):
            kinds = {Code.NOT_FOUND: Kind.NOT_FOUND, Code.ABORTED: Kind.CONFLICT, Code.UNAVAILABLE: Kind.NETWORK}
            return kinds.get(error.code, Kind.OTHER)
        if isinstance(error, RuntimeError):
            return Kind.FAILED if "failed" in str(error) else Kind.STALLED if "stalled" in str(error) else Kind.OTHER
        return Kind.OTHER

    async def close(self) -> None:
        """Do nothing: the SDK's client is the process's."""


class SdkHandle:
    """A flyte.remote.App."""

    def __init__(self, app: Any) -> None:
        self._app = app

    @property
    def app(self) -> model.App:
        return self._app.pb2

    async def activate(self, *, wait: bool, seconds: float | None = None) -> object:
        return await self._app.activate.aio(wait=wait)

    async def deactivate(self, *, wait: bool, seconds: float | None = None) -> object:
        return await self._app.deactivate.aio(wait=wait)

    async def watch(self, wait_for: WaitFor, *, seconds: float | None = None) -> object:
        return await self._app.watch.aio(wait_for)

    def ephemeral(self) -> AbstractAsyncContextManager[object]:
        return self._app.ephemeral_ctx()
