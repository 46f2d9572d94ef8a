"""An HTTP/2 connection whose frames a test sends one by one, malformed ones too."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, cast

import h2.config
import h2.connection
import h2.events
import h2.settings

Headers = dict[str, str]
PATIENCE = 150.0


@dataclass(slots=True)
class Answer:
    """The answer received on one stream so far: `trailers` are those of gRPC; `reset` is the code of a RST_STREAM."""

    headers: Headers = field(default_factory=Headers)
    body: bytearray = field(default_factory=bytearray, repr=False)
    trailers: Headers = field(default_factory=Headers)
    ended: bool = False
    reset: int | None = None

    @property
    def grpc_status(self) -> str:
        """The status of a gRPC call, "" before it is there."""
        return self.trailers.get("grpc-status") or self.headers.get("grpc-status", "")


class RawHttp2:
    """One connection."""

    def __init__(self, port: int, authority: str = "localhost", window: int | None = None) -> None:
        """Open a connection. `window`: bytes that each stream may send before it is read; None for HTTP/2's own."""
        self._authority = authority
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._h2.initiate_connection()
        if window is not None:
            self._h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self._answers: dict[int, Answer] = {}
        self.closed = False
        self.pongs = 0
        self._flush()

    def request(self, path: str, content_type: str, headers: Headers | None = None, method: str = "POST") -> int:
        """Begin a request (a POST), whose body `send` sends; return the stream's number."""
        return self.opened(self._fields(path, content_type, headers, method))

    def opened(self, fields: list[tuple[str, str]]) -> int:
        """Send these headers; return the stream's number."""
        number = self._open(fields)
        self._flush()
        return number

    def ping(self) -> None:
        """Send a PING; `pongs` counts the answers."""
        self._h2.ping(b"flyteapp")
        self._flush()

    def send(self, number: int, data: bytes, *, end: bool = True) -> None:
        """Send a part of a body, as far as the server's windows reach."""
        while data:
            window = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size, len(data))
            if window <= 0:
                self._read(PATIENCE)
                if self.closed or self._answers[number].ended:
                    return
                continue
            self._h2.send_data(number, data[:window])
            data = data[window:]
            if data:
                self._flush()
        if end:
            self._h2.end_stream(number)
        self._flush()

    def asked(
        self, path: str, content_type: str, body: bytes, headers: Headers | None = None, method: str = "POST"
    ) -> int:
        """Send a whole request (a POST), head and body together; return the stream's number."""
        number = self._open(self._fields(path, content_type, headers, method))
        self.send(number, body)
        return number

    def reset(self, number: int) -> None:
        """Reset a stream."""
        self._h2.reset_stream(number)
        self._flush()

    def answer(self, number: int, seconds: float = PATIENCE) -> Answer:
        """Return the stream's answer once it has ended or was reset; fail where that takes longer."""
        found = self._answers[number]
        self.until(
            lambda: found.ended or found.reset is not None or self.closed, f"stream {number} has no end", seconds
        )
        return found

    def until(self, true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Read until `true()`; fail with `what` where that takes longer."""
        until = time.monotonic() + seconds
        while not true():
            left = until - time.monotonic()
            assert left > 0, f"{what}: {self._answers}"
            self._read(left)

    @property
    def open_streams(self) -> int:
        """The streams that have neither ended nor been reset by the server, as far as it was read."""
        return sum(not answer.ended and answer.reset is None for answer in self._answers.values())

    @property
    def max_streams(self) -> int:
        """The server's limit of concurrent streams."""
        return self._h2.remote_settings.max_concurrent_streams

    def close(self) -> None:
        """Cut the connection."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fields(self, path: str, content_type: str, headers: Headers | None, method: str) -> list[tuple[str, str]]:
        fields = [(":method", method), (":scheme", "http"), (":authority", self._authority), (":path", path)]
        return [*fields, ("content-type", content_type), ("te", "trailers"), *(headers or {}).items()]

    def _open(self, fields: list[tuple[str, str]]) -> int:
        number = self._h2.get_next_available_stream_id()
        self._h2.send_headers(number, fields)
        self._answers[number] = Answer()
        return number

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data:
            self._socket.sendall(data)

    def _read(self, seconds: float) -> None:
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return
        for event in self._h2.receive_data(data):
            self._take(event)
        self._flush()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self._answers[event.stream_id].headers = _texts(event.headers)
        elif isinstance(event, h2.events.TrailersReceived):
            self._answers[event.stream_id].trailers = _texts(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self._answers[event.stream_id].body += event.data
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self._answers[event.stream_id].ended = True
        elif isinstance(event, h2.events.StreamReset):
            self._answers[event.stream_id].reset = int(event.error_code)
        elif isinstance(event, h2.events.PingAckReceived):
            self.pongs += 1
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.closed = True


def _texts(headers: object) -> Headers:
    pairs = cast("list[tuple[str, str]]", headers)
    return dict(pairs)
