"""HTTP/2 as bytes: frames that no library would send, and a connection that sends them."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

import hpack

from .server_process import PATIENCE

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LAST = b"the last"
"""The content of a PING that is sent after all else: its answer shows that the server has processed it."""


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    return len(content).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + content


def settings(**values: int) -> bytes:
    """Return a SETTINGS frame; `window`, `other`: the initial window of streams, an unknown setting."""
    codes = {"window": 4, "other": 0x1000}
    return frame(
        SETTINGS, 0, 0, b"".join(codes[k].to_bytes(2, "big") + v.to_bytes(4, "big") for k, v in values.items())
    )


def head(path: str) -> bytes:
    """Return the header block of a gRPC call; it changes no table, so that it may be sent again and again."""
    fields = {":method": "POST", ":scheme": "http", ":authority": "localhost", ":path": path}
    fields |= {"content-type": "application/grpc", "te": "trailers"}
    return hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*field) for field in fields.items()])


def call(stream: int, block: bytes, message: bytes) -> bytes:
    """Return the frames of a gRPC call whose head is `block`."""
    body = b"\0" + len(message).to_bytes(4, "big") + message
    return frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, body)


class Flood:
    """A connection that sends bytes as they are, and reads what comes, unless `reading` is False."""

    def __init__(self, port: int, first: bytes = settings(), *, reading: bool = True) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.received = 0
        """Bytes."""
        self.closed = False
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        if reading:
            self._reader.start()
        self.send(PREFACE + first)

    def send(self, data: bytes, seconds: float = PATIENCE) -> bool:
        """Send; return whether all was accepted within that time."""
        self._socket.settimeout(seconds)
        try:
            self._socket.sendall(data)
        except OSError:  # it was cut, or isn't read any more
            return False
        return True

    def finish(self) -> None:
        """Wait until the server has processed all, or has closed the connection."""
        self.send(frame(PING, 0, 0, LAST))
        assert self._over.wait(PATIENCE), "the server has neither answered nor closed the connection"

    def _read(self) -> None:
        answer = frame(PING, ACK, 0, LAST)
        end = b""
        while True:
            try:
                data = self._socket.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                data = b""
            self.received += len(data)
            self.closed = not data
            end = end[-len(answer) :] + data
            if self.closed or answer in end:
                self._over.set()
            if self.closed:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # the reader keeps it open otherwise
        self._socket.close()
