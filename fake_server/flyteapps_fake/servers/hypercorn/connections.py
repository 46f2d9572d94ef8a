"""One connection on hypercorn, with a time for each of its waits, and gone once its client is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr  # pyright: ignore[reportUnknownVariableType] - a tuple of anything

from flyteapps_fake.http.limits import KEEP_ALIVE_SECONDS
from flyteapps_fake.servers.hypercorn.http1 import Http1, Paused
from flyteapps_fake.servers.hypercorn.http2 import Http2

LINGER_SECONDS = 1.0
"""Time that an early answered client may go on sending, until it has seen the answer."""
CLOSE_SECONDS = 10.0
"""Time that a client may take to read the end of what it was sent."""
MAX_AHEAD_BYTES = 64 * 1024
"""Bytes that are read of a client's next requests before the first is answered."""


class Protocols(ProtocolWrapper):
    """The protocol that a connection speaks: `Http1` or `Http2`, by ALPN or by the client's first bytes."""

    def __init__(self, *arguments: Any) -> None:
        """Take the arguments of hypercorn's class, which end with the function that sends and the ALPN protocol."""
        *self._shared, alpn = arguments
        # hypercorn's own __init__ and handle name the classes of the protocols
        self.protocol = Http2(*self._shared) if alpn == "h2" else Http1(*self._shared)

    async def handle(self, event: Event) -> None:
        """Pass bytes, or the end of the connection, to the protocol; switch to HTTP/2 where they ask for it."""
        try:
            await self.protocol.handle(event)
        except H2ProtocolAssumedError as assumed:
            await self._switch(assumed.data)
        except H2CProtocolRequiredError as required:
            await self._switch(required.data, required.headers, required.settings)

    async def _switch(self, data: bytes, *upgrade: Any) -> None:
        self.protocol = Http2(*self._shared)
        await self.protocol.initiate(*upgrade)
        if data:
            await self.protocol.handle(RawData(data=data))


class Connection(TCPServer):
    """A connection; its server calls `check` now and then, which closes it once one of its waits has been too long.

    `head_seconds`: time for the first request, and for the rest of any later request's head.
    """

    head_seconds = 0.0
    idle = True
    """Whether it has no request."""
    _ending = False

    def __init__(self, *arguments: Any) -> None:
        """Take the arguments of hypercorn's class."""
        super().__init__(*arguments)
        self._timers: list[asyncio.TimerHandle] = []
        self._idle_since = self.loop.time()
        self._begun: tuple[int, float] | None = None
        """The number of requests before a head that has begun, and since when it was seen."""

    @property
    def _spoken(self) -> Http1 | Http2:
        return cast("Http1 | Http2", self.protocol.protocol)

    @property
    def arriving(self) -> bool:
        """Whether none of its requests has arrived whole."""
        return self._spoken.arriving

    def check(self, now: float) -> None:
        """Close the connection where it has been idle, or a request's head incomplete, for too long."""
        if self.writer.transport.is_closing():
            return
        protocol = self._spoken
        if isinstance(protocol, Http2):
            protocol.unread.check()
        if self.idle:
            seconds = KEEP_ALIVE_SECONDS if protocol.keep_alive_requests else self.head_seconds
            if now - self._idle_since > seconds:
                self.close()
                return
        if not protocol.head_begun:
            self._begun = None
        elif self._begun is None or self._begun[0] != protocol.keep_alive_requests:
            self._begun = (protocol.keep_alive_requests, now)
        elif now - self._begun[1] > self.head_seconds:
            self.close()

    def close(self) -> None:
        """End the connection, which has no request, or one that never becomes whole."""
        self.writer.transport.close()
        self._timers.append(self.loop.call_later(CLOSE_SECONDS, self.writer.transport.abort))

    async def run(self) -> None:
        """Serve the connection to its end, as hypercorn does, with `Protocols`."""
        sock = self.writer.get_extra_info("socket")
        tls = self.writer.get_extra_info("ssl_object")
        try:
            client = parse_socket_addr(sock.family, sock.getpeername())
            server = parse_socket_addr(sock.family, sock.getsockname())
            async with TaskGroup(self.loop) as group:
                self._task_group = group
                self.protocol = Protocols(
                    self.app,
                    self.config,
                    self.context,
                    group,
                    ConnectionState(self.state),
                    tls is not None,
                    client,
                    server,
                    self.protocol_send,
                    tls.selected_alpn_protocol() if tls is not None else "http/1.1",
                )
                await self.protocol.initiate()
                self._note(idle=True)  # a server that closes has ended its connections without this one
                await self._read_data()
        except OSError:
            pass
        finally:
            await self._close()

    async def protocol_send(self, event: Event) -> None:
        """Write bytes of the protocol, end the connection, or note whether it has a request."""
        if isinstance(event, Updated):
            self._note(idle=event.idle)
        elif isinstance(event, RawData):
            if self.writer.transport.is_closing():
                await self.protocol.handle(Closed())  # asyncio would only log that the client is gone
            else:
                await super().protocol_send(event)
        elif isinstance(event, Closed):
            self._end()
        elif isinstance(event, Paused):
            await self._read_ahead(event.protocol)

    def _note(self, *, idle: bool) -> None:
        self.idle = idle
        if idle:
            self._idle_since = self.loop.time()
            if self.context.terminated.is_set():
                self.close()

    def _end(self) -> None:
        """End the connection once all is sent. A client that is still sending would lose the answer if it were cut."""
        transport = self.writer.transport
        if self._ending or self.context.terminated.is_set() or not transport.can_write_eof():
            transport.close()
        else:
            self.writer.write_eof()
            self._timers.append(self.loop.call_later(LINGER_SECONDS, transport.close))
        self._ending = True
        self._timers.append(self.loop.call_later(CLOSE_SECONDS, transport.abort))

    async def _read_data(self) -> None:
        with contextlib.suppress(OSError):  # ssl.SSLError is one
            while data := await self.reader.read(MAX_RECV):
                if not self._ending:
                    await self.protocol.handle(RawData(data))
        await self.protocol.handle(Closed())

    async def _read_ahead(self, protocol: Http1) -> None:
        """Read on until the request is answered, since only so it is noticed that the client leaves."""
        answered = self.loop.create_task(protocol.can_read.wait())
        try:
            size = 0
            while size < MAX_AHEAD_BYTES:
                data = await self._read_before(answered)
                if data is None:
                    return
                if not data:
                    await self.protocol.handle(Closed())
                    return
                if not self._ending:
                    protocol.connection.receive_data(data)
                size += len(data)
            await asyncio.wait((answered,), timeout=self.head_seconds)
            if not answered.done():
                self._end()
        finally:
            answered.cancel()

    async def _read_before(self, answered: asyncio.Task[None]) -> bytes | None:
        """Return the next bytes, None where `answered` is over before."""
        reading = self.loop.create_task(self.reader.read(MAX_RECV))
        try:
            await asyncio.wait((answered, reading), return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else None
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait((reading,))  # a reader has one read at a time

    async def _close(self) -> None:
        self._timers.append(self.loop.call_later(CLOSE_SECONDS, self.writer.transport.abort))
        await super()._close()
        for timer in self._timers:
            timer.cancel()
