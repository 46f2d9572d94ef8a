"""Forked processes: the reset of inherited objects, and native libraries that a fork may break.

A child has copies of its parent's sockets, and of locks and queues with threads in the parent alone. So each object
that holds such things registers here, and is reset in the child before anything else runs there. Rules of this file:
it knows no transport, and costs nothing per call.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from flyteapps.errors import ConfigError

TRIAL_SECONDS = 2.0
"""Maximum duration of the trial of a native library in a forked process; it takes milliseconds."""


class Inherited(Protocol):
    """An object that has to be reset in a child process."""

    def forked(self) -> None:
        """Drop the parent's objects, without touching its connections and without taking a lock."""
        ...


_forked = False
_registered: weakref.WeakSet[Inherited] = weakref.WeakSet()
_libraries: list[NativeLibrary] = []


def register(inherited: Inherited) -> None:
    """Reset the object in each child process that is forked later, as long as the object is referenced."""
    _registered.add(inherited)


class NativeLibrary:
    """A library with threads of its own, which a child process doesn't have.

    `trial`: a call that reaches those threads and no network; it returns or raises if they run, and blocks otherwise.
    `advice`: what to do then, as the end of a sentence. `survives`: whether it can work after a fork although it was
    used before, so that it is tried.
    """

    def __init__(self, name: str, trial: Callable[[], object], advice: str, *, survives: bool = False) -> None:
        self._name = name
        self._trial = trial
        self._advice = advice
        self._survives = survives
        self._used = False  # in this process, or before a fork
        self._works: bool | None = None if _forked else True  # None: unknown as yet in this child
        _libraries.append(self)

    def use(self) -> None:
        """Record that the library is in use. Raises ConfigError if a fork has broken it."""
        if self._works is None:
            self._works = self._try()
        if not self._works:
            raise ConfigError(
                f"{self._name} was in use before this process was forked, and its threads don't survive a fork: "
                f"{self._advice}"
            )
        self._used = True

    def forked(self) -> None:
        """Record a fork: a library used before is broken; one that another package may have used is to be tried."""
        broken = self._works is False or (self._used and not self._survives)
        self._works = False if broken else None

    def _try(self) -> bool:
        done = threading.Event()

        def attempt() -> None:
            with contextlib.suppress(Exception):  # an error is a response
                self._trial()
            done.set()

        threading.Thread(target=attempt, name=f"flyteapps {self._name}", daemon=True).start()
        return done.wait(TRIAL_SECONDS)


def _reset() -> None:
    global _forked
    _forked = True
    for library in _libraries:
        library.forked()
    for inherited in list(_registered):
        inherited.forked()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_reset)
