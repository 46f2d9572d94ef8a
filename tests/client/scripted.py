"""A transport that answers as a test says: no plane, no rules."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Mapping
from typing import Any

from connectrpc.errors import ConnectError
from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload

from flyteapps import DeploymentStatus, Substate

END = EOFError("the stream ended")


class ScriptedTransport:
    """Calls are answered by `answers[METHOD](request)`; each stream gives the messages of the next script.

    A script is a list of messages and exceptions; after its last entry a stream stays silent.
    """

    def __init__(self, answers: dict[str, Callable[[Any], Any]], streams: list[list[Any]]) -> None:
        self._answers = answers
        self._streams = streams
        self.opened = 0
        self.calls: list[tuple[str, Any]] = []

    def unary(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Return the answer, or raise it."""
        self.calls.append((method.name, request))
        answer = self._answers[method.name](request)
        if isinstance(answer, ConnectError):
            raise answer
        return answer

    async def async_unary(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Do the same, awaiting."""
        return self.unary(method, request)

    def stream(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> ScriptedStream:
        """Return a stream of the next script."""
        self.opened += 1
        return ScriptedStream(self._streams.pop(0) if self._streams else [])

    def async_stream(
        self, method: Any, request: Any, timeout: float | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncScriptedStream:
        """Do the same, awaiting."""
        return AsyncScriptedStream(self.stream(method, request))


class ScriptedStream:
    """One stream."""

    def __init__(self, script: list[Any]) -> None:
        self._script = list(script)
        self._silence: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.closed = False

    def receive(self, timeout: float | None = None) -> Any:
        """See Stream.receive."""
        if not self._script:
            try:
                self._silence.get(timeout=timeout)
            except queue.Empty:
                raise TimeoutError from None
        entry = self._script.pop(0)
        if isinstance(entry, Exception):
            raise entry
        return entry

    def empty(self) -> bool:
        """Return whether the script is used up."""
        return not self._script

    def close(self) -> None:
        """See Stream.close."""
        self.closed = True


class AsyncScriptedStream:
    """The same, awaiting."""

    def __init__(self, inner: ScriptedStream) -> None:
        self._inner = inner

    async def receive(self, timeout: float | None = None) -> Any:
        """See AsyncStream.receive."""
        if self._inner.empty():
            await asyncio.sleep(timeout if timeout is not None else 3_600)
            raise TimeoutError
        return self._inner.receive(timeout)

    async def aclose(self) -> None:
        """See AsyncStream.aclose."""
        self._inner.close()


def state(
    *conditions: tuple[DeploymentStatus, str],
    revision: int = 0,
    desired: int = definition.Spec.DESIRED_STATE_ACTIVE,
    substate: Substate = Substate.UNSPECIFIED,
    counters: bool = False,
) -> definition.App:
    """Return an app in a state: its conditions, and on planes that count them its revision and their counters."""
    app = definition.App()
    app.metadata.id.org, app.metadata.id.project = "flyte", "demo"
    app.metadata.id.domain, app.metadata.id.name = "development", "hello"
    app.metadata.revision = revision
    app.spec.container.image = "example.org/hello:1"
    app.spec.desired_state = desired  # pyright: ignore[reportAttributeAccessIssue]  # an open enum
    app.status.created_at.seconds = 1
    for number, (status, message) in enumerate(conditions):
        app.status.conditions.add(
            deployment_status=status.value,  # pyright: ignore[reportArgumentType]  # an open enum
            message=message,
            revision=number + 1 if counters else 0,
            substate=substate.value,  # pyright: ignore[reportArgumentType]  # an open enum
        )
    return app


def created(app: definition.App) -> payload.WatchResponse:
    """Return a snapshot's event."""
    return payload.WatchResponse(create_event={"app": app})


def updated(app: definition.App) -> payload.WatchResponse:
    """Return a change."""
    return payload.WatchResponse(update_event={"updated_app": app})


def deleted(app: definition.App) -> payload.WatchResponse:
    """Return a deletion."""
    return payload.WatchResponse(delete_event={"app": app})
