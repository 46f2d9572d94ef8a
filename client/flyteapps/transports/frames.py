"""The check that the bytes of a Connect stream are frames: connectrpc treats others as the end of the stream."""

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

HEADER_BYTES = 5

COMPRESSED, END = 1, 2

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""Maximum size of a frame: a larger length means that the bytes are no frames."""


class MalformedMessage(ConnectError):
    """A message or a frame that can't be decoded."""


class Frames:
    """The state of one stream's frames: a byte of flags, four of length, as many of content."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._left = 0

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        """Check the next bytes. Raises MalformedMessage if they can't be frames."""
        data, position = bytes(chunk), 0
        while position < len(data):
            if self._left:
                step = min(self._left, len(data) - position)
                self._left -= step
                position += step
                continue
            piece = data[position : position + HEADER_BYTES - len(self._head)]
            self._head += piece
            position += len(piece)
            self._check(data)
            if len(self._head) == HEADER_BYTES:
                self._left = int.from_bytes(self._head[1:])
                self._head.clear()

    def _check(self, data: bytes) -> None:
        flags, length = self._head[0], int.from_bytes(self._head[1:]) if len(self._head) == HEADER_BYTES else 0
        if flags > COMPRESSED | END or length > MAX_FRAME_BYTES:
            raise MalformedMessage(
                Code.INTERNAL, f"the stream holds bytes that are not frames, such as {bytes(data[:24])!r}"
            )


class Checked:
    """A response that checks its content; everything else is the inner response's."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    @property
    def content(self) -> Iterator[Any]:
        """The content as it arrives, blocking. Raises MalformedMessage."""
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
    """An async response that checks its content."""

    @property
    def content(self) -> Any:
        """The content as it arrives, awaiting. Raises MalformedMessage."""
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[Any]:
        frames = Frames() if self._response.status == OK else None
        async for chunk in self._response.content:
            if frames is not None:
                frames.feed(chunk)
            yield chunk


class CheckedClient:
    """A pyqwest.Client that checks its streams and stores the delays of refused calls."""

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
