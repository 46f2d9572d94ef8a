"""One event loop in a thread of its own: clients that are asyncio's, called by checks that block."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from google.protobuf.message import Message

from flyteapps_contract.outcomes import Refused
from flyteapps_contract.targets.target import QueueStream

T = TypeVar("T")
GRACE = 5.0


class LoopThread:
    """A running loop; close() ends its tasks and its thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="flyteapps-contract", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def call(self, coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
        """Return the coroutine's result. Raises Refused with DEADLINE_EXCEEDED where it takes longer."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(seconds)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise Refused("DEADLINE_EXCEEDED", f"no answer within {seconds:g} s") from None
        except BaseException:
            future.cancel()
            raise

    def read(
        self, messages: Callable[[], AsyncIterator[Message]], error: Callable[[Exception], Refused]
    ) -> QueueStream:
        """Return a queue stream that a task fills from `messages`; `error` translates what the client raises."""

        async def forward(queue_stream: QueueStream) -> None:
            try:
                async for message in messages():
                    queue_stream.put(message)
                    if queue_stream.paused:
                        await asyncio.to_thread(queue_stream.wait_while_paused)
            except asyncio.CancelledError:
                queue_stream.end(None)
            except Exception as failure:  # whatever the client raises is the stream's end
                queue_stream.end(error(failure))
            else:
                queue_stream.end(None)

        tasks: list[concurrent.futures.Future[None]] = []

        def cancel() -> None:
            tasks[0].cancel()

        queue_stream = QueueStream(cancel)
        tasks.append(asyncio.run_coroutine_threadsafe(forward(queue_stream), self._loop))
        return queue_stream

    def interrupt(self) -> None:
        """Cancel every task; a loop that is closed has none."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel_all)

    def _cancel_all(self) -> list[asyncio.Task[Any]]:
        tasks = [task for task in asyncio.all_tasks(self._loop) if task is not asyncio.current_task(self._loop)]
        for task in tasks:
            task.cancel()
        return tasks

    def close(self) -> None:
        """Cancel every task, then ends the loop; a second call does nothing."""
        if self._loop.is_closed():
            return

        async def cancel_all() -> None:
            await asyncio.gather(*self._cancel_all(), return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel_all(), self._loop).result(GRACE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(GRACE)
        self._loop.close()
