"""A client that keeps the client guarantees, as small as it gets: over raw stubs, async, a method for each guarantee.

It is there to show that each check can hold, and, with one method wrong, that it can fail (tests/mutants/clients.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc
from flyteidl2.app.app_service_connect import AppServiceClient
from flyteidl2.common import list_pb2
from flyteidl2.common.identifier_pb2 import ProjectIdentifier

from flyteapps_contract.clients.adapter import Kind, TokenFunction, WaitFor
from flyteapps_contract.clients.scripted.apps import status_of
from flyteapps_contract.session import ACTIVE, FAILED, RUN, STARTED, STOP, STOPPED, copy

from .reference_credentials import Credentials

T = TypeVar("T")
RETRIED = (Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.INTERNAL)
RUNNING = (ACTIVE, model.Status.DEPLOYMENT_STATUS_STARTED)
KINDS = {Code.NOT_FOUND: Kind.NOT_FOUND, Code.ABORTED: Kind.CONFLICT, Code.UNAVAILABLE: Kind.NETWORK}


class WaitError(RuntimeError):
    """A wait that can't end well."""

    def __init__(self, kind: Kind, name: str) -> None:
        super().__init__(f"app {name}: {kind}")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Since:
    """The knowledge of a wait about the write before it: its revision, and the conditions that are older than it."""

    revision: int
    old: tuple[bytes, ...] = ()


class ReferenceClient:
    """The client; a subclass that breaks a guarantee overrides one method."""

    deadlines = True
    cancels = True
    attempts = 4
    limit = 3
    timeout: float | None = None
    handle: type[Handle]
    credentials: type[Credentials] = Credentials
    pause = 0.01
    silence = 0.2
    """Seconds without a message after which the app is read."""

    def __init__(self, endpoint: str, project: str, domain: str) -> None:
        self.stub = AppServiceClient(endpoint)
        self._endpoint, self._project, self._domain = endpoint, project, domain

    def with_tokens(self, token: TokenFunction) -> ReferenceClient:
        client = type(self)(self._endpoint, self._project, self._domain)
        client.stub = AppServiceClient(self._endpoint, interceptors=[self.credentials(token)])
        return client

    def with_timeout(self, seconds: float) -> ReferenceClient:
        client = type(self)(self._endpoint, self._project, self._domain)
        client.timeout = seconds
        return client

    def id(self, name: str) -> model.Identifier:
        return model.Identifier(project=self._project, domain=self._domain, name=name)

    def kind(self, error: BaseException) -> Kind | None:
        if isinstance(error, WaitError):
            return error.kind
        return KINDS.get(error.code, Kind.OTHER) if isinstance(error, ConnectError) else Kind.OTHER

    async def close(self) -> None:
        await self.stub.close()

    # ---- calls

    def retries(self, error: ConnectError) -> bool:
        return error.code in RETRIED

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> tuple[T | ConnectError, bool]:
        """Return the answer or the refusal, and whether an earlier attempt may have been applied."""
        async with asyncio.timeout(self.timeout):
            for number in range(1, self.attempts + 1):
                try:
                    return await attempt(), number > 1
                except ConnectError as error:
                    if error.code == Code.CANCELED:  # as the stub says that this task was cancelled
                        raise asyncio.CancelledError from error
                    if not self.retries(error) or number == self.attempts:
                        return error, number > 1
                await asyncio.sleep(self.pause)
        raise AssertionError("the last attempt returns")

    async def read(self, name: str) -> model.App:
        answer, _ = await self.call(lambda: self.stub.get(rpc.GetRequest(app_id=self.id(name))))
        return _or_raise(answer).app

    async def get(self, name: str) -> Handle:
        app = await self.read(name)
        return self.handle(self, app, Since(app.metadata.revision))

    async def listall(self) -> AsyncGenerator[model.App]:
        token = ""
        while True:
            page = await self.page(token)
            for app in page.apps:
                yield app
            if not (token := page.token):
                return

    async def page(self, token: str) -> rpc.ListResponse:
        scope = ProjectIdentifier(name=self._project, domain=self._domain)
        query = list_pb2.ListRequest(limit=self.limit, token=token)
        answer, _ = await self.call(lambda: self.stub.list(rpc.ListRequest(project=scope, request=query)))
        return _or_raise(answer)

    async def create(self, app: model.App) -> Handle:
        answer, _ = await self.call(lambda: self.stub.create(rpc.CreateRequest(app=app)))
        if isinstance(answer, ConnectError) and answer.code == Code.ALREADY_EXISTS:
            return await self.replace(app.metadata.id.name, app.spec, "created again")
        return self.handle(self, _or_raise(answer).app, Since(1))

    def merged(self, stored: model.App, spec: model.Spec) -> model.App:
        """Return what a replace sends."""
        sent = copy(stored)
        sent.spec.CopyFrom(spec)
        if not spec.ingress.ByteSize():
            sent.spec.ClearField("ingress")
            if stored.spec.HasField("ingress"):
                sent.spec.ingress.CopyFrom(stored.spec.ingress)
        sent.spec.creator.CopyFrom(stored.spec.creator)
        return sent

    async def replace(self, name: str, spec: model.Spec, reason: str) -> Handle:
        return await self.rewrite(name, lambda stored: self.merged(stored, spec), reason)

    async def rewrite(self, name: str, change: Callable[[model.App], model.App], reason: str) -> Handle:
        """Read, changes and writes, again after a conflict."""
        for _ in range(self.attempts):
            stored = await self.read(name)
            sent = change(stored)
            if self.unchanged(sent, stored):
                break
            with contextlib.suppress(Conflict):
                return await self.write(sent, reason, stored)
        else:
            raise Conflict(Code.ABORTED, f"app {name}: another client always writes first")
        return self.handle(self, stored, Since(stored.metadata.revision))

    def unchanged(self, sent: model.App, stored: model.App) -> bool:
        """Return whether there is nothing to write."""
        return sent == stored

    async def update(self, app: model.App, reason: str) -> Handle:
        return await self.write(app, reason, None)

    def landed(self, sent: model.App, stored: model.App) -> bool:
        """Return whether what is stored is the attempt whose answer was lost."""
        return stored.metadata.revision == sent.metadata.revision + 1 and stored.spec == sent.spec

    async def write(self, app: model.App, reason: str, before: model.App | None) -> Handle:
        answer, lost = await self.call(lambda: self.stub.update(rpc.UpdateRequest(app=app, reason=reason)))
        if isinstance(answer, ConnectError) and answer.code == Code.ABORTED:
            stored = await self.read(app.metadata.id.name)
            if not lost or not self.landed(app, stored):
                raise Conflict(answer.code, answer.message)
            return self.handle(self, stored, self.since(stored, before))
        written = _or_raise(answer).app
        return self.handle(self, written, self.since(written, before))

    async def delete(self, name: str) -> None:
        answer, _ = await self.call(lambda: self.stub.delete(rpc.DeleteRequest(app_id=self.id(name))))
        if not isinstance(answer, ConnectError) or answer.code != Code.NOT_FOUND:
            _or_raise(answer)

    # ---- waits

    def since(self, written: model.App, before: model.App | None) -> Since:
        """Return what a wait for this write has to know."""
        return Since(written.metadata.revision, conditions(before or written))

    def reached(self, app: model.App, wait_for: WaitFor, since: Since) -> bool:
        """Return whether this observation ends the wait well. Raises WaitError where it ends it badly."""
        status = status_of(app)
        if app.metadata.revision < since.revision:
            return False
        if wait_for == "deactivated":
            return status == STOPPED and app.spec.desired_state == STOP
        if conditions(app)[-1:] == since.old[-1:]:
            return False
        if status == FAILED:
            return self.failed(app)
        return status in RUNNING

    def failed(self, app: model.App) -> bool:
        """Return a FAILED of the write that is waited for."""
        raise WaitError(Kind.FAILED, app.metadata.id.name)

    def sighted(self, message: rpc.WatchResponse) -> model.App | None:
        """Return the app in a message. Raises WaitError where it is gone."""
        if message.HasField("delete_event"):
            raise WaitError(Kind.DELETED, message.delete_event.app.metadata.id.name)
        return message.create_event.app if message.HasField("create_event") else message.update_event.updated_app

    async def wait(self, name: str, wait_for: WaitFor, since: Since, seconds: float | None) -> model.App:
        deadline = time.monotonic() + (seconds if seconds is not None else 60.0)
        while True:
            async with self.opened(name) as messages:
                while (message := await self.next(messages, name, deadline)) is not None:
                    app = self.sighted(message) if isinstance(message, rpc.WatchResponse) else message
                    if app is not None and self.reached(app, wait_for, since):
                        return app
            self.dropped(name)
            await asyncio.sleep(self.pause)

    def dropped(self, name: str) -> None:
        """Open another stream once this one has ended."""

    async def next(self, messages: asyncio.Queue[Any], name: str, deadline: float) -> Any:
        left = deadline - time.monotonic()
        if left <= 0:
            raise WaitError(Kind.TIMEOUT, name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(left, self.silence)):
                return await messages.get()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.monotonic()):
                return await self.after_silence(name)
        raise WaitError(Kind.TIMEOUT, name)

    async def after_silence(self, name: str) -> model.App | None:
        """Return the app as it is now: a stream does not report an app that is gone. None where there is no answer."""
        try:
            return await self.read(name)
        except ConnectError as error:
            if error.code == Code.NOT_FOUND:
                raise WaitError(Kind.DELETED, name) from error
            return None

    async def leave(self, handle: Handle) -> None:
        """End a context in which all went well."""
        await handle.deactivate(wait=True)

    async def after_error(self, handle: Handle, error: BaseException) -> None:
        """End a context in which something was raised: that is what its caller has to learn."""
        with contextlib.suppress(Exception):
            await handle.deactivate(wait=True)

    @contextlib.asynccontextmanager
    async def opened(self, name: str) -> AsyncGenerator[asyncio.Queue[Any]]:
        """Return an open stream, as a queue that ends with None."""
        queue: asyncio.Queue[Any] = asyncio.Queue()

        async def forward() -> None:
            with contextlib.suppress(ConnectError):
                async for message in self.stub.watch(rpc.WatchRequest(app_id=self.id(name))):
                    queue.put_nowait(message)
            queue.put_nowait(None)

        forwarding = asyncio.ensure_future(forward())
        try:
            yield queue
        finally:
            forwarding.cancel()
            await asyncio.gather(forwarding, return_exceptions=True)


class Conflict(ConnectError):  # noqa: N818  # Aborted, in words
    """Another client wrote."""


class Handle:
    """One app."""

    def __init__(self, client: ReferenceClient, app: model.App, since: Since) -> None:
        self.app = self.got = app
        self.client = client
        self.since = since

    @property
    def name(self) -> str:
        return self.app.metadata.id.name

    async def activate(self, *, wait: bool, seconds: float | None = None) -> object:
        return await self.switch("activated", wait, seconds)

    async def deactivate(self, *, wait: bool, seconds: float | None = None) -> object:
        return await self.switch("deactivated", wait, seconds)

    async def watch(self, wait_for: WaitFor, *, seconds: float | None = None) -> object:
        self.app = await self.client.wait(self.name, wait_for, self.since, seconds)
        return self

    async def switch(self, wait_for: WaitFor, wait: bool, seconds: float | None) -> object:
        def change(stored: model.App) -> model.App:
            sent = copy(stored)
            if wait_for == "deactivated":
                sent.spec.desired_state = STOP
            elif stored.spec.desired_state == STOP or status_of(stored) == FAILED:
                again = stored.spec.desired_state == STARTED
                sent.spec.desired_state = RUN if again else STARTED
            return sent

        written = await self.client.rewrite(self.name, change, f"to be {wait_for}")
        self.app, self.since = written.app, written.since
        return await self.watch(wait_for, seconds=seconds) if wait else self

    @contextlib.asynccontextmanager
    async def ephemeral(self) -> AsyncGenerator[object]:
        try:
            yield await self.activate(wait=True)
        except BaseException as error:
            await self.client.after_error(self, error)
            raise
        await self.client.leave(self)


ReferenceClient.handle = Handle


def conditions(app: model.App) -> tuple[bytes, ...]:
    return tuple(each.SerializeToString(deterministic=True) for each in app.status.conditions)


def _or_raise(answer: T | ConnectError) -> T:
    if isinstance(answer, ConnectError):
        raise answer
    return answer
