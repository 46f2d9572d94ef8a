"""Clients of a race: each in a thread of its own, and its calls in a timeline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from flyteapps_contract.outcomes import Span
from flyteapps_contract.targets.target import CALL_SECONDS


def run_clients(
    clients: Sequence[Callable[[], None]],
    over: threading.Event,
    meanwhile: Callable[[Sequence[threading.Thread]], None] = lambda threads: None,
) -> None:
    """Run the clients at once, and `meanwhile` beside them, until all have ended.

    `over` is set then, and when this is interrupted: a client begins no call any more, and the one under way is waited
    for, so that nothing is created once a session cleans up.
    """
    threads = [threading.Thread(target=client, daemon=True) for client in clients]
    try:
        for thread in threads:
            thread.start()
        meanwhile(threads)
        for thread in threads:
            thread.join()
    finally:
        over.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(CALL_SECONDS + 1.0)


def span_of(client: int, text: str, called: int, returned: int | None, *, wrong: bool) -> Span:
    """Return a call in a timeline; a negative client's is before or after the race, a lost answer has no `returned`."""
    return Span("before and after" if client < 0 else f"client {client}", text, called, returned, wrong)
