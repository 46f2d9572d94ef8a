"""The context of a client check: a scripted plane, the client, apps to begin with, and expectations.

Every wait is bounded: what should end and doesn't is broken, once the context's time is up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.clients.adapter import ClientUnderTest, HandleUnderTest, Kind, TokenFunction
from flyteapps_contract.clients.scripted.plane import ScriptedPlane
from flyteapps_contract.expectations import expect, expect_equal
from flyteapps_contract.outcomes import Broken, NotOffered, Unjudged
from flyteapps_contract.session import RUN, STOP, copy, status_name

T = TypeVar("T")
DOMAIN = "development"
PATIENCE = 10.0
"""Real seconds that a check may take; what a right client does takes milliseconds."""


class ClientContext:
    """One check's scripted plane and client. `deadline` is a time of the monotonic clock."""

    def __init__(self, plane: ScriptedPlane, client: ClientUnderTest, project: str, deadline: float) -> None:
        self.plane = plane
        self.client = client
        self.project = project
        self._deadline = deadline
        self._tasks: list[asyncio.Future[Any]] = []
        self._names = 0
        self._clients: list[ClientUnderTest] = []

    # ---- apps

    def message(self, name: str = "", *, image: str = "img:1", run: bool = True) -> model.App:
        """Return a small app as a client would send it."""
        if not name:
            self._names += 1
            name = f"app-{self._names}"
        app = model.App(metadata=model.Meta(id=model.Identifier(project=self.project, domain=DOMAIN, name=name)))
        app.spec.container.image = image
        app.spec.ingress.SetInParent()
        app.spec.desired_state = RUN if run else STOP
        return app

    def given(self, *statuses: int, run: bool = True, with_: Callable[[model.App], None] | None = None) -> model.App:
        """Return an app that is stored, and went through these statuses; `with_` may change it before."""
        app = self.plane.apps.completed(self.message(run=run))
        for status in statuses:
            self.plane.apps.add_condition(app, status, f"was {status_name(status)}")
        if with_ is not None:
            with_(app)
        self.plane.apps.put(app)
        return copy(app)

    def changed(self, app: model.App, image: str = "img:2") -> model.Spec:
        """Return another spec for the app."""
        spec = copy(app).spec
        spec.container.image = image
        return spec

    def stored(self, app: model.App) -> model.App:
        """Return the app as it is stored now."""
        return self.plane.apps.require(app.metadata.id.name)

    def another_writes(self, app: model.App, image: str = "img:other") -> model.App:
        """Return another client gives the app another image."""
        sent = self.stored(app)
        sent.spec.container.image = image
        return self.plane.apps.update(sent, "another writer")

    def with_tokens(self, token: TokenFunction) -> ClientUnderTest:
        """Return another client of the same plane, which gets its tokens from that function. Raises NotOffered."""
        make = getattr(self.client, "with_tokens", None)
        if make is None:
            raise NotOffered("its adapter makes no client with credentials (`with_tokens`)")
        client = make(token)
        self._clients.append(client)
        return client

    def with_timeout(self, seconds: float) -> ClientUnderTest:
        """Return another client of the same plane, each of whose calls takes so long at most. Raises NotOffered."""
        make = getattr(self.client, "with_timeout", None)
        if make is None:
            raise NotOffered("its adapter makes no client whose calls have a deadline (`with_timeout`)")
        client = make(seconds)
        self._clients.append(client)
        return client

    async def names(self) -> list[str]:
        """Return the names that the client lists. Raises NotOffered."""
        listall = getattr(self.client, "listall", None)
        if listall is None:
            raise NotOffered("its adapter lists no apps (`listall`)")
        return [app.metadata.id.name async for app in listall()]

    # ---- time

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self._deadline - time.monotonic())

    def begin(self, call: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        """Start a call of the client, to go on meanwhile."""
        task = asyncio.ensure_future(call)
        self._tasks.append(task)
        return task

    async def until(self, task: asyncio.Future[Any], reached: Coroutine[Any, Any, None], what: str) -> None:
        """Return once the plane has seen what was awaited, or the client's call has ended. Else Broken."""
        seen = self.begin(reached)
        await asyncio.wait((task, seen), timeout=self.left, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and not seen.done():
            raise Broken(f"the client did not {what} ({self.plane.call_log.story()})")
        seen.cancel()

    async def eventually(self, reached: Coroutine[Any, Any, None], text: str) -> None:
        """Broken with `text` unless the plane sees it in time."""
        seen = self.begin(reached)
        await asyncio.wait((seen,), timeout=self.left)
        expect(seen.done(), text)

    async def cancelled(self, task: asyncio.Future[Any], what: str) -> None:
        """Cancel a call of the client, and return once it has ended so. Else Broken."""
        if task.done():
            self._expect_going(task, what)
        task.cancel()
        await asyncio.wait((task,), timeout=self.left)
        if not task.done():
            raise Broken(f"{what}: cancelled, it goes on")
        expect(task.cancelled(), f"{what}: cancelled, it ended as if it had not been")

    def _expect_going(self, task: asyncio.Future[Any], what: str) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            raise Unjudged(f"{what}: it ended before it was cancelled")
        if isinstance(error, NotOffered):
            raise error
        raise Unjudged(f"{what}: before it was cancelled it raised {self._describe(error)}")

    # ---- outcomes

    async def handle(self, app: model.App) -> HandleUnderTest:
        """Return the client's handle of the app; without one there is nothing to judge."""
        try:
            async with asyncio.timeout(self.left):
                return await self.client.get(app.metadata.id.name)
        except NotOffered:
            raise
        except Exception as error:
            raise Unjudged(f"getting an app: {_text(error)}") from error

    async def succeeds(self, call: Awaitable[T], what: str) -> T:
        """Return the result. Broken where it raises, or hangs."""
        task = await self._ended(call, what)
        error = task.exception()
        if isinstance(error, NotOffered):
            raise error
        if error is not None:
            raise Broken(f"{what}: raised {self._describe(error)}") from error
        return task.result()

    async def fails(
        self, call: Awaitable[object], what: str, kinds: Sequence[Kind] = (), naming: str = ""
    ) -> BaseException:
        """Return the error, of one of these kinds (where the client tells them), with the name in it. Else Broken."""
        task = await self._ended(call, what)
        error = task.exception()
        if isinstance(error, NotOffered):
            raise error
        if error is None:
            raise Broken(f"{what}: ended as if all was well")
        kind = self.client.kind(error)
        if kinds and kind is not None:
            allowed = " or ".join(kinds)
            expect(kind in kinds, f"{what}: expected an error of the kind {allowed}, got {self._describe(error)}")
        expect(naming in str(error), f"{what}: the error should name {naming}: {_text(error)}")
        return error

    def writes(self, app: model.App, count: int, what: str) -> None:
        """Broken unless the app has had so many updates since it was read into `app`."""
        expect_equal(self.stored(app).metadata.revision - app.metadata.revision, count, what)

    async def _ended(self, call: Awaitable[T], what: str) -> asyncio.Future[T]:
        task = asyncio.ensure_future(call)
        self._tasks.append(task)
        await asyncio.wait((task,), timeout=self.left)
        if not task.done() or task.cancelled():
            raise Broken(f"{what}: has not ended in time")
        self._tasks = [each for each in self._tasks if each is not task]
        return task

    def _describe(self, error: BaseException) -> str:
        kind = self.client.kind(error)
        return f"{_text(error)}, {kind}" if kind else _text(error)

    async def close(self) -> None:
        """Cancel what still goes on, as far as it lets itself be cancelled."""
        for _ in range(3):
            going = [task for task in self._tasks if not task.done()]
            if not going:
                break
            for task in going:
                task.cancel()
            await asyncio.wait(going, timeout=0.2)
        for client in self._clients:
            await asyncio.wait((asyncio.ensure_future(client.close()),), timeout=0.5)
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.exception()


def _text(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
