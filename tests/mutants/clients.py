"""Wrong clients: the reference client with one method wrong, each under the guarantee that it breaks.

The suite must find every one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as model
from flyteidl2.app import app_payload_pb2 as rpc

from contract.reference_client import RETRIED, Conflict, Handle, ReferenceClient, Since, WaitError, conditions
from contract.reference_credentials import Credentials
from flyteapps_contract.clients.adapter import WaitFor
from flyteapps_contract.clients.scripted.apps import status_of
from flyteapps_contract.session import ACTIVE, FAILED, STOP, copy

from . import client_calls as client_calls  # whose clients are in the table, too
from .client_planting import MUTANTS, mutant

__all__ = ["MUTANTS"]


class NeverReads(ReferenceClient):
    """Between events it doesn't look: not wrong in all cases."""

    async def after_silence(self, name: str) -> model.App | None:
        await asyncio.sleep(self.pause)
        return model.App()


@mutant("CL-1", "CL-3")
class IgnoresSnapshots(NeverReads):
    """Takes UpdateEvents alone, as the SDK does."""

    def sighted(self, message: rpc.WatchResponse) -> model.App | None:
        return super().sighted(message) if not message.HasField("create_event") else None


@mutant("CL-2")
class TrustsAnyActive(ReferenceClient):
    """Compares revisions, and takes the conditions for those of the revision."""

    def since(self, written: model.App, before: model.App | None) -> Since:
        return Since(written.metadata.revision)


@mutant("CL-2")
class ComparesConditionsAlone(ReferenceClient):
    """Takes any condition but the one that the write returned for a newer one."""

    def since(self, written: model.App, before: model.App | None) -> Since:
        return Since(0, conditions(written))


@mutant("CL-3")
class EndsWithItsStream(ReferenceClient):
    """Takes the end of a stream for the end of the wait."""

    def dropped(self, name: str) -> None:
        raise RuntimeError(f"app {name} stalled")


@mutant("CL-3")
class CallsItDone(ReferenceClient):
    """At the end of the stream it reports the awaited state."""

    async def wait(self, name: str, wait_for: WaitFor, since: Since, seconds: float | None) -> model.App:
        try:
            return await super().wait(name, wait_for, since, seconds)
        except EOFError:
            return await self.read(name)

    def dropped(self, name: str) -> None:
        raise EOFError


@mutant("CL-4")
class HopesForever(ReferenceClient):
    """A failed app may still recover."""

    def failed(self, app: model.App) -> bool:
        return False


@mutant("CL-4")
class NamesNoApp(ReferenceClient):
    """The error of a failure names no app."""

    def failed(self, app: model.App) -> bool:
        raise RuntimeError("deployment failed")


@mutant("CL-5")
class FailsOnAnOldFailed(ReferenceClient):
    """Looks for FAILED first, whenever that was."""

    def reached(self, app: model.App, wait_for: WaitFor, since: Since) -> bool:
        return self.failed(app) if status_of(app) == FAILED else super().reached(app, wait_for, since)


@mutant("CL-6")
class IgnoresDeletions(NeverReads):
    """A DeleteEvent is no state, so it waits for the next one."""

    def sighted(self, message: rpc.WatchResponse) -> model.App | None:
        return super().sighted(message) if not message.HasField("delete_event") else None


@mutant("CL-6")
class TrustsTheStream(NeverReads):
    """Hears of a deletion by an event alone, and of none that came before the stream."""


@mutant("CL-7")
class IgnoresDeadlines(ReferenceClient):
    """Takes a deadline and waits as long as it likes."""

    async def wait(self, name: str, wait_for: WaitFor, since: Since, seconds: float | None) -> model.App:
        return await super().wait(name, wait_for, since, None)


@mutant("CL-7")
class ChecksTheDeadlineWithEvents(ReferenceClient):
    """Looks at the clock only when something comes."""

    async def next(self, messages: asyncio.Queue[Any], name: str, deadline: float) -> Any:
        message = await messages.get()
        return message if message is None else await super().next(_holding(message), name, deadline)


@mutant("CL-8")
class LeavesByTheOldHandle(ReferenceClient):
    """Stops what it has seen running when it got the handle."""

    async def leave(self, handle: Handle) -> None:
        if handle.got.spec.desired_state != STOP:
            await super().leave(handle)


@mutant("CL-9")
class LosesTheFirstError(ReferenceClient):
    """Raises what went wrong last."""

    async def after_error(self, handle: Handle, error: BaseException) -> None:
        await handle.deactivate(wait=True)


@mutant("CL-9")
class LeavesAFailedEntry(ReferenceClient):
    """An app that didn't start is not stopped."""

    async def after_error(self, handle: Handle, error: BaseException) -> None:
        if not isinstance(error, WaitError):
            await super().after_error(handle, error)


@mutant("CL-9")
class HidesThatItCouldNotStop(ReferenceClient):
    """Swallows what goes wrong at the end."""

    async def leave(self, handle: Handle) -> None:
        with contextlib.suppress(ConnectError):
            await super().leave(handle)


@mutant("CL-10")
class NeedsAnIngress(ReferenceClient):
    """Asserts what a plane need not store."""

    def merged(self, stored: model.App, spec: model.Spec) -> model.App:
        assert stored.spec.HasField("ingress")
        return super().merged(stored, spec)


@mutant("CL-11")
class AlwaysWrites(ReferenceClient):
    """Leaves it to the plane to see that nothing changes."""

    def unchanged(self, sent: model.App, stored: model.App) -> bool:
        return False


@mutant("CL-12")
class ErasesMetadata(ReferenceClient):
    """Sends id, revision and labels alone, as the SDK does."""

    def merged(self, stored: model.App, spec: model.Spec) -> model.App:
        sent = super().merged(stored, spec)
        sent.metadata.ClearField("code_bundle_uri")
        sent.metadata.ClearField("source_code")
        return sent


@mutant("CL-12")
class TakesTheApp(ReferenceClient):
    """It replaces the creator of another client's app by its own."""

    def merged(self, stored: model.App, spec: model.Spec) -> model.App:
        sent = super().merged(stored, spec)
        sent.spec.creator.user.id.subject = "me"
        return sent


@mutant("CL-13")
class MergesSpecs(ReferenceClient):
    """Adds the new spec to the stored one."""

    def merged(self, stored: model.App, spec: model.Spec) -> model.App:
        sent = copy(stored)
        sent.spec.MergeFrom(spec)
        return sent


@mutant("CL-13")
class IgnoresConflicts(ReferenceClient):
    """If another client was faster, it reports a success."""

    async def replace(self, name: str, spec: model.Spec, reason: str) -> Handle:
        stored = await self.read(name)
        with contextlib.suppress(Conflict):
            return await self.write(self.merged(stored, spec), reason, stored)
        return self.handle(self, stored, Since(stored.metadata.revision))


@mutant("CL-14")
class CreatesOnce(ReferenceClient):
    """An app that exists can't be its own."""

    async def create(self, app: model.App) -> Handle:
        answer, _ = await self.call(lambda: self.stub.create(rpc.CreateRequest(app=app)))
        if isinstance(answer, ConnectError):
            raise answer
        return self.handle(self, answer.app, Since(1))


@mutant("CL-15")
class TakesItsOwnForAConflict(ReferenceClient):
    """Tries again, and reports what the plane then says."""

    def landed(self, sent: model.App, stored: model.App) -> bool:
        return False


@mutant("CL-15")
class NeverTriesAgain(ReferenceClient):
    """Leaves it to the caller to find out what became of it."""

    attempts = 1


@mutant("CL-16")
class OverrulesTheCaller(ReferenceClient):
    """Writes at the stored revision, whatever the caller's was."""

    async def update(self, app: model.App, reason: str) -> Handle:
        try:
            return await super().update(app, reason)
        except Conflict:
            again = copy(app)
            again.metadata.revision = (await self.read(app.metadata.id.name)).metadata.revision
            return await super().update(again, reason)


@mutant("CL-16")
class TakesAnothersForItsOwn(ReferenceClient):
    """After a lost answer each conflict is a success."""

    def landed(self, sent: model.App, stored: model.App) -> bool:
        return True


@mutant("CL-17")
class MissesTheAbsent(ReferenceClient):
    """Deleting an absent app is an error."""

    async def delete(self, name: str) -> None:
        await self.stub.delete(rpc.DeleteRequest(app_id=self.id(name)))


class StaleHandle(Handle):
    """Writes what it has seen, whenever that was."""

    async def switch(self, wait_for: WaitFor, wait: bool, seconds: float | None) -> object:
        sent = copy(self.got)
        sent.spec.desired_state = STOP if wait_for == "deactivated" else model.Spec.DESIRED_STATE_STARTED
        return await self.client.update(sent, "by a handle")


@mutant("CL-18", "CL-19")
class KeepsStaleHandles(ReferenceClient):
    """A handle is what it was."""

    handle = StaleHandle


@mutant("CL-20")
class GivesUpWhenAskedToWait(ReferenceClient):
    """Doesn't know that RESOURCE_EXHAUSTED passes."""

    def retries(self, error: ConnectError) -> bool:
        return error.code in RETRIED and error.code != Code.RESOURCE_EXHAUSTED


@mutant("CL-21")
class TriesEverythingAgain(ReferenceClient):
    """An error is an error."""

    def retries(self, error: ConnectError) -> bool:
        return True


@mutant("CL-22")
class LeavesItsStreams(ReferenceClient):
    """Forgets the stream once it knows enough."""

    _left: list[Any]

    @contextlib.asynccontextmanager
    async def opened(self, name: str) -> AsyncGenerator[asyncio.Queue[Any]]:
        context = super().opened(name)
        self._left = [*getattr(self, "_left", []), context]
        yield await context.__aenter__()


@mutant("CL-23")
class WantsReplicas(ReferenceClient):
    """No replica, so it can't be active."""

    def reached(self, app: model.App, wait_for: WaitFor, since: Since) -> bool:
        idle = status_of(app) == ACTIVE and app.status.conditions[-1].substate == model.Status.SCALED_TO_ZERO
        return not idle and super().reached(app, wait_for, since)


class GetsOneForEachCall(Credentials):
    """Each call that needs a token gets one."""

    async def replaced(self, used: str) -> str:
        self.token = await self.get()
        return self.token


@mutant("CL-24")
class RefreshesInACrowd(ReferenceClient):
    """Doesn't wait for a token that another call is getting."""

    credentials = GetsOneForEachCall


class NeverRenews(Credentials):
    """Takes a refusal for final."""

    def is_refusal(self, error: ConnectError) -> bool:
        return False


@mutant("CL-25")
class KeepsItsToken(ReferenceClient):
    """The first token is the only one."""

    credentials = NeverRenews


class RenewsAfterUnknown(Credentials):
    """Takes UNKNOWN for a refusal, as the Flyte SDK does."""

    def is_refusal(self, error: ConnectError) -> bool:
        return super().is_refusal(error) or error.code == Code.UNKNOWN


@mutant("CL-25")
class WritesTwice(ReferenceClient):
    """Sends a write again that may have been applied."""

    credentials = RenewsAfterUnknown


class NeverGivesUp(Credentials):
    """Gets token after token."""

    attempts = 5


@mutant("CL-25")
class RetriesForever(ReferenceClient):
    """Repeats a call as long as it is refused."""

    credentials = NeverGivesUp


class Talkative(Credentials):
    """Explains which token was refused."""

    def explained(self, error: ConnectError, token: str) -> ConnectError:
        return ConnectError(error.code, f"{error.message} (with {token})")


@mutant("CL-26")
class ShowsItsToken(ReferenceClient):
    """Helps to debug."""

    credentials = Talkative


def _holding(message: object) -> asyncio.Queue[Any]:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    queue.put_nowait(message)
    return queue
