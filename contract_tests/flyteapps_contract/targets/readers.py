"""Streams of clients that block: each is read by a thread of its own, into an inbox."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flyteapps_contract.targets.target import Inbox

GRACE = 5.0


class Readers:
    """The reading threads of one link; close() ends them."""

    def __init__(self) -> None:
        self._running: list[tuple[threading.Thread, Inbox]] = []

    def start(self, read: Callable[[Inbox], None], cancel: Callable[[], None]) -> Inbox:
        """Return an inbox that `read` fills until its stream ends; `cancel` ends the stream from this side."""
        inbox = Inbox(cancel)
        reader = threading.Thread(target=read, args=(inbox,), name="flyteapps-contract-stream", daemon=True)
        self._running.append((reader, inbox))
        reader.start()
        return inbox

    def close(self) -> None:
        """End every stream, and waits for its thread."""
        for reader, inbox in self._running:
            inbox.close()
            reader.join(GRACE)
