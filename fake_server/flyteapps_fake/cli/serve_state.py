"""The directory in which `flyteapps serve` keeps its state: where it is, whether it can be used, a fresh start.

All of it is checked in the command's process, before anything is started. The process that has the plane, which may be
another one, opens the directory by itself.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from flyteapps_fake.cli.dialect_choice import name_of
from flyteapps_fake.cli.options import ServeOptions
from flyteapps_fake.cli.output import warn
from flyteapps_fake.cli.startup import InvalidFile
from flyteapps_fake.servers.run_folder import state_folder

T = TypeVar("T")

if TYPE_CHECKING:
    from flyteapps_fake.directory.lock import DirectoryLock

NONE, USER = "none", "user"
"""The values of --state that are no directories."""
IN_USE_SECONDS = 3.0
"""Real seconds in which the processes of a server that was killed end, and leave their directory."""
LOOK_SECONDS = 0.05
MAX_PORT = 65_535
APP_SECTIONS = ("standard_apps", "flyte_oss_services")
"""The sections of apps, of all dialects."""
MAX_BEFORE = 3
"""States of before a fresh start that are kept."""


class ServeState(NamedTuple):
    """The state of one server. `path`: None for memory alone. `text`: what the banner says of it.

    `fresh`: whether what is in the directory has to be moved aside first. `is_new`: whether there is no state in it.
    """

    path: Path | None = None
    text: str = ""
    fresh: bool = False
    is_new: bool = True


def state_of(options: ServeOptions) -> ServeState:
    """Return the state of a server with these options, checked; a directory is made. Raises InvalidFile."""
    if options.state in (None, NONE):
        if options.state is None and (given := _without_effect(options)):
            raise InvalidFile(f"{given} is for a server that keeps its state: add --state DIR")
        keep = "" if options.state == NONE else ": --state DIR keeps it"
        return ServeState(text=f"in memory{_begun(options)}{keep}")
    if options.state == USER:
        return _of_user(options)
    assert options.state is not None
    if not options.state:
        raise InvalidFile("--state names no directory: give one, or leave it out")
    return _checked(Path(options.state).expanduser().absolute(), options)


def _without_effect(options: ServeOptions) -> str:
    """Return the option that has no effect in memory, "" for none."""
    if options.fresh:
        return "--fresh"
    if options.state_sync != "group":
        return f"--state-sync {options.state_sync}"
    return "" if options.time_between == "passes" else f"--time-between {options.time_between}"


def _begun(options: ServeOptions) -> str:
    """Return the words for the file that a new state begins with."""
    return "" if options.seed_file is None else f", begun with {options.seed_file.name}"


def _of_user(options: ServeOptions) -> ServeState:
    """Return the state in the user's own directory; in memory, with a warning, where that can't be made."""
    if not options.port:
        return ServeState(text="in memory, as --port 0 is another port each time: --state DIR keeps it")
    name = name_of(options.dialect)
    dialect = "" if name == "standard" else f"-{name}"
    try:
        path = state_folder().absolute() / f"serve-{options.port}{dialect}"
        from flyteapps_fake.directory.files import make_directory

        make_directory(path)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(None, "Permission denied", str(path))
    except (OSError, ValueError) as error:
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        warn(f"the state is kept in memory: {why}; --state DIR keeps it in another directory, --state none is silent")
        return ServeState(text="in memory")
    return _checked(path, options)


def _checked(path: Path, options: ServeOptions) -> ServeState:
    from flyteapps_fake.directory.errors import Corrupt, DirectoryInUse, StateError
    from flyteapps_fake.directory.state_directory import ADVICE

    try:
        if options.fresh:
            return _to_be_fresh(path, options)
        return _found(path, options)
    except DirectoryInUse as error:
        message = f"--state {error}"
        if options.state == USER:
            port = options.port % MAX_PORT + 1
            message = f"{message.removesuffix(ADVICE)}stop it, or choose another port, such as --port {port}"
        raise InvalidFile(message) from None
    except Corrupt as error:
        raise InvalidFile(f"--state {error}. --fresh starts without, and leaves it beside") from None
    except StateError as error:
        raise InvalidFile(f"--state {error}") from None


def _found(path: Path, options: ServeOptions) -> ServeState:
    from flyteapps_control.v1.state_pb2 import PlaneTime
    from flyteapps_fake.directory.state_directory import StateDirectory
    from flyteapps_fake.saving.saver import TIME

    apps, then = 0, PlaneTime()
    directory = _once_unused(
        lambda: StateDirectory.open(path, dialect=name_of(options.dialect), sync=options.state_sync)
    )
    with directory:
        for section, _, value in directory.entries():
            apps += section in APP_SECTIONS
            if section == TIME:
                then.MergeFromString(value)
    if not then.wall:
        return ServeState(path, f"{path}, which is new{_begun(options)}")
    if str(options.seed) not in ("0", then.seed):
        warn(f"--seed {options.seed} is for a new state: the one in {path} has the seed {then.seed}")
    if options.start_time is not None:
        warn(f"--start-time is for a new state: the clock goes on from the one in {path}")
    written = datetime.datetime.fromtimestamp(then.wall / 1e9).strftime("%Y-%m-%d %H:%M:%S")
    count = f"{apps:,} app{'' if apps == 1 else 's'}" if apps else "no apps"
    text = f"{path}: {count}, of {written}"
    if options.seed_file is not None:
        return ServeState(path, f"{text}, not {options.seed_file.name}: --fresh begins with that", is_new=False)
    return ServeState(path, f"{text}; --fresh starts without", is_new=False)


def _to_be_fresh(path: Path, options: ServeOptions) -> ServeState:
    """Return a state that begins anew. Raises StateError where a directory is in use, or isn't one of a state."""
    from flyteapps_fake.directory.database import has_state
    from flyteapps_fake.directory.errors import Corrupt

    try:
        found = has_state(path)
    except Corrupt:
        found = True
    except OSError as error:
        raise InvalidFile(f"--state {path}: can't be read: {error.strerror}") from None
    if found:
        _locked(path).close()
    return ServeState(path, f"{path}, which is new{_begun(options)}", fresh=found)


def begin_fresh(state: ServeState) -> ServeState:
    """Move what is in the directory aside, where that is wanted; return the state for the banner. Raises InvalidFile.

    The last few of these are kept.
    """
    path = state.path
    if path is None or not state.fresh:
        return state
    from flyteapps_fake.directory.errors import StateError
    from flyteapps_fake.directory.files import sync_directory, unused_name

    prefix = f"{path.name}.before-fresh-"
    aside = unused_name(path.with_name(prefix + datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")))
    try:
        lock = _locked(path)
        try:
            os.rename(path, aside)
            sync_directory(path.parent)
        finally:
            lock.close()
    except StateError as error:
        raise InvalidFile(f"--state {error}") from None
    except FileNotFoundError:  # another server has moved it since
        return state
    except OSError as error:
        raise InvalidFile(f"--fresh: {path} can't be moved to {aside}: {error.strerror}; move it yourself") from None
    older = sorted(each for each in path.parent.iterdir() if each.name.startswith(prefix))
    for each in older[:-MAX_BEFORE]:
        shutil.rmtree(each, ignore_errors=True)
    return state._replace(text=f"{state.text}; what was there is in {aside.name}")


def _locked(path: Path) -> DirectoryLock:
    from flyteapps_fake.directory.lock import DirectoryLock
    from flyteapps_fake.directory.state_directory import ADVICE

    return _once_unused(lambda: DirectoryLock(path, user="another server", advice=ADVICE))


def _once_unused(open_it: Callable[[], T]) -> T:
    """Return what `open_it` opens, once a server that was killed has left it. Raises as it does."""
    from flyteapps_fake.directory.errors import DirectoryInUse

    until = time.monotonic() + IN_USE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(DirectoryInUse):
            return open_it()
        time.sleep(LOOK_SECONDS)
    return open_it()
