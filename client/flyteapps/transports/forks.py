"""Forked processes: what a child inherits and must not use, and native libraries that a fork may break.

A child has copies of its parent's sockets, and of locks and queues whose threads exist in the parent alone. So whatever
holds such things registers here, and is reset in the child before anything else runs there. Rules of this file: it
knows no transport, and costs nothing per call.
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
"""How long a native library gets to show that it works in a forked process; it takes milliseconds."""


class Inherited(Protocol):
    """An object that a child process has to reset."""

    def forked(self) -> None:
        """Drop what belongs to the parent process, without touching its connections and without taking a lock."""
        ...


_forked = False
_registered: weakref.WeakSet[Inherited] = weakref.WeakSet()
_libraries: list[NativeLibrary] = []


def register(inherited: Inherited) -> None:
    """Reset the object in each child process that is forked from now on, for as long as it is referenced."""
    _registered.add(inherited)


class NativeLibrary:
    """A library with threads of its own, which a child process doesn't have.

    `trial`: a call that reaches those threads and no network; it returns or raises where they run, and blocks where
    they don't. `advice`: what to do where they don't, as the end of a sentence. `survives`: it can do so after it was
    used before the fork, so that it is tried then, too.
    """

    def __init__(self, name: str, trial: Callable[[], object], advice: str, *, survives: bool = False) -> None:
        self._name = name
        self._trial = trial
        self._advice = advice
        self._survives = survives
        self._used = False  # in this process, or before a fork
        self._works: bool | None = None if _forked else True  # None: not known yet in this child
        _libraries.append(self)

    def use(self) -> None:
        """Note that the library is used from now on. Raises ConfigError where a fork has broken it."""
        if self._works is None:
            self._works = self._try()
        if not self._works:
            raise ConfigError(
                f"{self._name} was in use before this process was forked, and its threads don't survive a fork: "
                f"{self._advice}"
            )
        self._used = True

    def forked(self) -> None:
        """What was used before the fork is broken; what another package may have used has to be tried."""
        broken = self._works is False or (self._used and not self._survives)
        self._works = False if broken else None

    def _try(self) -> bool:
        done = threading.Event()

        def attempt() -> None:
            with contextlib.suppress(Exception):  # an error is an answer
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
