"""Whether the bytes of a Connect stream are frames at all: connectrpc drops what isn't, as if the stream had ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Self

import pyqwest
from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.transports.delays import REFUSED, note

OK = int(HTTPStatus.OK)

HEAD = 5

COMPRESSED, END = 1, 2

LARGEST = 64 * 1024 * 1024
"""Bytes of a frame that nobody sends."""


class Rubbish(ConnectError):
    """What came is no message of the protocol."""


class Frames:
    """Follows the frames of one stream: a byte of flags, four of length, as many of content."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._left = 0

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        """Takes the next bytes. Raises Rubbish where they can't be frames."""
        data, position = bytes(chunk), 0
        while position < len(data):
            if self._left:
                step = min(self._left, len(data) - position)
                self._left -= step
                position += step
                continue
            piece = data[position : position + HEAD - len(self._head)]
            self._head += piece
            position += len(piece)
            self._check(data)
            if len(self._head) == HEAD:
                self._left = int.from_bytes(self._head[1:])
                self._head.clear()

    def _check(self, data: bytes) -> None:
        flags, length = self._head[0], int.from_bytes(self._head[1:]) if len(self._head) == HEAD else 0
        if flags > COMPRESSED | END or length > LARGEST:
            raise Rubbish(Code.INTERNAL, f"the stream holds bytes that are no frames, such as {bytes(data[:24])!r}")


class Checked:
    """A response whose content is looked at on its way; everything else is the response's own."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    @property
    def content(self) -> Iterator[Any]:
        """What comes, blocking. Raises Rubbish."""
        frames = Frames() if self._response.status == OK else None
        for chunk in self._response.content:
            if frames is not None:
                frames.feed(chunk)
            yield chunk

    def __enter__(self) -> Self:
        self._response.__enter__()
        return self

    def __exit__(self, *about: Any) -> None:
        self._response.__exit__(*about)


class AsyncChecked(Checked):
    """The same, awaiting."""

    @property
    def content(self) -> Any:
        """What comes, awaiting. Raises Rubbish."""
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[Any]:
        frames = Frames() if self._response.status == OK else None
        async for chunk in self._response.content:
            if frames is not None:
                frames.feed(chunk)
            yield chunk


class CheckedClient:
    """A pyqwest.Client whose streams are checked, and whose refusals are noted."""

    def __init__(self, client: pyqwest.Client) -> None:
        self._client = client

    async def post(self, *args: Any, **kwargs: Any) -> pyqwest.FullResponse:
        """See pyqwest.Client.post."""
        response = await self._client.post(*args, **kwargs)
        if response.status in REFUSED:
            note(response.headers)
        return response

    @asynccontextmanager
    async def stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[AsyncChecked]:
        """See pyqwest.Client.stream."""
        async with self._client.stream(*args, **kwargs) as response:
            yield AsyncChecked(response)
