"""The scripted server: scripted planes behind one port, each for the requests of its own project."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Self

from flyteidl2.app import app_payload_pb2 as rpc
from google.protobuf.message import Message

from flyteapps_contract.clients.scripted import connect
from flyteapps_contract.clients.scripted.call_log import LEFT, LOST, Call
from flyteapps_contract.clients.scripted.http import Exchange, Listener
from flyteapps_contract.clients.scripted.plane import Lost, ScriptedPlane
from flyteapps_contract.outcomes import Refused
from flyteapps_contract.session import SERVICE

UNARY: dict[str, type[Message]] = {
    "Create": rpc.CreateRequest,
    "Get": rpc.GetRequest,
    "Update": rpc.UpdateRequest,
    "Delete": rpc.DeleteRequest,
}


class ScriptedServer:
    """A server that listens inside of `async with`; `plane(project)` answers the requests of a project."""

    url: str

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        """Errors in here, or in actions of faults; nothing can be judged unless it is empty."""
        self._planes: dict[str, ScriptedPlane] = {}
        self._listener = Listener(self._serve)

    def plane(self, project: str) -> ScriptedPlane:
        """Return the scripted plane of that project."""
        return self._planes.setdefault(project, ScriptedPlane())

    async def __aenter__(self) -> Self:
        self.url = await self._listener.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._listener.close()

    async def _serve(self, exchange: Exchange) -> None:
        service, _, method = connect.method_of(exchange.request).partition("/")
        try:
            if service == SERVICE and method == "Watch":
                await self._watch(exchange)
            elif service == SERVICE and method in UNARY:
                request = connect.unary_request(exchange.request, UNARY[method])
                app_id = _app_id(request)
                await connect.answer(
                    exchange, await self.plane(app_id.project).unary(Call(method, app_id.name, request))
                )
            else:
                await exchange.answer(404, {"content-type": "text/plain"}, b"the scripted plane has no such method\n")
        except Refused as error:
            await connect.refuse(exchange, error)
        except Lost:
            exchange.cut()
        except OSError:  # the client has gone
            exchange.cut()
        except Exception as failure:
            self.failures.append(failure)
            exchange.cut()

    async def _watch(self, exchange: Exchange) -> None:
        request = connect.stream_request(exchange.request, rpc.WatchRequest)
        call = Call("Watch", request.app_id.name, request)
        messages = self.plane(request.app_id.project or request.project.name).watch(call, request)
        await connect.open_stream(exchange)
        sending = asyncio.ensure_future(_send_all(exchange, messages, call))
        leaving = asyncio.ensure_future(exchange.left())
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            else:
                call.outcome = LEFT
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)


async def _send_all(exchange: Exchange, messages: AsyncGenerator[rpc.WatchResponse], call: Call) -> None:
    error: Refused | None = None
    async with contextlib.aclosing(messages):
        try:
            async for message in messages:
                await connect.send(exchange, message)
            call.outcome = "OK"
        except Refused as refused:
            error, call.outcome = refused, refused.code
        except Lost:
            call.outcome = LOST
            exchange.cut()
            return
    await connect.end_stream(exchange, error)


def _app_id(request: Any) -> Any:
    return request.app.metadata.id if hasattr(request, "app") else request.app_id
