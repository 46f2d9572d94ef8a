"""A thread of its own that writes lines: their reader may be slow or have stopped, and calls must not wait for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from flyteapps_fake.cli.output import warn

T = TypeVar("T")

MAX_QUEUED_BYTES = 32 * 1024 * 1024
"""Bytes of the items that wait in one writer, where they have a size."""


class BackgroundWriter(Generic[T]):
    """A writer that accepts items from any thread without waiting.

    `write`: writes an item in the writer's thread, `last` where no other waits; it returns False where nothing can be
    written any more, and further items are dropped. `capacity`: items that wait, with MAX_QUEUED_BYTES in all; further
    ones are dropped, and their number is reported later by `dropped`. `size`: returns the bytes of an item.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[T, bool], bool],
        capacity: int,
        dropped: Callable[[int], str],
        size: Callable[[T], int] = lambda _: 0,
    ) -> None:
        self._name = name
        self._write = write
        self._items: queue.Queue[tuple[T, int]] = queue.Queue(capacity)
        self._size = size
        self._put_bytes = 0
        self._written_bytes = 0
        """Bytes of all items so far: each of the two totals belongs to one side of the queue."""
        self._message = dropped
        self._dropped = 0
        self._thread: threading.Thread | None = None
        self.closed = False
        """Whether nothing is written any more."""

    def put(self, item: T) -> None:
        """Queue an item for writing."""
        if self.closed:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        size = self._size(item)
        waiting = self._put_bytes - self._written_bytes
        try:
            if waiting and waiting + size > MAX_QUEUED_BYTES:
                raise queue.Full
            self._items.put_nowait((item, size))
            self._put_bytes += size
        except queue.Full:
            self._dropped += 1

    def flush(self, seconds: float) -> None:
        """Wait until all items are written, for at most that many seconds."""
        with self._items.all_tasks_done:
            self._items.all_tasks_done.wait_for(lambda: not self._items.unfinished_tasks, seconds)

    def _run(self) -> None:
        while True:
            item, size = self._items.get()
            try:
                if not self.closed:
                    self.closed = not self._write(item, self._items.empty())
                if self._dropped:
                    dropped, self._dropped = self._dropped, 0
                    warn(self._message(dropped))
            finally:
                self._written_bytes += size
                self._items.task_done()
