"""The errors of a state directory: each says what, where, and what to do."""

from __future__ import annotations

from pathlib import Path


class StateError(Exception):
    """An error of a state directory."""


class DirectoryInUse(StateError, ValueError):
    """A directory that another process has open. `pid` is that process, None where it isn't known."""

    def __init__(self, message: str, path: Path, pid: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.pid = pid


class NoState(StateError):
    """A directory without a state, where one is expected."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: there is no state in it: give the directory of a server that keeps its state")


class ForeignDirectory(StateError):
    """A directory with something else in it; nothing was written there."""


class OtherDialect(StateError):
    """A directory with the state of a plane of another dialect."""


class UnknownFormat(StateError):
    """A directory of a format that this version doesn't know."""


class Corrupt(StateError):
    """A directory whose content isn't as it was written, by more than a transaction that was cut at the end."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path}: the state is damaged: {problem}. `flyteapps state check {path}` lists all problems, "
            f"`flyteapps state repair {path}` keeps a copy and saves what is whole, and `flyteapps state export "
            f"{path}` writes that as JSON"
        )
        self.path = path
        self.problem = problem


class WriteError(StateError):
    """A write that didn't happen: nothing of it is in the directory, and later ones are tried as usual."""


class DiskFull(WriteError):
    """A write that the disk has no space for. `opening`: while a directory is opened, so that no server runs."""

    def __init__(self, path: Path, detail: str, *, opening: bool = False) -> None:
        further = ", or give another directory" if opening else "; nothing needs a restart"
        super().__init__(f"{path}: the disk is full ({detail}): free some space{further}")


class ReadOnly(WriteError):
    """A write to a directory that can only be read. `opening`: while a directory is opened."""

    def __init__(self, path: Path, detail: str, *, opening: bool = False) -> None:
        further = ", or give another directory, such as a copy" if opening else "; nothing needs a restart"
        super().__init__(f"{path}: can't be written ({detail}): make it writable{further}")


class DirectoryLost(WriteError):
    """A write to a directory that was deleted, or that can't be reached. `opening`: while a directory is opened."""

    def __init__(self, path: Path, detail: str, *, opening: bool = False) -> None:
        super().__init__(
            f"{path}: can't be made or reached ({detail}): give another directory"
            if opening
            else f"{path}: the directory is gone or can't be reached ({detail}): bring it back; if it is lost, export "
            "the state from the running server, and start another one with it"
        )
