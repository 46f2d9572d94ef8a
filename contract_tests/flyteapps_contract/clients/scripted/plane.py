"""The scripted plane of one project, without sockets. A check moves it, adds faults, and reads its call log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from enum import StrEnum
from typing import Any

from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message

from flyteapps_contract.clients.scripted.apps import Apps, status_of
from flyteapps_contract.clients.scripted.call_log import LOST, Call, CallLog
from flyteapps_contract.clients.scripted.faults import Action, Drop, Fault, Faults, How
from flyteapps_contract.clients.scripted.watch import Viewer
from flyteapps_contract.outcomes import Refused
from flyteapps_contract.session import ACTIVE, FAILED, STOP, STOPPED


class Lost(Exception):  # noqa: N818  # what becomes of an answer, not a fault of ours
    """The connection has to be cut, without an answer."""


class Cluster(StrEnum):
    """The mover of apps: the check; a cluster, once a client reads; a cluster, before the response to the write."""

    HELD = "held"
    WHEN_SEEN = "when seen"
    AT_ONCE = "at once"


class ScriptedPlane:
    """The plane of one project: `apps` are stored, `call_log` has the calls.

    `fails` names the apps that a cluster can't start.
    """

    def __init__(self) -> None:
        self.apps = Apps(self._heard)
        self.call_log = CallLog()
        self.cluster = Cluster.HELD
        self.fails: set[str] = set()
        self.viewers: list[Viewer] = []
        self._faults = Faults()
        self._changed = asyncio.Event()

    def add_fault(self, method: str, app: str = "", **what: Any) -> Fault:
        """Add a fault for the next call of that method."""
        fault = Fault(method=method, app=app, **what)
        self._faults.left.append(fault)
        return fault

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

    async def delivered(self, name: str) -> None:
        """Return once every event of the app has left on the streams that see it."""
        await self.until(lambda: all(viewer.events.empty() for viewer in self.viewers if viewer.sees(name)))

    # ---- what clients call

    async def unary(self, call: Call) -> Message:
        """Return the answer. Raises Refused and Lost."""
        fault = self._take(call)
        try:
            answer = await self._act(call, fault)
        except Refused as error:
            call.outcome = error.code
            raise
        finally:
            self._touch()
        if fault.lose is not None:
            call.outcome = LOST
            self._touch()
            raise Refused("UNAVAILABLE", "the answer was lost") if fault.lose is How.UNAVAILABLE else Lost
        call.outcome = "OK"
        self._touch()
        return answer

    async def watch(self, call: Call, request: rpc.WatchRequest) -> AsyncGenerator[rpc.WatchResponse]:
        """Return the messages of a stream. Raises Refused and Lost where it is dropped."""
        fault = self._take(call)
        _play(fault.before)
        if fault.refuse:
            raise Refused(fault.refuse, "refused by a fault")
        if fault.silent:
            await asyncio.Event().wait()
        viewer = Viewer(request.app_id.name)
        drop = fault.drop or Drop(-1, How.CUT)
        self.viewers.append(viewer)
        try:
            for app in self.apps.named(viewer.app) if drop.after != 0 else ():
                yield rpc.WatchResponse(create_event=rpc.CreateEvent(app=app))
                viewer.sent += 1
            viewer.ready = True
            self._touch()
            self._seen(viewer.app)
            while viewer.sent != drop.after:
                yield await viewer.events.get()
                viewer.sent += 1
                self._touch()
        finally:
            self.viewers.remove(viewer)
            self._touch()
        _play(drop.then)
        if drop.how is How.UNAVAILABLE:
            raise Refused("UNAVAILABLE", "the stream was dropped")
        if drop.how is How.CUT:
            raise Lost

    # ---- what happens behind

    async def _act(self, call: Call, fault: Fault) -> Message:
        if fault.meet is not None:
            await fault.meet.join()
        _play(fault.before)
        if fault.refuse:
            _play(fault.after)
            raise Refused(fault.refuse, "refused by a fault")
        answer = self._perform(call.request)
        _play(fault.after)
        if self.cluster is Cluster.AT_ONCE:
            self._move(call.app)
        elif isinstance(answer, rpc.GetResponse) or any(viewer.sees(call.app) for viewer in self.viewers):
            self._seen(call.app)
        return answer

    def _perform(self, request: Message) -> Message:
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
            case _:
                raise Refused("UNIMPLEMENTED", "the scripted plane has no such method")

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

    def _take(self, call: Call) -> Fault:
        self.call_log.calls.append(call)
        self._touch()
        return self._faults.take(call.method, call.app) or Fault(method=call.method)

    def _touch(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _play(action: Action | None) -> None:
    """Run an action of a fault; a refusal there is the check's mistake, and no answer to the client."""
    try:
        if action is not None:
            action()
    except Refused as error:
        raise RuntimeError(f"in an action of a fault: {error}") from error
