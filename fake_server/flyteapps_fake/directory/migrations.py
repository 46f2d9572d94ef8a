"""The formats of the database, and the steps from each to the next."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from flyteapps_fake.directory.errors import UnknownFormat
from flyteapps_fake.directory.files import DATABASE, sync_directory, sync_file, touch_private, unused_name

FORMAT = 1
"""The format that this version reads and writes. One more where an older version would misread what is written."""

MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {}
"""By format, the step to the next one, within a transaction. It leaves `about` to `migrate`, but for new rows."""


def check_format(path: Path, found: int, version: str) -> None:
    """Raise UnknownFormat for one that is newer than this version's, or that no step leads away from."""
    if found > FORMAT:
        raise UnknownFormat(
            f"{path}: has format {found} of flyteapps {version}, this version reads formats up to {FORMAT}: install "
            f"flyteapps {version} or newer, or give another directory"
        )
    if missing := [each for each in range(found, FORMAT) if each not in MIGRATIONS]:
        raise UnknownFormat(
            f"{path}: has format {found} of flyteapps {version}, and this version can't migrate format {missing[0]}: "
            "export it by the version that wrote it (`flyteapps state export`), and load that"
        )


def migrate(path: Path, connection: sqlite3.Connection, found: int) -> None:
    """Bring a database to today's format, after a copy of it beside it: all of the steps, or none."""
    if found == FORMAT:
        return
    _keep(path, connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(found, FORMAT):
            MIGRATIONS[number](connection)
        connection.execute("UPDATE about SET value = ? WHERE name = 'format'", (FORMAT,))
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _keep(path: Path, connection: sqlite3.Connection) -> None:
    """Write a whole copy of the database, which survives a power loss before the first step begins."""
    unfinished = path / f"{DATABASE}.backup.new"
    unfinished.unlink(missing_ok=True)
    touch_private(unfinished)
    copy = sqlite3.connect(unfinished)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    sync_file(unfinished)
    os.rename(unfinished, unused_name(path / f"{DATABASE}.before-format-{FORMAT}"))
    sync_directory(path)
