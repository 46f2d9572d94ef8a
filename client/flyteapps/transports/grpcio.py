"""The transport over grpcio, for those who have it in their process anyway (extra grpc)."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError
from flyteapps.operations import Method
from flyteapps.transports.certificates import shown_by
from flyteapps.transports.inbox import InboxStream
from flyteapps.transports.tasks import TaskStream

try:
    import grpc
    import grpc.aio
except ModuleNotFoundError as error:
    raise ConfigError("protocol=\"grpcio\" needs grpcio: pip install 'flyteapps[grpc]'") from error

Headers = Mapping[str, str] | None

ENDING_SECONDS = 0.05
"""Within so long grpcio reports the end of a cancelled call to its event loop; if that is closed, it logs an error."""

_DETAILS = "grpc-status-details-bin"


class GrpcioTransport:
    """One endpoint, over grpcio's channels: one for all threads, and one for each event loop."""

    def __init__(self, endpoint: Endpoint, certificates: bytes | None, skip_verify: bool) -> None:
        self._endpoint = endpoint
        self._certificates = certificates
        self._skip_verify = skip_verify
        self._lock = threading.Lock()
        self._channel: Any = None
        self._channels: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = weakref.WeakKeyDictionary()

    def unary(self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None) -> Any:
        """See Transport.unary."""
        try:
            return _callable(self._blocking(), "unary_unary", method)(
                request, timeout=timeout, metadata=_pairs(headers)
            )
        except grpc.RpcError as error:
            raise connect_error(error) from error

    def stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> InboxStream:
        """See Transport.stream."""
        opened = _callable(self._blocking(), "unary_stream", method)
        call = opened(request, timeout=timeout, metadata=_pairs(headers))

        def messages() -> Iterator[Any]:
            try:
                yield from call
            except grpc.RpcError as error:
                raise connect_error(error) from error

        return InboxStream(messages, call.cancel)

    async def async_unary(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> Any:
        """See Transport.async_unary."""
        try:
            called = _callable(self._awaiting(), "unary_unary", method)
            return await called(request, timeout=timeout, metadata=_pairs(headers))
        except grpc.RpcError as error:
            raise connect_error(error) from error

    def async_stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> TaskStream:
        """See Transport.async_stream."""
        opened = _callable(self._awaiting(), "unary_stream", method)

        async def messages() -> AsyncIterator[Any]:
            call = opened(request, timeout=timeout, metadata=_pairs(headers))
            try:
                async for message in call:
                    yield message
            except grpc.RpcError as error:
                raise connect_error(error) from error
            finally:
                call.cancel()

        return TaskStream(messages, ENDING_SECONDS)

    def close(self) -> None:
        """Closes the channel of blocking calls."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    async def aclose(self) -> None:
        """Closes that channel, and the one of the running event loop."""
        self.close()
        channel = self._channels.pop(asyncio.get_running_loop(), None)
        if channel is not None:
            await channel.close()

    def _blocking(self) -> Any:
        with self._lock:
            if self._channel is None:
                self._channel = self._open(grpc)
            return self._channel

    def _awaiting(self) -> Any:
        loop = asyncio.get_running_loop()
        channel = self._channels.get(loop)
        if channel is None:
            channel = self._channels[loop] = self._open(grpc.aio)
        return channel

    def _open(self, module: Any) -> Any:
        options = [("grpc.enable_http_proxy", 0)] if self._endpoint.is_loopback else []
        if not self._endpoint.secure:
            return module.insecure_channel(self._endpoint.target, options=options)
        trusted = shown_by(self._endpoint) if self._skip_verify else self._certificates
        credentials = grpc.ssl_channel_credentials(trusted)
        return module.secure_channel(self._endpoint.target, credentials, options=options)


def _callable(channel: Any, kind: str, method: Method) -> Any:
    return getattr(channel, kind)(
        f"/{method.service_name}/{method.name}",
        request_serializer=method.input.SerializeToString,
        response_deserializer=method.output.FromString,
    )


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return list((headers or {}).items())


def connect_error(error: Any) -> ConnectError:
    """grpcio's error as connectrpc's, details included."""
    name = error.code().name
    code = Code.CANCELED if name == "CANCELLED" else Code[name]
    details: list[Any] = []
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS:
            from google.rpc import status_pb2

            details = list(status_pb2.Status.FromString(value).details)
    return ConnectError(code, error.details() or "", details)
