"""One connection on hypercorn, with short patience before its first request, and gone once its client is."""

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
from flyteapps_fake.servers.hypercorn.http1 import Http1
from flyteapps_fake.servers.hypercorn.http2 import Http2

LINGER_SECONDS = 1.0
"""Time that an early answered client may go on sending, until it has seen the answer."""
CLOSE_SECONDS = 10.0
"""Time that a client may take to read the end of what it was sent."""


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
    """A connection; `head_seconds` bounds the wait for its first request."""

    head_seconds = 0.0
    idle = True
    """Whether it has no request."""
    _ending = False
    _read = False
    """Whether the client has sent its last byte."""

    def __init__(self, *arguments: Any) -> None:
        """Take the arguments of hypercorn's class."""
        super().__init__(*arguments)
        self._timers: list[asyncio.TimerHandle] = []

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
                await cast("Any", self.idle_task).restart(group, self._idle_timeout)
                await self._read_data()
        except OSError:
            pass
        finally:
            await self._close()

    async def protocol_send(self, event: Event) -> None:
        """Write bytes of the protocol, end the connection, or note whether it has a request."""
        if isinstance(event, Updated):
            self.idle = event.idle
            if event.idle and self._read:  # waiting for another request would keep the socket until that times out
                return
        if isinstance(event, RawData) and self.writer.transport.is_closing():
            await self.protocol.handle(Closed())  # asyncio would only log that the client is gone
        elif isinstance(event, Closed):
            self._end()
        else:
            await super().protocol_send(event)

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
        self._read = True
        await self.protocol.handle(Closed())
        await self.idle_task.stop()  # else the socket stays in CLOSE_WAIT until the keep-alive time is over

    async def _close(self) -> None:
        self._timers.append(self.loop.call_later(CLOSE_SECONDS, self.writer.transport.abort))
        await super()._close()
        for timer in self._timers:
            timer.cancel()

    async def _idle_timeout(self) -> None:
        seconds = KEEP_ALIVE_SECONDS if self.protocol.protocol.keep_alive_requests else self.head_seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.context.terminated.wait()
        await asyncio.shield(self._initiate_server_close())
