"""Calls that are made at once, from a thread each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from flyteapps_contract.outcomes import Refused

A = TypeVar("A")
T = TypeVar("T")


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Return what the calls return, made at once from a thread each."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def calling(call: Callable[[A], T], argument: A) -> Callable[[], T | Refused]:
    """Return the call with its argument, a refusal being an answer."""

    def run() -> T | Refused:
        try:
            return call(argument)
        except Refused as error:
            return error

    return run
