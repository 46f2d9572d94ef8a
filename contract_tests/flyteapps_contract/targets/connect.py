"""A link over connectrpc's async client: to an endpoint, or to any object with the same `execute_...` methods."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from connectrpc.client import ConnectClient
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo
from google.protobuf.message import Message

from flyteapps_contract.outcomes import Refused
from flyteapps_contract.targets.loop import LoopThread
from flyteapps_contract.targets.target import Link, QueueStream


class ConnectLink(Link):
    """Calls through a ConnectClient, on a loop of its own."""

    def __init__(self, client: ConnectClient, headers: Mapping[str, str] | None = None) -> None:
        self._client = client
        self._headers = dict(headers or {})
        self._loop = LoopThread()

    def unary(self, service: str, method: str, request: Message, response: type[Message], seconds: float) -> Message:
        """Return one call. Raises Refused."""
        info = _info(service, method, request, response)
        call = self._client.execute_unary(
            request=request, method=info, headers=self._headers, timeout_ms=int(seconds * 1000)
        )
        try:
            return cast("Message", self._loop.call(call, seconds + 1))
        except Refused:
            raise
        except Exception as error:  # a plane in this process may raise anything: its caller learns no code
            raise _translate(error) from error

    def stream(self, service: str, method: str, request: Message, response: type[Message]) -> QueueStream:
        """Return an open server stream."""
        info = _info(service, method, request, response)

        def messages() -> AsyncIterator[Message]:
            return self._client.execute_server_stream(request=request, method=info, headers=self._headers)

        return self._loop.read(messages, _translate)

    def as_caller(self, headers: Mapping[str, str]) -> Link:
        """Return the same link, of the same client and loop, with those headers instead of its own."""
        twin = copy.copy(self)
        twin._headers = dict(headers)
        return twin

    def interrupt(self) -> None:
        """Cancel the calls and streams under way."""
        self._loop.interrupt()

    def close(self) -> None:
        """End open streams, then the client's loop."""
        self._loop.close()


def refused(error: ConnectError) -> Refused:
    """Translate connectrpc's error as the suite's."""
    return Refused(error.code.name, error.message, error.details)


def _translate(error: Exception) -> Refused:
    return refused(error) if isinstance(error, ConnectError) else Refused("UNKNOWN", f"{type(error).__name__}: {error}")


def _info(service: str, method: str, request: Message, response: type[Message]) -> Any:
    return MethodInfo(
        name=method,
        service_name=service,
        input=type(request),
        output=response,
        idempotency_level=IdempotencyLevel.UNKNOWN,
    )
