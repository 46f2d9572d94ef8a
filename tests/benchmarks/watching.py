"""Many watchers in one process of little cost: raw HTTP/2 streams of a few connections, counted by their messages.

Run as a program by the benchmark of the watchers and by the soak: prints "open" once every stream has had its first
message, then "N" for each line N on its standard input, once N messages in all have come on every stream.
"""

from __future__ import annotations

import selectors
import socket
import sys

import h2.config
import h2.connection
import h2.events


class Connection:
    """One connection with its streams."""

    def __init__(self, port: int, streams: int, body: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(2**30)
        self._pending: dict[int, bytes] = {}
        self.counts: dict[int, int] = {}
        headers = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":authority", b"localhost"),
            (b":path", b"/flyteidl2.app.AppService/Watch"),
            (b"content-type", b"application/grpc+proto"),
            (b"te", b"trailers"),
        ]
        for _ in range(streams):
            number = self._h2.get_next_available_stream_id()
            self._h2.send_headers(number, headers)
            self._h2.send_data(number, body, end_stream=True)
            self.counts[number] = 0
            self._pending[number] = b""
            self._flush()

    def read(self) -> None:
        """Read what is there."""
        data = self.socket.recv(1_000_000)
        if not data:
            raise SystemExit("the server closed a connection")
        for event in self._h2.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                number = event.stream_id
                self._h2.acknowledge_received_data(event.flow_controlled_length, number)
                self._take(number, event.data)
            elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                raise SystemExit(f"a stream ended: {event}")
        self._flush()

    def _take(self, number: int, data: bytes) -> None:
        pending = self._pending[number] + data
        while len(pending) >= 5 and len(pending) >= 5 + int.from_bytes(pending[1:5], "big"):
            pending = pending[5 + int.from_bytes(pending[1:5], "big") :]
            self.counts[number] += 1
        self._pending[number] = pending

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data:
            self.socket.sendall(data)


def main() -> None:
    """Run PORT CONNECTIONS STREAMS_EACH BODY_IN_HEX."""
    port, connections, streams = map(int, sys.argv[1:4])
    body = bytes.fromhex(sys.argv[4])
    selector = selectors.DefaultSelector()
    all_of_them = [Connection(port, streams, body) for _ in range(connections)]
    for each in all_of_them:
        selector.register(each.socket, selectors.EVENT_READ, each)

    selector.register(sys.stdin, selectors.EVENT_READ)
    goal, said = 1, "open"
    while True:
        if goal and min(min(each.counts.values()) for each in all_of_them) >= goal:
            print(said, flush=True)
            goal = 0
        for key, _ in selector.select():
            if key.data is not None:
                key.data.read()
            elif line := sys.stdin.readline():
                goal, said = int(line), line.strip()
            else:
                return


if __name__ == "__main__":
    main()
