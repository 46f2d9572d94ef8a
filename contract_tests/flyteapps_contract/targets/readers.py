"""Streams of clients that block: each is read by a thread of its own, into a queue stream."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flyteapps_contract.targets.target import QueueStream

GRACE = 5.0


class Readers:
    """The reading threads of one link; close() ends them."""

    def __init__(self) -> None:
        self._running: list[tuple[threading.Thread, QueueStream]] = []

    def start(self, read: Callable[[QueueStream], None], cancel: Callable[[], None]) -> QueueStream:
        """Return a queue stream that `read` fills until its stream ends; `cancel` ends the stream from this side."""
        queue_stream = QueueStream(cancel)
        reader = threading.Thread(target=read, args=(queue_stream,), name="flyteapps-contract-stream", daemon=True)
        self._running.append((reader, queue_stream))
        reader.start()
        return queue_stream

    def close(self) -> None:
        """End every stream, and waits for its thread."""
        for reader, queue_stream in self._running:
            queue_stream.close()
            reader.join(GRACE)
