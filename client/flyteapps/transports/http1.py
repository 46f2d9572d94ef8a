"""HTTP/1.1 for connectrpc's blocking client, over the standard library's http.client.

Why not pyqwest, connectrpc's own: Ctrl-C can't interrupt its blocking calls before their timeout, and its streams can't
be ended before their headers arrive; with plain sockets both work, and they survive a fork.

Why not urllib3 or httpcore: cost. A Get of the client needs 1.9 to 2.1 times the CPU time over urllib3 2.8.0 and 1.8 to
2.2 times over httpcore 1.0.9; without their pools 1.7 to 2.0 and 1.6 to 1.9 times; this module against itself 0.97 to
1.06 (November 2026, Python 3.11, alternating blocks as in tests/benchmarks/bench_client.py, both servers). Both can be
interrupted, but only by sockets of our own under them: their timeouts bound one read, not the call.

Rules of this file: bytes and sockets, nothing of RPC, and no proxies: calls through one use pyqwest.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import select
import socket
import ssl
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Self, cast
from urllib.parse import urlsplit

from pyqwest import FullResponse, Headers

from flyteapps.endpoint import Endpoint
from flyteapps.support.clock import monotonic
from flyteapps.support.request_ids import REQUEST_ID
from flyteapps.transports.delays import REFUSED, note
from flyteapps.transports.transport import SLICE_SECONDS

CHUNK_BYTES = 65_536

CONNECT_SECONDS = 10.0
"""Maximum time to connect for a call without a deadline: connecting can't be interrupted."""

MAX_IDLE_CONNECTIONS = 100
"""Maximum number of idle connections that are kept."""

IDLE_SECONDS = 50.0
"""Maximum idle time of a connection that is reused: many routers forget a silent one after a minute."""

KEEPALIVE_SECONDS = 30
"""After this time without a byte the kernel probes a connection, so that routers keep it."""

_PROBES = {
    "TCP_KEEPIDLE": KEEPALIVE_SECONDS,
    "TCP_KEEPALIVE": KEEPALIVE_SECONDS,  # its name on macOS
    "TCP_KEEPINTVL": 10,
    "TCP_KEEPCNT": 3,
}
"""Socket options of the probes: seconds, and a count."""


class DeadlineReader(io.RawIOBase):
    """A reader of a socket with a deadline on the monotonic clock, however slowly the bytes arrive."""

    def __init__(self, sock: socket.socket, deadline: float | None) -> None:
        self._sock = sock
        self._deadline = deadline
        self.received = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into the buffer; return the number of bytes. Raises TimeoutError at the deadline."""
        while True:
            left = SLICE_SECONDS if self._deadline is None else self._deadline - monotonic()
            if left <= 0:
                raise TimeoutError("the deadline passed while reading")
            self._sock.settimeout(min(left, SLICE_SECONDS))
            try:
                count = self._sock.recv_into(buffer)
                self.received = True
                return count
            except TimeoutError:
                continue  # in slices, so that a signal just before the wait is noticed

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the reader, buffered: the method of a socket that http.client.HTTPResponse calls."""
        return io.BufferedReader(self)


class Exchange:
    """One request on one connection, and its response."""

    def __init__(self, client: Http1Client, timeout: float | None) -> None:
        self._client = client
        self._deadline = None if timeout is None else monotonic() + timeout
        self._sock: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._severed = False
        self.status = 0
        self.headers = Headers()
        self.trailers = Headers()

    def begin(self, method: str, url: str, headers: Iterable[tuple[str, str]], content: bytes) -> None:
        """Send the request, and read up to the end of the response's headers."""
        head = self._client.head_of(method, url, headers, len(content))
        started, left = monotonic(), self._left()
        sock = self._sock = self._client.connection(CONNECT_SECONDS if left is None else left)
        if self._severed:
            raise ConnectionAbortedError("closed")
        reader = DeadlineReader(sock, self._deadline)
        response = self._response = http.client.HTTPResponse(reader, method=method)  # pyright: ignore[reportArgumentType]  # it only calls makefile
        try:
            sock.settimeout(self._left())
            sock.sendall(head + content)
            response.begin()
        except TimeoutError:
            if not reader.received:
                self._client.distrust(started)
            raise
        self.status = response.status
        self.headers = Headers(response.getheaders())

    def _left(self) -> float | None:
        return None if self._deadline is None else _left(self._deadline)

    def read(self) -> bytes:
        """Read the whole body; the connection can be reused afterwards."""
        assert self._response is not None
        body = self._response.read()
        self.finish()
        return body

    @property
    def content(self) -> Iterator[bytes]:
        """The body as it arrives."""
        assert self._response is not None
        while chunk := self._response.read1(CHUNK_BYTES):
            yield chunk
        if self._response.length:  # known, and not reached
            raise ConnectionResetError("the connection was closed in the middle of the response")

    def finish(self) -> None:
        """Return the connection to the client if it can be reused, else close it."""
        response, sock = self._response, self._sock
        self._response = self._sock = None
        if sock is None:
            return
        complete = response is not None and not response.will_close and (response.isclosed() or response.length == 0)
        self._client.give_back(sock) if complete and not self._severed else sock.close()

    def sever(self) -> None:
        """End the exchange at once, from any thread."""
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
    """Connections to one endpoint, kept between calls. To connectrpc it is a pyqwest.SyncClient."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> None:
        self._endpoint = endpoint
        self._context = context
        self._idle: list[tuple[socket.socket, float]] = []  # each with the start of its idle time
        weakref.finalize(self, _close_all, self._idle)  # a client that was not closed leaves no socket open

    def post(self, url: str, headers: Headers, content: bytes, timeout: float | None = None) -> FullResponse:
        """Send one request, and return its whole response."""
        with Exchange(self, timeout) as exchange:
            exchange.begin("POST", url, pairs_of(headers), content)
            body = exchange.read()
            if exchange.status in REFUSED:
                note(exchange.headers)
            return FullResponse(
                status=exchange.status, headers=exchange.headers, content=body, trailers=exchange.trailers
            )

    def head_of(self, method: str, url: str, headers: Iterable[tuple[str, str]], length: int) -> bytes:
        """Return the request line and the headers."""
        parts = urlsplit(url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        lines = [f"{method} {target} HTTP/1.1", f"host: {self._endpoint.authority}", f"content-length: {length}"]
        lines += [f"{name}: {value}" for name, value in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def connection(self, timeout: float) -> socket.socket:
        """Return an idle connection that is still open, or a new one."""
        oldest = monotonic() - IDLE_SECONDS
        try:
            while self._idle[0][1] < oldest:
                self._idle.pop(0)[0].close()
            while True:
                sock, _ = self._idle.pop()
                if not _has_ended(sock):
                    return sock
                sock.close()
        except IndexError:  # none is left
            pass
        return self._connect(timeout)

    def _connect(self, timeout: float) -> socket.socket:
        """Return a new connection; `timeout` bounds all its addresses and the TLS handshake together."""
        where = self._endpoint
        deadline = monotonic() + timeout
        sock = _connected(where.host, where.effective_port, deadline)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _PROBES.items():
                if (option := getattr(socket, name, None)) is not None:
                    sock.setsockopt(socket.IPPROTO_TCP, option, value)
            if self._context is None:
                return sock
            sock.settimeout(_left(deadline))
            return self._context.wrap_socket(sock, server_hostname=where.host)
        except BaseException:
            sock.close()
            raise

    def give_back(self, sock: socket.socket) -> None:
        """Keep a connection for the next call, up to the maximum."""
        if len(self._idle) < MAX_IDLE_CONNECTIONS:
            self._idle.append((sock, monotonic()))
        else:
            sock.close()

    def distrust(self, moment: float) -> None:
        """Close the connections that were idle at that moment already: one of them proved dead."""
        for entry in [entry for entry in self._idle if entry[1] <= moment]:
            with contextlib.suppress(ValueError):  # another thread took it
                self._idle.remove(entry)
                entry[0].close()

    def close(self) -> None:
        """Close the idle connections; in a forked process its copies alone, not the parent's connections."""
        _close_all(self._idle)


def _connected(host: str, port: int, deadline: float) -> socket.socket:
    """Return a socket connected to the first address that accepts; each is given an equal share of the time left.

    Raises the OSError of the last address. Instead of socket.create_connection, which gives each the whole timeout.
    """
    # as bytes, since the name is ASCII: text would load the codec for other names
    found = socket.getaddrinfo(cast("str", host.encode()), port, 0, socket.SOCK_STREAM)
    failure: OSError = OSError(f"no address of {host}")
    try:
        for index, (family, kind, proto, _, address) in enumerate(found):
            sock = None
            try:
                sock = socket.socket(family, kind, proto)
                sock.settimeout(_left(deadline) / (len(found) - index))
                sock.connect(address)
                return sock
            except BaseException as error:
                if sock is not None:
                    sock.close()
                if not isinstance(error, OSError):
                    raise
                failure = error
        raise failure
    finally:
        del failure  # its traceback refers to this frame


def _left(deadline: float) -> float:
    """Return the seconds until a deadline. Raises TimeoutError if it has passed."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("the deadline passed")
    return left


def _close_all(idle: list[tuple[socket.socket, float]]) -> None:
    while idle:
        idle.pop()[0].close()


_SENT = (
    "content-type", "connect-protocol-version", "connect-timeout-ms", "user-agent", "accept-encoding",
    "content-encoding", "connect-accept-encoding", "connect-content-encoding", REQUEST_ID, "authorization",
)  # fmt: skip


def pairs_of(headers: Headers) -> list[tuple[str, str]]:
    """Return the headers by name and value. Iterating pyqwest's loads OpenTelemetry (25 ms), so most calls don't."""
    pairs = [(name, headers[name]) for name in _SENT if name in headers]
    return pairs if len(pairs) == len(headers) else list(headers.items())


def _has_ended(sock: socket.socket) -> bool:
    """Return whether the server closed an idle connection, or sent unexpected bytes."""
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
