"""Preparations of checks: what fails in one leaves the check without a verdict."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator

from flyteapps_contract.outcomes import Broken, Refused, StreamEnded, Unjudged


class _Depth(threading.local):
    """The number of preparations that this thread is in."""

    value = 0


_depth = _Depth()


@contextlib.contextmanager
def preparing(what: str) -> Generator[None]:
    """Turn what fails in the body into Unjudged."""
    _depth.value += 1
    try:
        yield
    except (Refused, Broken, StreamEnded) as error:
        raise Unjudged(f"{what}: {error}") from error
    finally:
        _depth.value -= 1


def is_preparing() -> bool:
    """Return whether this thread prepares, so that it doesn't judge what it calls."""
    return _depth.value > 0
