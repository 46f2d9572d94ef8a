"""The transport over connectrpc's clients: Connect and gRPC, blocking and awaiting.

Each half is made, and what it needs imported, by the first who needs it.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import ssl
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import pyqwest
from connectrpc.client import ConnectClient, ConnectClientSync
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType

from flyteapps.endpoint import Endpoint
from flyteapps.operations import Method
from flyteapps.transports.frames import Checked, CheckedClient
from flyteapps.transports.http1 import Exchange, Http1Client, pairs_of
from flyteapps.transports.tasks import TaskStream, cancellation_of

SETTLING = 1.0
"""Seconds that threads of pyqwest get at most before the interpreter goes; they take milliseconds."""

if TYPE_CHECKING:
    from flyteapps.transports.hop import Hop
    from flyteapps.transports.inbox import InboxStream
    from flyteapps.transports.tasks import TaskStream

Headers = Mapping[str, str] | None


class ConnectTransport:
    """One endpoint, over connectrpc. `grpc`: by that protocol, which needs HTTP/2; else Connect."""

    def __init__(
        self, endpoint: Endpoint, grpc: bool, http_version: str | None, certificates: bytes | None, skip_verify: bool
    ) -> None:
        self._endpoint = endpoint
        self._protocol = ProtocolType.GRPC if grpc else ProtocolType.CONNECT
        self._http2 = grpc or http_version == "2"
        self._http_version = (
            pyqwest.HTTPVersion.HTTP2 if self._http2 else pyqwest.HTTPVersion.HTTP1 if http_version else None
        )
        self._certificates = certificates
        self._skip_verify = skip_verify
        self._hop: Hop | None = None

    def unary(self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None) -> Any:
        """See Transport.unary."""
        client, milliseconds = self._blocking, _milliseconds(timeout)
        if not self._http2:
            return client.execute_unary(request=request, method=method, headers=headers, timeout_ms=milliseconds)
        if self._hop is None:
            from flyteapps.transports.hop import Hop

            self._hop = Hop()
        return self._hop.run(
            lambda: client.execute_unary(request=request, method=method, headers=headers, timeout_ms=milliseconds)
        )

    def stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> InboxStream:
        """See Transport.stream."""
        if self._http2:
            from flyteapps.transports.tasks import in_own_loop

            return in_own_loop(lambda: self.async_stream(method, request, timeout, headers))
        from flyteapps.transports.inbox import InboxStream

        exchanges = _OneExchange(self._http1, timeout)
        client = self._client_over(exchanges)

        def messages() -> Iterator[Any]:
            return client.execute_server_stream(
                request=request, method=method, headers=headers, timeout_ms=_milliseconds(timeout)
            )

        return InboxStream(messages, exchanges.sever)

    async def async_unary(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> Any:
        """See Transport.async_unary."""
        try:
            # connectrpc's own timeout makes a task of each call; this one is a timer
            async with asyncio.timeout(timeout):
                try:
                    return await self._awaiting.execute_unary(request=request, method=method, headers=headers)
                except ConnectError as error:
                    if (cancelled := cancellation_of(error)) is not None:
                        raise cancelled from None
                    raise
        except TimeoutError as error:
            raise ConnectError(Code.DEADLINE_EXCEEDED, f"no answer within {timeout:g} s") from error

    def async_stream(
        self, method: Method, request: Any, timeout: float | None = None, headers: Headers = None
    ) -> TaskStream:
        """See Transport.async_stream."""
        from flyteapps.transports.tasks import TaskStream

        client = self._awaiting

        def messages() -> AsyncIterator[Any]:
            return client.execute_server_stream(
                request=request, method=method, headers=headers, timeout_ms=_milliseconds(timeout)
            )

        return TaskStream(messages)

    def close(self) -> None:
        """Closes the connections of blocking calls; streams that are open stay. Another call opens new ones."""
        if self._hop is not None:
            self._hop.close()
        made = self.__dict__  # what cached_property made; another call makes it anew
        made.pop("_blocking", None)
        for name in ("_http1", "_blocking_http2"):
            if name in made:
                made.pop(name).close()

    async def aclose(self) -> None:
        """Closes all connections."""
        self.close()
        self.__dict__.pop("_awaiting", None)
        if "_awaiting_http" in self.__dict__:
            await self.__dict__.pop("_awaiting_http").aclose()

    @cached_property
    def _blocking(self) -> ConnectClientSync:
        if self._http2:
            return self._client_over(pyqwest.SyncClient(self._blocking_http2))
        return self._client_over(self._http1)

    @cached_property
    def _awaiting(self) -> ConnectClient:
        return ConnectClient(
            self._endpoint.url,
            protocol=self._protocol,
            accept_compression=(),
            send_compression=None,
            http_client=cast("pyqwest.Client", self._watched(pyqwest.Client(self._awaiting_http))),
        )

    def _watched(self, client: pyqwest.Client) -> Any:
        return client if self._protocol is ProtocolType.GRPC else CheckedClient(client)

    @cached_property
    def _http1(self) -> Http1Client:
        return Http1Client(self._endpoint, self._context() if self._endpoint.secure else None)

    @cached_property
    def _blocking_http2(self) -> pyqwest.SyncHTTPTransport:
        return pyqwest.SyncHTTPTransport(**self._options())

    @cached_property
    def _awaiting_http(self) -> pyqwest.HTTPTransport:
        _calm_at_exit()
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
            "connect_timeout": None,  # the call's own deadline counts
        }
        if self._endpoint.secure:
            from flyteapps.transports.certificates import shown_by

            trusted = shown_by(self._endpoint) if self._skip_verify else self._certificates
            options |= {"tls_ca_cert": trusted, "tls_include_system_certs": trusted is None}
        if self._endpoint.is_loopback:
            # a proxy for the other scheme alone: the only way to have none, and none from the environment either
            options["proxy"] = pyqwest.Proxy("http://127.0.0.1:9", scheme="http" if self._endpoint.secure else "https")
        return options

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(
            cadata=self._certificates.decode("latin-1") if self._certificates else None
        )
        context.set_alpn_protocols(["http/1.1"])
        if self._skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class _OneExchange:
    """What connectrpc's client takes for an HTTP client: for one stream, which it can sever."""

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
def _calm_at_exit() -> None:
    """Lets pyqwest's threads leave Python before the interpreter goes.

    One that is just delivering a result would be ended inside of Rust, which aborts the process (status 134): seen in
    half of the runs that ended right after a refused call.
    """
    atexit.register(_settle)


def _settle() -> None:
    until = time.monotonic() + SETTLING
    while time.monotonic() < until:
        time.sleep(0.001)  # gives the interpreter's lock away
        known = {thread.ident for thread in threading.enumerate()}
        if not sys._current_frames().keys() - known:  # pyright: ignore[reportPrivateUsage]  # documented, for such uses
            return


def _milliseconds(timeout: float | None) -> int | None:
    return None if timeout is None else max(1, int(timeout * 1_000))
