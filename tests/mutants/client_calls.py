"""Wrong clients: old snapshots and reads, lists, deadlines of whole calls, calls that are cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from contract.reference_client import Handle, ReferenceClient, Since, WaitError
from flyteapps_contract.clients.adapter import Kind, WaitFor

from .client_planting import mutant

T = TypeVar("T")


# ---- CL-2: old states


class TrustsSome(ReferenceClient):
    """Compares revisions and conditions, but not of apps that it trusts."""

    trusted: int = 0

    def reached(self, app: model.App, wait_for: WaitFor, since: Since) -> bool:
        return super().reached(app, wait_for, Since(0) if id(app) == self.trusted else since)


@mutant("CL-2")
class TrustsItsSnapshot(TrustsSome):
    """A snapshot is what is stored now, so it can't be older than the write."""

    def sighted(self, message: rpc.WatchResponse) -> model.App | None:
        app = super().sighted(message)
        self.trusted = id(app) if message.HasField("create_event") and app and app.metadata.revision == 1 else 0
        return app


@mutant("CL-2")
class TrustsTheSnapshotOfALaterStream(TrustsSome):
    """Compares the snapshot of its first stream alone."""

    opened_streams = 0

    async def wait(self, name: str, wait_for: WaitFor, since: Since, seconds: float | None) -> model.App:
        self.opened_streams = 0
        return await super().wait(name, wait_for, since, seconds)

    @contextlib.asynccontextmanager
    async def opened(self, name: str) -> AsyncGenerator[asyncio.Queue[Any]]:
        self.opened_streams += 1
        async with super().opened(name) as messages:
            yield messages

    def sighted(self, message: rpc.WatchResponse) -> model.App | None:
        app = super().sighted(message)
        self.trusted = id(app) if message.HasField("create_event") and self.opened_streams > 1 else 0
        return app


@mutant("CL-2")
class TrustsItsReads(TrustsSome):
    """A read is what is stored now, so it can't be older than the write."""

    async def after_silence(self, name: str) -> model.App | None:
        app = await super().after_silence(name)
        self.trusted = id(app)
        return app


@mutant("CL-2")
class ComparesRevisionsOfEventsAlone(ReferenceClient):
    """Of a snapshot it compares the conditions: any but those that it has read are new."""

    in_snapshot = False

    def sighted(self, message: rpc.WatchResponse) -> model.App | None:
        self.in_snapshot = message.HasField("create_event")
        return super().sighted(message)

    def reached(self, app: model.App, wait_for: WaitFor, since: Since) -> bool:
        return super().reached(app, wait_for, Since(0, since.old) if self.in_snapshot else since)


# ---- CL-9, CL-22: streams and apps that are left behind


@mutant("CL-9")
class LeavesACancelledContext(ReferenceClient):
    """Stops the app after an error, of which a cancellation is none."""

    async def after_error(self, handle: Handle, error: BaseException) -> None:
        if isinstance(error, Exception):
            await super().after_error(handle, error)


class ForgetsSomeStreams(ReferenceClient):
    """Closes its stream, but not after an end that it forgot."""

    _left: list[Any]

    def forgets(self, end: BaseException) -> bool:
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def opened(self, name: str) -> AsyncGenerator[asyncio.Queue[Any]]:
        context = super().opened(name)
        messages = await context.__aenter__()
        try:
            yield messages
        except BaseException as end:
            if not self.forgets(end):
                await context.__aexit__(None, None, None)
            self._left = [*getattr(self, "_left", []), context]
            raise
        await context.__aexit__(None, None, None)


@mutant("CL-22")
class LeavesItsStreamAtItsDeadline(ForgetsSomeStreams):
    """Has no time to close its stream."""

    def forgets(self, end: BaseException) -> bool:
        return isinstance(end, WaitError) and end.kind is Kind.TIMEOUT


@mutant("CL-22")
class LeavesTheStreamOfADeletedApp(ForgetsSomeStreams):
    """Takes the stream of a deleted app for closed."""

    def forgets(self, end: BaseException) -> bool:
        return isinstance(end, WaitError) and end.kind is Kind.DELETED


# ---- CL-27: lists


class HandlesPages(ReferenceClient):
    """Doesn't leave it to its calls to try a page again."""

    async def attempt(self, token: str) -> rpc.ListResponse:
        """Send one List."""
        attempts, self.attempts = self.attempts, 1
        try:
            return await super().page(token)
        finally:
            self.attempts = attempts


@mutant("CL-27")
class BeginsItsListAgain(HandlesPages):
    """After an error it lists from the beginning, and repeats what it has shown."""

    async def page(self, token: str) -> rpc.ListResponse:
        try:
            return await self.attempt(token)
        except ConnectError as error:
            if not self.retries(error):
                raise
            return await super().page("")


@mutant("CL-27")
class GoesBackAPage(HandlesPages):
    """After an error it asks for the page before, which it has shown."""

    asked: tuple[str, ...] = ()

    async def page(self, token: str) -> rpc.ListResponse:
        self.asked = (*self.asked, token) if token else ("",)
        try:
            return await self.attempt(token)
        except ConnectError as error:
            if not self.retries(error):
                raise
            return await ReferenceClient.page(self, self.asked[-2] if len(self.asked) > 1 else "")


@mutant("CL-27")
class CountsWhatItAskedFor(HandlesPages):
    """After an error it lists from the beginning, and passes over as many apps as it has asked for so far."""

    pages = 0

    async def page(self, token: str) -> rpc.ListResponse:
        self.pages = self.pages + 1 if token else 0
        try:
            return await self.attempt(token)
        except ConnectError as error:
            if not self.retries(error):
                raise
        limit, self.limit = self.limit, self.limit * self.pages
        try:
            skipped = await ReferenceClient.page(self, "") if self.pages else rpc.ListResponse()
        finally:
            self.limit = limit
        return await ReferenceClient.page(self, skipped.token)


@mutant("CL-27")
class LeavesOutThePageThatFailed(HandlesPages):
    """Goes on after a page that is UNAVAILABLE with the one after it."""

    async def page(self, token: str) -> rpc.ListResponse:
        try:
            return await self.attempt(token)
        except ConnectError as error:
            if not self.retries(error):
                raise
        lost = await ReferenceClient.page(self, token)
        return await ReferenceClient.page(self, lost.token) if lost.token else rpc.ListResponse()


@mutant("CL-27")
class EndsItsListAtAnError(ReferenceClient):
    """Shows what it could get."""

    async def page(self, token: str) -> rpc.ListResponse:
        try:
            return await super().page(token)
        except ConnectError:
            return rpc.ListResponse()


@mutant("CL-27")
class TakesAShortPageForTheLast(ReferenceClient):
    """Fewer apps than it asked for must be the last."""

    async def page(self, token: str) -> rpc.ListResponse:
        page = await super().page(token)
        if len(page.apps) < self.limit:
            page.ClearField("token")
        return page


@mutant("CL-27")
class SortsByName(ReferenceClient):
    """Shows the apps in another order than the plane's."""

    async def listall(self) -> AsyncGenerator[model.App]:
        for app in sorted([each async for each in super().listall()], key=lambda each: each.metadata.id.name):
            yield app


# ---- CL-28: deadlines


@mutant("CL-28")
class TimesEachAttempt(ReferenceClient):
    """Gives each attempt all of the time."""

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> tuple[T | ConnectError, bool]:
        seconds = self.timeout
        client = ReferenceClient(self._endpoint, self._project, self._domain)

        async def timed() -> T:
            async with asyncio.timeout(seconds):
                return await attempt()

        try:
            return await client.call(timed)
        finally:
            await client.close()


class RenewsDeadlines(ReferenceClient):
    """Waits in parts, each with all of the time."""

    seconds = 60.0
    until = 0.0

    async def wait(self, name: str, wait_for: WaitFor, since: Since, seconds: float | None) -> model.App:
        self.seconds = seconds if seconds is not None else 60.0
        self.until = time.monotonic() + self.seconds
        return await super().wait(name, wait_for, since, None)

    async def next(self, messages: asyncio.Queue[Any], name: str, deadline: float) -> Any:
        return await super().next(messages, name, self.until)

    def renew(self) -> None:
        """Begin another part."""
        self.until = time.monotonic() + self.seconds


@mutant("CL-28")
class TimesEachStream(RenewsDeadlines):
    """Gives each stream that has shown the app all of the time."""

    shown = False

    def sighted(self, message: rpc.WatchResponse) -> model.App | None:
        self.shown = True
        return super().sighted(message)

    def dropped(self, name: str) -> None:
        if self.shown:
            self.renew()
        self.shown = False


@mutant("CL-28")
class TimesEachEvent(RenewsDeadlines):
    """Takes each event for progress, which deserves more time."""

    def sighted(self, message: rpc.WatchResponse) -> model.App | None:
        if message.HasField("update_event"):
            self.renew()
        return super().sighted(message)


@mutant("CL-28")
class ReadsWithoutADeadline(ReferenceClient):
    """A deadline is for its stream, not for what it reads meanwhile."""

    async def next(self, messages: asyncio.Queue[Any], name: str, deadline: float) -> Any:
        left = deadline - time.monotonic()
        if left <= 0:
            raise WaitError(Kind.TIMEOUT, name)
        try:
            async with asyncio.timeout(min(left, self.silence)):
                return await messages.get()
        except TimeoutError:
            return await self.after_silence(name)


# ---- CL-29: calls that are cancelled


@mutant("CL-29")
class LeavesTheStreamOfACancelledWait(ForgetsSomeStreams):
    """Closes its stream after an error, of which a cancellation is none."""

    def forgets(self, end: BaseException) -> bool:
        return isinstance(end, asyncio.CancelledError)


@mutant("CL-29")
class WaitsOnWhenCancelled(ReferenceClient):
    """Takes a cancellation for a stream that dropped."""

    async def next(self, messages: asyncio.Queue[Any], name: str, deadline: float) -> Any:
        try:
            return await super().next(messages, name, deadline)
        except asyncio.CancelledError:
            return None


@mutant("CL-29")
class EndsWellWhenCancelled(ReferenceClient):
    """Returns the app as it last saw it."""

    async def wait(self, name: str, wait_for: WaitFor, since: Since, seconds: float | None) -> model.App:
        try:
            return await super().wait(name, wait_for, since, seconds)
        except asyncio.CancelledError:
            return await self.read(name)


@mutant("CL-29")
class TriesOnWhenCancelled(ReferenceClient):
    """Makes its calls in a task that nothing cancels."""

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> tuple[T | ConnectError, bool]:
        return await asyncio.shield(asyncio.ensure_future(super().call(attempt)))


@mutant("CL-29")
class RetriesCancelledCalls(ReferenceClient):
    """Takes the CANCELED of its stub for an error that passes, and reports what comes of it."""

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> tuple[T | ConnectError, bool]:
        async def again() -> T:
            try:
                return await attempt()
            except ConnectError as error:
                if error.code != Code.CANCELED:
                    raise
                return await attempt()

        return await super().call(again)
