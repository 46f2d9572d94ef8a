"""The scripted plane of one project, without sockets. A check moves it, adds faults, and reads its call log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from enum import StrEnum
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message

from flyteapps.testing import Call as Request
from flyteapps.testing import FaultyTransport, MockTransport
from flyteapps_contract.clients.scripted.apps import Apps, status_of
from flyteapps_contract.clients.scripted.call_log import LEFT, LOST, Call, CallLog
from flyteapps_contract.clients.scripted.watch import Viewer
from flyteapps_contract.outcomes import Refused
from flyteapps_contract.session import ACTIVE, FAILED, STOP, STOPPED

Around = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""A coroutine function that surrounds a unary call, which it makes by its argument."""
AroundStream = Callable[[AsyncGenerator[Any]], AsyncGenerator[Any]]
"""An async generator function that surrounds a stream."""


class Cluster(StrEnum):
    """The mover of apps: the check; a cluster, once a client reads; a cluster, before the response to the write."""

    HELD = "held"
    WHEN_SEEN = "when seen"
    AT_ONCE = "at once"


class ScriptedPlane:
    """The plane of one project: `apps` are stored, `call_log` has the calls, `faults` has rules for calls.

    `tokens`: the bearer tokens of which calls need one, None for none. `fails` names the apps that a cluster can't
    start. `failures` gets the errors of actions.
    """

    def __init__(self, failures: list[Exception]) -> None:
        self.apps = Apps(self._heard)
        self.call_log = CallLog()
        self.cluster = Cluster.HELD
        self.fails: set[str] = set()
        self.tokens: set[str] | None = None
        self.viewers: list[Viewer] = []
        self.faults = FaultyTransport(MockTransport(self._perform))
        self._actions: list[tuple[str, str, Any]] = []
        self._failures = failures
        self._changed = asyncio.Event()

    def once(self, rpc: str, around: Around | AroundStream, app: str = "") -> None:
        """Let an action surround the next call of that RPC, of one app or any; it gets the call, or the stream."""
        self._actions.append((rpc, app, around))

    def say(self, name: str, event: rpc.WatchResponse) -> None:
        """Send an event to the watchers of the app, whatever is stored."""
        for viewer in self.viewers:
            if viewer.sees(name):
                viewer.events.put_nowait(event)

    async def until(self, reached: Callable[[], object]) -> None:
        """Return once `reached()` is true."""
        while not reached():
            await self._changed.wait()

    async def attended(self, name: str) -> None:
        """Return once the app is waited for: a stream has sent its snapshot, or two reads came from now on."""
        known = len(self.call_log.of("Get", app=name))
        await self.until(lambda: self._shown(name) or len(self.call_log.of("Get", app=name)) >= known + 2)

    async def waited_for_again(self, name: str, *, since: int) -> None:
        """Return once the app was watched, or read twice, after the call log's first `since` calls.

        A client that reads it once may end with what it read: its answer shows no report that comes after the call.
        """

        def is_waited_for() -> bool:
            looks = [call.method for call in self.call_log.calls[since:] if call.looks and call.app == name]
            return "Watch" in looks or len(looks) >= 2

        await self.until(is_waited_for)

    async def deserted(self) -> None:
        """Return once no stream is open."""
        await self.until(lambda: not self.viewers)

    # ---- what clients call

    def answer(self, request: Request) -> Awaitable[Any] | AsyncGenerator[Any]:
        """Answer a call, with faults and actions."""
        call = Call(request.rpc, request.app, request.request)
        self.call_log.calls.append(call)
        self._touch()
        if self.tokens is not None and request.headers.get("authorization") not in {f"Bearer {t}" for t in self.tokens}:
            call.outcome = "UNAUTHENTICATED"
            return _refuse_stream() if request.streaming else _refuse()
        return self._stream(call, request) if request.streaming else self._unary(call, request)

    async def _unary(self, call: Call, request: Request) -> Any:
        around = self._action(call)
        with self._ending(call):
            return await (around(lambda: request.send(self.faults)) if around else request.send(self.faults))

    async def _stream(self, call: Call, request: Request) -> AsyncGenerator[Any]:
        around = self._action(call)
        messages = _messages(request.send(self.faults))
        with self._ending(call):
            async with contextlib.aclosing(around(messages) if around else messages) as shown:
                async for message in shown:
                    yield message

    @contextlib.contextmanager
    def _ending(self, call: Call) -> Generator[None]:
        """Record the end of a call. An error that no client should get is a failure, and resets the connection."""
        try:
            yield
            call.outcome = "OK"
        except ConnectError as error:
            call.outcome = LOST if isinstance(error.__cause__, ConnectionResetError) else error.code.name
            raise
        except (asyncio.CancelledError, GeneratorExit):
            call.outcome = LEFT
            raise
        except Exception as error:
            call.outcome = LOST
            if not isinstance(error, ConnectionResetError):
                self._failures.append(error)
            raise ConnectionResetError from error
        finally:
            self._touch()

    def _action(self, call: Call) -> Any:
        for action in self._actions:
            rpc, app, around = action
            if rpc == call.method and app in ("", call.app):
                self._actions.remove(action)
                return around
        return None

    # ---- what happens behind

    def _perform(self, request: Request) -> Any:
        message = request.request
        if isinstance(message, rpc.WatchRequest):
            return self._watch(message.app_id.name)
        try:
            answer = self._respond(message)
        except Refused as error:
            return ConnectError(Code[error.code], error.message)
        if self.cluster is Cluster.AT_ONCE:
            self._move(request.app)
        elif isinstance(answer, rpc.GetResponse) or any(viewer.sees(request.app) for viewer in self.viewers):
            self._seen(request.app)
        return answer

    def _respond(self, request: Message) -> Message:
        match request:
            case rpc.GetRequest():
                return rpc.GetResponse(app=self.apps.require(request.app_id.name))
            case rpc.CreateRequest():
                return rpc.CreateResponse(app=self.apps.create(request.app))
            case rpc.UpdateRequest():
                return rpc.UpdateResponse(app=self.apps.update(request.app, request.reason))
            case rpc.DeleteRequest():
                self.apps.delete(request.app_id.name)
                return rpc.DeleteResponse()
            case rpc.ListRequest():
                apps, token = self.apps.page(request.request.limit, request.request.token)
                return rpc.ListResponse(apps=apps, token=token)
            case _:
                raise Refused("UNIMPLEMENTED", "the scripted plane has no such method")

    async def _watch(self, name: str) -> AsyncGenerator[rpc.WatchResponse]:
        viewer = Viewer(name)
        self.viewers.append(viewer)
        try:
            for app in self.apps.named(name):
                yield rpc.WatchResponse(create_event=rpc.CreateEvent(app=app))
            viewer.ready = True
            self._touch()
            self._seen(name)
            while True:
                yield await viewer.events.get()
                self._touch()
        finally:
            self.viewers.remove(viewer)
            self._touch()

    def _shown(self, name: str) -> bool:
        return any(viewer.ready and viewer.sees(name) for viewer in self.viewers)

    def _seen(self, name: str) -> None:
        if self.cluster is Cluster.WHEN_SEEN:
            asyncio.get_running_loop().call_soon(self._move, name)

    def _move(self, name: str) -> None:
        """Move the app to its desired state, as a cluster does, unless it is there."""
        app = self.apps.find(name)
        if app is None:
            return
        here = status_of(app)
        if app.spec.desired_state == STOP:
            if here != STOPPED:
                self.apps.report(name, STOPPED)
        elif here not in (ACTIVE, FAILED):
            self.apps.report(name, FAILED if name in self.fails else ACTIVE)

    def _heard(self, name: str, event: rpc.WatchResponse) -> None:
        self.say(name, event)
        self._touch()

    def _touch(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def _messages(stream: Any) -> AsyncGenerator[Any]:
    """Yield the messages of a stream of a transport."""
    try:
        while True:
            yield await stream.receive()
    except EOFError:
        return
    finally:
        await stream.aclose()


async def _refuse() -> Any:
    raise ConnectError(Code.UNAUTHENTICATED, "the scripted plane does not know these credentials")


async def _refuse_stream() -> AsyncGenerator[Any]:
    await _refuse()
    yield
