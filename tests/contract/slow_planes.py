"""A proxy before a plane that can be frozen: it takes connections and bytes, and passes nothing on."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator
from urllib.parse import urlsplit


class FreezableProxy:
    """A TCP proxy; `freeze` makes it hang."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname and parts.port
        self._plane = parts.hostname, parts.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._frozen = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Pass nothing on from now on."""
        self._frozen.set()

    def close(self) -> None:
        """Close every connection."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                plane = socket.create_connection(self._plane)
                self._open += client, plane
                for ends in ((client, plane), (plane, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while sent := source.recv(65536):
                if not self._frozen.is_set():
                    sink.sendall(sent)
            sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def freezable(url: str) -> Generator[FreezableProxy]:
    """Run a proxy before the plane at that URL."""
    proxy = FreezableProxy(url)
    try:
        yield proxy
    finally:
        proxy.close()
