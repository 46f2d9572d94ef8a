"""HTTP/1.1 for connectrpc's blocking client, over the standard library's http.client.

Why not pyqwest, connectrpc's own: a blocking call of it can't be interrupted by Ctrl-C before its timeout, nor a stream
be ended before its headers have come; plain sockets can. Rules of this file: bytes and sockets, nothing of RPC.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import select
import socket
import ssl
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, cast
from urllib.parse import urlsplit

from pyqwest import FullResponse, Headers

from flyteapps.endpoint import Endpoint
from flyteapps.settings import REQUEST_ID
from flyteapps.transports.transport import SLICE

CHUNK = 65_536

CONNECTING = 10.0
"""Seconds that connecting may take where nothing else limits it: nothing can interrupt it."""

KEPT = 100
"""Idle connections that are kept at most."""


class DeadlineReader(io.RawIOBase):
    """Reads a socket until a deadline on the monotonic clock, however slowly the bytes come."""

    def __init__(self, sock: socket.socket, deadline: float | None) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            left = SLICE if self._deadline is None else self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the deadline passed while reading")
            self._sock.settimeout(min(left, SLICE))
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                continue  # in slices, so that a signal that came just before the wait is noticed


class _Reading:
    """What http.client.HTTPResponse takes for a socket."""

    def __init__(self, sock: socket.socket, deadline: float | None) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(DeadlineReader(self._sock, self._deadline))


class Exchange:
    """One request on one connection, and its response once it has begun."""

    def __init__(self, client: Http1Client, timeout: float | None) -> None:
        self._client = client
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._sock: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._severed = False
        self.status = 0
        self.headers = Headers()
        self.trailers = Headers()

    def begin(self, method: str, url: str, headers: Iterable[tuple[str, str]], content: bytes) -> None:
        """Sends the request, and reads up to the end of the response's headers."""
        head = self._client.head_of(method, url, headers, len(content))
        left = self._left()
        sock = self._sock = self._client.connection(CONNECTING if left is None else left)
        if self._severed:
            raise ConnectionAbortedError("closed")
        sock.settimeout(self._left())
        sock.sendall(head + content)
        response = self._response = http.client.HTTPResponse(_Reading(sock, self._deadline), method=method)  # pyright: ignore[reportArgumentType]  # as much of a socket as it uses
        response.begin()
        self.status = response.status
        self.headers = Headers(response.getheaders())

    def _left(self) -> float | None:
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline passed")
        return left

    def read(self) -> bytes:
        """The whole body; the connection can be used again afterwards."""
        assert self._response is not None
        body = self._response.read()
        self.finish()
        return body

    @property
    def content(self) -> Iterator[bytes]:
        """The body as it comes."""
        assert self._response is not None
        while chunk := self._response.read1(CHUNK):
            yield chunk
        if self._response.length:  # known, and not reached
            raise ConnectionResetError("the connection was closed in the middle of the response")

    def finish(self) -> None:
        """Gives the connection back where it can be used again, else closes it."""
        response, sock = self._response, self._sock
        self._response = self._sock = None
        if sock is None:
            return
        read = response is not None and (response.isclosed() or response.length == 0)
        reusable = response is not None and read and not response.will_close and not self._severed
        self._client.give_back(sock) if reusable else sock.close()

    def sever(self) -> None:
        """Ends it at once, from any thread, whatever it is doing."""
        self._severed = True
        sock = self._sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()


class Http1Client:
    """Connections to one endpoint, kept between calls. Looks to connectrpc like a pyqwest.SyncClient."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> None:
        self._endpoint = endpoint
        self._context = context
        self._idle: list[socket.socket] = []
        weakref.finalize(self, _close_all, self._idle)  # a client that nobody closed leaves no socket either
        self._proxy = _proxy_for(endpoint)

    def post(self, url: str, headers: Headers, content: bytes, timeout: float | None = None) -> FullResponse:
        """One request with its whole response."""
        with Exchange(self, timeout) as exchange:
            exchange.begin("POST", url, pairs_of(headers), content)
            body = exchange.read()
            return FullResponse(
                status=exchange.status, headers=exchange.headers, content=body, trailers=exchange.trailers
            )

    def head_of(self, method: str, url: str, headers: Iterable[tuple[str, str]], length: int) -> bytes:
        """The request line and the headers."""
        parts = urlsplit(url)
        target = url if self._proxy and not self._context else parts.path or "/"
        lines = [f"{method} {target} HTTP/1.1", f"host: {self._endpoint.authority}", f"content-length: {length}"]
        if self._proxy and not self._context:
            lines += [f"{name}: {value}" for name, value in self._proxy.headers.items()]
        lines += [f"{name}: {value}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def connection(self, timeout: float | None) -> socket.socket:
        """An idle connection that still lives, or a new one."""
        while self._idle:
            try:
                sock = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if not _has_ended(sock):
                return sock
            sock.close()
        return self._connect(timeout)

    def _connect(self, timeout: float | None) -> socket.socket:
        where = self._endpoint
        if self._proxy is None:
            # as bytes, since the name is ASCII by now: text would load the codec for other names
            sock = socket.create_connection((cast("str", where.host.encode()), where.effective_port), timeout)
        else:
            sock = self._proxy.connect(where, timeout, tunnel=self._context is not None)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return self._context.wrap_socket(sock, server_hostname=where.host) if self._context else sock
        except BaseException:
            sock.close()
            raise

    def give_back(self, sock: socket.socket) -> None:
        """Keeps a connection for the next call, unless enough are kept."""
        if len(self._idle) < KEPT:
            self._idle.append(sock)
        else:
            sock.close()

    def close(self) -> None:
        """Closes what is idle."""
        _close_all(self._idle)


def _close_all(sockets: list[socket.socket]) -> None:
    while sockets:
        sockets.pop().close()


_SENT = (
    "content-type", "connect-protocol-version", "connect-timeout-ms", "user-agent", "accept-encoding",
    "content-encoding", "connect-accept-encoding", "connect-content-encoding", REQUEST_ID,
)  # fmt: skip


def pairs_of(headers: Headers) -> list[tuple[str, str]]:
    """The headers by name and value. Iterating pyqwest's loads OpenTelemetry, 25 ms that most calls can do without."""
    pairs = [(name, headers[name]) for name in _SENT if name in headers]
    return pairs if len(pairs) == len(headers) else list(headers.items())


def _has_ended(sock: socket.socket) -> bool:
    """Whether the other side closed an idle connection, or sent what nobody asked for."""
    if isinstance(sock, ssl.SSLSocket) and sock.pending():
        return True
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


class _Proxy:
    """An HTTP proxy from the environment."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        self._host, self._port = parts.hostname or "", parts.port or 80
        self.headers: dict[str, str] = {}
        if parts.username is not None:
            import base64
            from urllib.parse import unquote

            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.headers["proxy-authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()

    def connect(self, where: Endpoint, timeout: float | None, *, tunnel: bool) -> socket.socket:
        if not tunnel:
            return socket.create_connection((self._host, self._port), timeout)
        connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        connection.set_tunnel(where.host, where.effective_port, self.headers)
        connection.connect()
        sock = connection.sock
        assert sock is not None
        return sock


def _proxy_for(endpoint: Endpoint) -> _Proxy | None:
    """The proxy that the environment asks for; never for a loopback address."""
    if endpoint.is_loopback:
        return None
    from urllib.request import getproxies, proxy_bypass

    if proxy_bypass(endpoint.host):
        return None
    proxies: Mapping[str, str] = getproxies()
    url = proxies.get("https" if endpoint.secure else "http") or proxies.get("all")
    return _Proxy(url) if url else None
