"""The saver of a plane: a thread that writes the batches of its changes to a directory, and reads them at the start.

While one batch is written the next comes together, so that many callers share a transaction.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Iterable
from typing import Literal

from flyteapps_control.v1.state_pb2 import PlaneTime
from flyteapps_fake.core.dialect import CLOSED
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.parts.kept import KeptPlane
from flyteapps_fake.core.state.document import WrongState
from flyteapps_fake.core.state.saving import Batch
from flyteapps_fake.core.time.forks import register_inherited
from flyteapps_fake.directory.errors import Corrupt, DirectoryLost, ReadOnly, StateError
from flyteapps_fake.directory.state_directory import Change, StateDirectory

TIME = "time"
"""The section of the plane's time, which each batch has."""
RETRY_SECONDS = 1.0
"""Real seconds after which a write that failed is tried again."""
GATHER_SECONDS = 0.002
"""Real seconds in which a batch comes together, where several callers write."""
CLOSE_SECONDS = 10.0
"""Real seconds for the last batch, as the plane is closed."""

_logger = logging.getLogger(__name__)


class Saver:
    """The saver of one plane in one directory. `passes`: whether the time since it was last written counts.

    Raises StateError where the plane can't take what is in the directory.
    """

    def __init__(self, plane: KeptPlane, directory: StateDirectory, *, passes: bool, batches: bool) -> None:
        self._plane = plane
        self._saving = plane.saving
        self._directory = directory
        self._position = directory.position
        self._wake = threading.Event()
        self._turn = threading.Lock()
        self._closing = False
        self._several = False
        """Whether several calls waited for the last batch."""
        self._trouble: StateError | None = None
        self._sections: set[str] = set()
        """The sections that were in the directory."""
        self.loaded = self._load(passes)
        """The number of pieces that were in the directory."""
        with plane.locked():
            self._start()
            self._saving.add(section.name for section in plane.sections if section.name not in self._sections)
            if not batches:
                self._saving.now = self._save_now
        self._thread = threading.Thread(target=_run, args=(weakref.ref(self), self._wake), daemon=True)
        self._thread.name = "flyteapps-saver"
        self._thread.start()
        register_inherited(self)

    @property
    def trouble(self) -> str:
        """Why nothing can be saved now; "" where all is well."""
        return str(self._trouble or "")

    def close(self) -> None:
        """Write what is left, and leave the directory to others."""
        with self._turn:
            closed, self._closing = self._closing, True
        if closed:
            return
        self._wake.set()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_SECONDS)
        with self._plane.locked():
            if not self._thread.is_alive():
                if self._saving.is_due:
                    self._save_now()
                elif self._trouble is None:
                    self._save_time()
            self._saving.stop(RpcError(Code.UNAVAILABLE, CLOSED))
        self._directory.close()

    def forked(self) -> None:
        """Save nothing in a forked child: the directory is the parent's."""
        self._closing = True
        self._turn = threading.Lock()
        self._saving.forked()

    def _start(self) -> None:
        """Save the changes from now on, with those that follow from what was in the directory."""
        if not self._saving.on:
            self._saving.start(self._wake.set)

    def _load(self, passes: bool) -> int:
        then = PlaneTime()
        found: list[tuple[str, bytes, bytes]] = []
        for section, key, value in self._directory.entries():
            if section == TIME:
                then.MergeFromString(value)
            else:
                found.append((section, key, value))
                self._sections.add(section)
        if not then.wall:
            return 0
        try:
            return self._plane.take_pieces(found, then, passes=passes, placed=self._start)
        except WrongState as error:
            raise Corrupt(self._directory.path, str(error)) from None

    # ---- batches

    def turn(self) -> bool:
        """Write the changes that have come together; return whether there will be more."""
        if self._trouble is not None:
            self._try_again()
        else:
            self._save()
        return not self._closing

    @property
    def pause(self) -> float | None:
        """The real seconds until the next turn, if nothing comes; None for ever."""
        return RETRY_SECONDS if self._trouble is not None else None

    def _save(self) -> None:
        if self._several and not self._closing:
            time.sleep(GATHER_SECONDS)
        with self._plane.locked():
            self._wake.clear()
            self._several = self._saving.waiting > 1
            if not self._saving.is_due:
                return
            if self._saving.now is not None:  # two batches at a time might be written in the wrong order
                self._save_now()
                return
            batch = self._cut()
        if batch is not None:
            self._write(batch)

    def _save_now(self) -> None:
        """Write the changes of one operation; the plane's lock is held."""
        batch = self._cut()
        if batch is not None:
            self._write(batch)

    def _cut(self) -> Batch | None:
        """Return the changes that have come together, None where no batch can be made of them."""
        try:
            return self._saving.cut()
        except Exception as error:
            self._broken(error)
            return None

    def _write(self, batch: Batch) -> None:
        try:
            with self._turn:
                self._directory.write(self._encoded(batch), self._position + 1)
                self._position += 1
        except StateError as error:
            self._failed(error)
        except Exception as error:
            self._broken(error)
        else:
            with self._plane.locked():
                self._saving.saved(batch.number)

    def _encoded(self, batch: Batch) -> Iterable[Change]:
        sections = self._plane.sections
        for entry, image in batch.images.items():
            section = sections[entry.section]
            value = section.encode(entry.key, image).SerializeToString() if image is not None else None
            yield entry.section, section.stored_key(entry.key), value
        yield TIME, b"", batch.time.SerializeToString()

    def _broken(self, error: Exception) -> None:
        """Let a batch fail by an error that no disk has: what it changed is undone, and the thread goes on."""
        _logger.exception("the state of the plane can't be saved")
        self._failed(StateError(f"{self._directory.path}: {error!r}"))

    def _failed(self, error: StateError) -> None:
        _logger.error("the state can't be saved, changes are refused: %s", error)
        with self._plane.locked():
            self._trouble = error
            self._saving.failed(_refusal(error))
        self._wake.set()

    def _save_time(self) -> StateError | None:
        """Write the plane's time alone; return why it can't be."""
        try:
            with self._plane.locked():
                now = self._plane.time()
            with self._turn:
                self._directory.write([(TIME, b"", now.SerializeToString())], self._position + 1)
                self._position += 1
        except StateError as error:
            return error
        except Exception as error:  # the thread goes on
            return StateError(f"{self._directory.path}: {error!r}")
        return None

    def _try_again(self) -> None:
        self._wake.clear()
        if (trouble := self._save_time()) is not None:
            self._trouble = trouble
            return
        _logger.warning("the state can be saved again")
        with self._plane.locked():
            self._trouble = None
            self._saving.recovered()


def _run(reference: weakref.ref[Saver], wake: threading.Event) -> None:
    """Write batches until the saver is closed, or nothing refers to it any more."""
    pause: float | None = None
    while True:
        wake.wait(pause)
        saver = reference()
        if saver is None or not saver.turn():
            return
        pause = saver.pause
        del saver


def _refusal(error: StateError) -> RpcError:
    """Return the error of calls that would change something."""
    is_full = not isinstance(error, ReadOnly | DirectoryLost)
    code = Code.RESOURCE_EXHAUSTED if is_full else Code.FAILED_PRECONDITION
    return RpcError(code, f"the change can't be saved, and wasn't made: {error}")


def open_saver(
    plane: KeptPlane, path: str, dialect: str, sync: Literal["always", "group", "never"], *, passes: bool
) -> Saver:
    """Let a plane, which is new, take the state of a directory, and save its changes there. Raises StateError."""
    directory = StateDirectory.open(path, dialect=dialect, sync=sync)
    try:
        return Saver(plane, directory, passes=passes, batches=sync != "always")
    except BaseException:
        directory.close()
        raise
