"""The transport over connectrpc's clients: Connect and gRPC, blocking and awaiting.

Each half is created, and its imports are made, on first use.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import pyqwest
from connectrpc.client import ConnectClient, ConnectClientSync
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType

from flyteapps.endpoint import Endpoint
from flyteapps.flows.operations import Method
from flyteapps.support.clock import monotonic
from flyteapps.support.lazy import lazy
from flyteapps.support.version import USER_AGENT
from flyteapps.transports import forks
from flyteapps.transports.delays import NotingClient, attach
from flyteapps.transports.frames import Checked, CheckedClient
from flyteapps.transports.http1 import IDLE_SECONDS, KEEPALIVE_SECONDS, Exchange, Http1Client, pairs_of
from flyteapps.transports.task_stream import TaskStream, cancellation_of

if TYPE_CHECKING:
    from flyteapps.transports.certificates import ClientCertificate
    from flyteapps.transports.proxies import Proxy
    from flyteapps.transports.queue_stream import QueueStream
    from flyteapps.transports.task_stream import TaskStream
    from flyteapps.transports.worker_thread import WorkerThread

EXIT_SECONDS = 1.0
"""Maximum time for pyqwest's threads to end before the interpreter does; they take milliseconds."""

MAX_TIMEOUT_SECONDS = 2_000_000.0
"""Maximum timeout, 23 days: it fits into each protocol's header, and into each library."""

_BLOCKING = ("_blocking", "_blocking_http")
_AWAITING = ("_awaiting", "_awaiting_http")
"""The attributes made with pyqwest: connectrpc's client, and the HTTP client under it."""

_of_parents: list[object] = []
"""The parent's objects in a forked process, which must neither use nor end them."""


def _try_pyqwest() -> None:
    nowhere = pyqwest.Proxy("http://127.0.0.1:9", scheme="https")
    transport = pyqwest.SyncHTTPTransport(enable_otel=False, proxy=nowhere, use_system_dns=True)
    pyqwest.SyncClient(transport).get("http://127.0.0.1:0/", timeout=1.0)  # a port that nothing can listen at


PYQWEST = forks.NativeLibrary(
    "pyqwest",
    _try_pyqwest,
    "start the process by spawn or forkserver, call for the first time after the fork, or use what survives one: "
    'blocking calls with protocol="connect" (over HTTP/1.1, without a proxy) or with protocol="grpcio"',
)
"""Its runtime is one per process, and absent in a forked one."""

Headers = Mapping[str, str] | None


class ConnectTransport:
    """A transport to one endpoint over connectrpc. `grpc`: by that protocol, which needs HTTP/2; else Connect.

    Blocking calls of Connect use plain sockets, all others pyqwest: HTTP/2, proxies, and awaited calls.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        grpc: bool,
        http_version: str | None,
        certificates: bytes | None,
        skip_verify: bool,
        proxy: Proxy | None = None,
        client_cert: ClientCertificate | None = None,
    ) -> None:
        http2 = grpc or http_version == "2"
        self._endpoint = endpoint
        self._protocol = ProtocolType.GRPC if grpc else ProtocolType.CONNECT
        self._http_version = pyqwest.HTTPVersion.HTTP2 if http2 else pyqwest.HTTPVersion.HTTP1 if http_version else None
        self._certificates = certificates
        self._skip_verify = skip_verify
        self._proxy = proxy
        self._client_cert = client_cert
        self._plain = not http2 and proxy is None
        self._worker_thread: WorkerThread | None = None
        self._answered_blocking = self._answered_awaiting = 0.0  # when a call over pyqwest last got a response
        forks.register(self)

    def forked(self) -> None:
        """See Inherited. Objects of pyqwest are kept, as ending them would need its threads."""
        made = self.__dict__
        if self._worker_thread is not None:
            self._worker_thread.forked()
            self._worker_thread = None
        if "_http1" in made:
            made.pop("_http1").close()
        _of_parents.append([made.pop(name, None) for name in (*_BLOCKING, *_AWAITING)])

    def unary(self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None) -> Any:
        """See Transport.unary."""
        if not self._plain:
            return self._native_unary(method, request, timeout, headers)
        try:
            return self._blocking.execute_unary(
                request=request, method=method, headers=_named(headers), timeout_ms=_milliseconds(timeout)
            )
        except ConnectError as error:
            attach(error)
            raise

    def _native_unary(self, method: Method, request: Any, timeout: float | None, headers: Headers) -> Any:
        client, started = self._blocking, monotonic()

        def run() -> Any:
            try:
                return client.execute_unary(
                    request=request, method=method, headers=_named(headers), timeout_ms=_milliseconds(timeout)
                )
            except ConnectError as error:
                attach(error)
                raise

        if self._worker_thread is None:
            from flyteapps.transports.worker_thread import WorkerThread

            self._worker_thread = WorkerThread()
        try:
            response = self._worker_thread.run(run, timeout)
        except TimeoutError as error:
            self._timed_out(_BLOCKING, self._answered_blocking, started)
            raise ConnectError(Code.DEADLINE_EXCEEDED, str(error)) from error
        except ConnectError as error:
            if isinstance(error.__cause__, TimeoutError):
                self._timed_out(_BLOCKING, self._answered_blocking, started)
            raise
        self._answered_blocking = monotonic()
        return response

    def stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> QueueStream:
        """See Transport.stream."""
        if not self._plain:
            from flyteapps.transports.task_stream import in_own_loop

            PYQWEST.use()  # raises here, not in a thread
            return in_own_loop(lambda: self.async_stream(method, request, timeout, headers))
        from flyteapps.transports.queue_stream import QueueStream

        exchanges = _OneExchange(self._http1, timeout)
        client = self._client_over(exchanges)

        def messages() -> Iterator[Any]:
            return client.execute_server_stream(
                request=request, method=method, headers=_named(headers), timeout_ms=_milliseconds(timeout)
            )

        return QueueStream(messages, exchanges.sever)

    async def async_unary(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> Any:
        """See Transport.async_unary."""
        client, started = self._awaiting, monotonic()
        try:
            # connectrpc's own timeout makes a task of each call; this one is a timer
            async with asyncio.timeout(timeout):
                try:
                    response = await client.execute_unary(request=request, method=method, headers=_named(headers))
                except ConnectError as error:
                    if (cancelled := cancellation_of(error)) is not None:
                        raise cancelled from None
                    attach(error)
                    raise
        except TimeoutError as error:
            self._timed_out(_AWAITING, self._answered_awaiting, started)
            raise ConnectError(Code.DEADLINE_EXCEEDED, f"no answer within {timeout:g} s") from error
        self._answered_awaiting = monotonic()
        return response

    def async_stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> TaskStream:
        """See Transport.async_stream."""
        from flyteapps.transports.task_stream import TaskStream

        client = self._awaiting

        def messages() -> AsyncIterator[Any]:
            return client.execute_server_stream(
                request=request, method=method, headers=_named(headers), timeout_ms=_milliseconds(timeout)
            )

        return TaskStream(messages)

    def _timed_out(self, names: tuple[str, str], answered: float, started: float) -> None:
        """Drop the connection after a timeout, unless another call got a response meanwhile.

        A router may have forgotten that connection; the next call opens another. Open streams keep theirs.
        """
        if answered < started:
            for name in names:
                self.__dict__.pop(name, None)

    def close(self) -> None:
        """Close the connections of blocking calls; open streams stay open. Another call opens new connections."""
        if self._worker_thread is not None:
            self._worker_thread.close()
        made = self.__dict__  # the values of `lazy` attributes; another call makes new ones
        made.pop("_blocking", None)
        for name in ("_http1", "_blocking_http"):
            if name in made:
                made.pop(name).close()

    async def aclose(self) -> None:
        """Close all connections."""
        self.close()
        self.__dict__.pop("_awaiting", None)
        if "_awaiting_http" in self.__dict__:
            await self.__dict__.pop("_awaiting_http").aclose()

    @lazy
    def _blocking(self) -> ConnectClientSync:
        if self._plain:
            return self._client_over(self._http1)
        client = pyqwest.SyncClient(self._blocking_http)
        return self._client_over(client if self._protocol is ProtocolType.GRPC else NotingClient(client))

    @lazy
    def _awaiting(self) -> ConnectClient:
        client = pyqwest.Client(self._awaiting_http)
        return ConnectClient(
            self._endpoint.url,
            protocol=self._protocol,
            accept_compression=(),
            send_compression=None,
            http_client=cast(
                "pyqwest.Client", client if self._protocol is ProtocolType.GRPC else CheckedClient(client)
            ),
        )

    @lazy
    def _http1(self) -> Http1Client:
        if not self._endpoint.secure:
            return Http1Client(self._endpoint, None)
        from flyteapps.transports.certificates import client_context

        return Http1Client(self._endpoint, client_context(self._certificates, self._skip_verify, self._client_cert))

    @lazy
    def _blocking_http(self) -> pyqwest.SyncHTTPTransport:
        PYQWEST.use()
        return pyqwest.SyncHTTPTransport(**self._options())

    @lazy
    def _awaiting_http(self) -> pyqwest.HTTPTransport:
        PYQWEST.use()
        wait_at_exit()
        return pyqwest.HTTPTransport(**self._options())

    def _client_over(self, http: Any) -> ConnectClientSync:
        return ConnectClientSync(
            self._endpoint.url,
            protocol=self._protocol,
            accept_compression=(),
            send_compression=None,
            http_client=cast("pyqwest.SyncClient", http),
        )

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "http_version": self._http_version,
            "enable_otel": False,
            "follow_redirects": False,
            "pool_max_idle_per_host": 100,
            "pool_idle_timeout": IDLE_SECONDS,
            "tcp_keepalive_interval": KEEPALIVE_SECONDS,
            "connect_timeout": None,  # the call's own deadline counts
            "use_system_dns": True,  # as the blocking calls, which know hosts by the system's resolver
            "proxy": self._proxies(),
        }
        if self._endpoint.secure:
            from flyteapps.transports.certificates import shown_by

            trusted = shown_by(self._endpoint) if self._skip_verify else self._certificates
            options |= {"tls_ca_cert": trusted, "tls_include_system_certs": trusted is None}
            if self._client_cert is not None:
                options |= {"tls_cert": self._client_cert.cert, "tls_key": self._client_cert.key}
        if self._proxy is not None and self._proxy.scheme == "https":
            options["tls_include_system_certs"] = True  # for the proxy's own certificate
        return options

    def _proxies(self) -> pyqwest.Proxy:
        if self._proxy is not None:
            return pyqwest.Proxy(self._proxy.url)
        # a proxy for the other scheme alone: otherwise pyqwest reads one from the environment
        return pyqwest.Proxy("http://127.0.0.1:9", scheme="http" if self._endpoint.secure else "https")


class _OneExchange:
    """An HTTP client, as connectrpc's client expects it, for one stream that can be severed."""

    def __init__(self, http: Http1Client, timeout: float | None) -> None:
        self._exchange = Exchange(http, timeout)

    def stream(
        self, *, method: str, url: str, headers: pyqwest.Headers, content: Iterator[bytes], timeout: float | None
    ) -> Checked:
        try:
            self._exchange.begin(method, url, pairs_of(headers), b"".join(content))
        except BaseException:
            self._exchange.finish()
            raise
        return Checked(self._exchange)

    def sever(self) -> None:
        self._exchange.sever()


@functools.cache
def wait_at_exit() -> None:
    """Make the interpreter wait at its end until pyqwest's threads have left Python.

    A thread that is delivering a result would be ended inside Rust, which aborts the process (status 134): observed in
    half of the runs that ended right after a refused call.
    """
    atexit.register(_wait_for_threads)


def _wait_for_threads() -> None:
    until = time.monotonic() + EXIT_SECONDS
    while time.monotonic() < until:
        time.sleep(0.001)  # releases the interpreter's lock
        known = {thread.ident for thread in threading.enumerate()}
        if not sys._current_frames().keys() - known:  # pyright: ignore[reportPrivateUsage]  # documented, for such uses
            return


def _named(headers: Headers) -> dict[str, str]:
    """Return the headers with the client's name, unless they have one."""
    return {"user-agent": USER_AGENT, **headers} if headers else {"user-agent": USER_AGENT}


def _milliseconds(timeout: float | None) -> int | None:
    return None if timeout is None else max(1, int(min(timeout, MAX_TIMEOUT_SECONDS) * 1_000))
