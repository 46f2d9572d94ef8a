"""QueueStream: a blocking stream read with deadlines, by a reader thread and a queue.

The blocking read can't be interrupted, only severed, by a function of the transport.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from flyteapps.transports import forks

MAX_QUEUED_MESSAGES = 1_000
"""Maximum number of unconsumed messages; later ones stay on the wire, where the plane notices."""

START_SECONDS = 0.1
"""Maximum time for a thread to start."""

JOIN_SECONDS = 1.0
"""Maximum time for the reader to end after its stream is severed."""


class QueueStream:
    """A Stream over a blocking iterator of messages. `sever` makes the iterator's `next` return or raise at once."""

    def __init__(self, messages: Callable[[], Iterator[Any]], sever: Callable[[], None]) -> None:
        self._messages = messages
        self._sever = sever
        self._room = threading.Semaphore(MAX_QUEUED_MESSAGES)
        self._items: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._end: BaseException | None = None
        self._closed = False
        self._thread: threading.Thread | None = None
        forks.register(self)

    def forked(self) -> None:
        """See Inherited. The stream ends in the child; closing it must not sever the parent's."""
        self._closed = True
        self._thread = None
        self._end = ConnectError(Code.UNAVAILABLE, "the stream was opened before this process was forked")

    def _read(self) -> None:
        try:
            for message in self._messages():
                self._room.acquire()
                if self._closed:
                    return
                self._items.put((message, None))
            end: BaseException = EOFError("the stream ended")
        except BaseException as error:
            end = error
        self._items.put((None, end))

    def receive(self, timeout: float | None = None) -> Any:
        """See Stream.receive."""
        if self._end is not None:
            raise self._end
        if self._thread is None:  # not in the constructor: from here on the caller can close the stream
            self._thread = threading.Thread(target=self._read, name="flyteapps stream", daemon=True)
            self._thread.start()
        try:
            message, end = self._items.get(timeout=timeout) if timeout != 0 else self._items.get_nowait()
        except queue.Empty:
            raise TimeoutError(f"no message within {timeout} s") from None
        if end is not None:
            self._end = end
            raise end
        self._room.release()
        return message

    def close(self) -> None:
        """See Stream.close."""
        if self._closed:
            return
        self._closed = True
        self._end = self._end or EOFError("the stream was closed")
        self._sever()
        self._room.release()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        until = time.monotonic() + START_SECONDS
        while thread.ident is None and time.monotonic() < until:
            time.sleep(0.001)  # the starting thread was interrupted meanwhile
        if thread.ident is not None:
            thread.join(JOIN_SECONDS)
