"""Whether a port of the loopback answers: it accepts a connection, and a GET of a path, if there is one."""

from __future__ import annotations

import asyncio

SECONDS = 2.0
"""Time that one look may take."""
HOSTS = ("127.0.0.1", "::1")


async def answering(port: int, path: str = "") -> str:
    """Return the address on which a program answers on that port, "" for none.

    `path`: what it has to answer to a GET, "" for nothing.
    """
    for host in HOSTS:
        try:
            async with asyncio.timeout(SECONDS):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    if not path or await _gets(reader, writer, path, port):
                        return host
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            continue
    return ""


async def _gets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, port: int) -> bool:
    head = f"GET {path} HTTP/1.1\r\nhost: localhost:{port}\r\nuser-agent: flyteapps\r\nconnection: close\r\n\r\n"
    writer.write(head.encode("utf-8", "replace"))
    status = (await reader.readuntil(b"\n")).split(b" ", 2)
    return len(status) > 1 and status[1].isdigit() and 200 <= int(status[1]) < 400
