"""The transport over grpcio (extra grpc), for processes that use it anyway."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.endpoint import Endpoint
from flyteapps.errors import ConfigError
from flyteapps.flows.operations import Method
from flyteapps.support.clock import monotonic
from flyteapps.support.version import USER_AGENT
from flyteapps.transports import forks
from flyteapps.transports.certificates import ClientCertificate, shown_by
from flyteapps.transports.queue_stream import QueueStream
from flyteapps.transports.task_stream import TaskStream

if TYPE_CHECKING:
    from flyteapps.transports.proxies import Proxy

_RESOLVER = "GRPC_DNS_RESOLVER"

# grpcio reads the variable when it is loaded: the system's resolver is that of the other transports
_chosen = _RESOLVER not in os.environ and "grpc" not in sys.modules
try:
    if _chosen:
        os.environ[_RESOLVER] = "native"
    import grpc
    import grpc.aio
except ModuleNotFoundError as error:
    raise ConfigError("protocol=\"grpcio\" needs grpcio: pip install 'flyteapps[grpc]'") from error
finally:
    if _chosen:
        del os.environ[_RESOLVER]

IDLE_MILLISECONDS = 60_000
"""After this time without a call the connection is closed: many routers forget a silent one."""

PING_MILLISECONDS = 30_000
"""After this time without a byte an open call's connection is pinged. grpcio sends at most two such pings without data
between them, which gRPC's default server settings allow."""

PONG_MILLISECONDS = 20_000
"""Maximum time for the response to a ping; after it the connection counts as broken."""

MAX_TIMEOUT_SECONDS = 2_000_000.0
"""Maximum timeout, 23 days."""

_OPTIONS = (
    ("grpc.primary_user_agent", USER_AGENT),
    ("grpc.client_idle_timeout_ms", IDLE_MILLISECONDS),
    ("grpc.keepalive_time_ms", PING_MILLISECONDS),
    ("grpc.keepalive_timeout_ms", PONG_MILLISECONDS),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel is a new connection
)

Headers = Mapping[str, str] | None

ENDING_SECONDS = 0.05
"""Time for grpcio to report the end of a cancelled call to its event loop; if that is closed, it logs an error."""

_DETAILS = "grpc-status-details-bin"


_of_parents: list[object] = []
"""The parent's objects in a forked process, which must neither use nor end them."""


def _try_blocking() -> None:
    with grpc.insecure_channel("unix:/dev/null", options=[("grpc.enable_http_proxy", 0)]) as channel:
        _callable_of_bytes(channel)(b"", timeout=1.0)


def _try_awaiting() -> None:
    async def call() -> None:
        async with grpc.aio.insecure_channel("unix:/dev/null", options=[("grpc.enable_http_proxy", 0)]) as channel:
            await _callable_of_bytes(channel)(b"", timeout=1.0)

    asyncio.run(call())


def _callable_of_bytes(channel: Any) -> Any:
    return channel.unary_unary("/flyteapps/none")


_ADVICE = (
    "start the process by spawn or forkserver, call for the first time after the fork, or use blocking calls with "
    'protocol="connect" (over HTTP/1.1, without a proxy), which survive one'
)
BLOCKING = forks.NativeLibrary("grpcio", _try_blocking, _ADVICE, survives=True)
AWAITING = forks.NativeLibrary("grpcio's asyncio", _try_awaiting, _ADVICE)


class GrpcioTransport:
    """A transport to one endpoint over grpcio's channels: one for all threads, and one for each event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        certificates: bytes | None,
        skip_verify: bool,
        proxy: Proxy | None = None,
        client_cert: ClientCertificate | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._certificates = certificates
        self._skip_verify = skip_verify
        self._proxy = proxy
        self._client_cert = client_cert
        self._begin()
        forks.register(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._channel: Any = None
        self._channels: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = weakref.WeakKeyDictionary()
        self._answered = 0.0  # when a call last got a response

    def forked(self) -> None:
        """See Inherited."""
        _of_parents.append((self._channel, self._channels))
        self._begin()

    def unary(self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None) -> Any:
        """See Transport.unary."""
        channel, started = self._blocking(), monotonic()
        try:
            response = _callable(channel, "unary_unary", method)(
                request, timeout=_bounded(timeout), metadata=_pairs(headers)
            )
        except grpc.RpcError as error:
            self._failed(error, started)
            raise connect_error(error) from error
        self._answered = monotonic()
        return response

    def _failed(self, error: Any, started: float) -> None:
        """Drop the channels after a timeout, unless another call got a response meanwhile.

        A router may have forgotten the connection; the next call opens another. Open streams keep theirs.
        """
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and self._answered < started:
            self._channel = None
            self._channels = weakref.WeakKeyDictionary()

    def stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> QueueStream:
        """See Transport.stream."""
        opened = _callable(self._blocking(), "unary_stream", method)
        call = opened(request, timeout=_bounded(timeout), metadata=_pairs(headers))

        def messages() -> Iterator[Any]:
            try:
                yield from call
            except grpc.RpcError as error:
                raise connect_error(error) from error

        return QueueStream(messages, call.cancel)

    async def async_unary(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> Any:
        """See Transport.async_unary."""
        channel, started = self._awaiting(), monotonic()
        try:
            called = _callable(channel, "unary_unary", method)
            response = await called(request, timeout=_bounded(timeout), metadata=_pairs(headers))
        except grpc.RpcError as error:
            self._failed(error, started)
            raise connect_error(error) from error
        self._answered = monotonic()
        return response

    def async_stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> TaskStream:
        """See Transport.async_stream."""
        opened = _callable(self._awaiting(), "unary_stream", method)

        async def messages() -> AsyncIterator[Any]:
            call = opened(request, timeout=_bounded(timeout), metadata=_pairs(headers))
            try:
                async for message in call:
                    yield message
            except grpc.RpcError as error:
                raise connect_error(error) from error
            finally:
                call.cancel()

        return TaskStream(messages, ENDING_SECONDS)

    def close(self) -> None:
        """Close the channel of blocking calls."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    async def aclose(self) -> None:
        """Close that channel, and the one of the running event loop."""
        self.close()
        channel = self._channels.pop(asyncio.get_running_loop(), None)
        if channel is not None:
            await channel.close()

    def _blocking(self) -> Any:
        with self._lock:
            if self._channel is None:
                BLOCKING.use()
                self._channel = self._open(grpc)
            return self._channel

    def _awaiting(self) -> Any:
        loop = asyncio.get_running_loop()
        channel = self._channels.get(loop)
        if channel is None:
            AWAITING.use()
            channel = self._channels[loop] = self._open(grpc.aio)
        return channel

    def _open(self, module: Any) -> Any:
        proxy = ("grpc.http_proxy", self._proxy.url) if self._proxy else ("grpc.enable_http_proxy", 0)
        options = [*_OPTIONS, proxy]
        if not self._endpoint.secure:
            return module.insecure_channel(self._endpoint.target, options=options)
        trusted = shown_by(self._endpoint) if self._skip_verify else self._certificates
        own = self._client_cert
        credentials = grpc.ssl_channel_credentials(trusted, own and own.key, own and own.cert)
        return module.secure_channel(self._endpoint.target, credentials, options=options)


def _callable(channel: Any, kind: str, method: Method) -> Any:
    return getattr(channel, kind)(
        f"/{method.service_name}/{method.name}",
        request_serializer=method.input.SerializeToString,
        response_deserializer=method.output.FromString,
    )


def _bounded(timeout: float | None) -> float | None:
    return None if timeout is None else min(timeout, MAX_TIMEOUT_SECONDS)


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return list((headers or {}).items())


def connect_error(error: Any) -> ConnectError:
    """Return an error of grpcio as one of connectrpc, details included."""
    name = error.code().name
    code = Code.CANCELED if name == "CANCELLED" else Code[name]
    details: list[Any] = []
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS:
            from google.rpc import status_pb2

            details = list(status_pb2.Status.FromString(value).details)
    return ConnectError(code, error.details() or "", details)
