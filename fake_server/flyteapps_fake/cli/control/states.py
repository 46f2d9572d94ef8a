"""`flyteapps control reset|snapshot|restore|export|import`: the plane's state as a whole."""

from __future__ import annotations

import sys

import click

from flyteapps_control.states import exported, load_from
from flyteapps_fake.cli.control.connection import Connection, app_options, command, option
from flyteapps_fake.cli.option_groups import Group

STANDARD = "-"


def _reset(connection: Connection, *, app: str, project: str, domain: str, seed: int | None) -> None:
    removed = connection.control.reset(app=app, project=project, domain=domain, seed=seed)
    connection.show({"removed": removed}, f"{removed} app(s) removed")


def _snapshot(connection: Connection, *, name: str | None, drop: str | None, listed: bool) -> None:
    snapshots = connection.control.snapshots
    if sum((name is not None, drop is not None, listed)) != 1:
        raise click.UsageError("give a NAME to take a snapshot, or --list, or --drop NAME")
    if name is not None:
        snapshots.take(name)
        connection.show({"name": name}, f"snapshot {name} taken")
    elif drop is not None:
        snapshots.drop(drop)
        connection.show({"names": [drop]}, f"snapshot {drop} dropped")
    else:
        names = snapshots.list()
        connection.show({"names": names}, "\n".join(names) or "there is no snapshot")


def _restore(connection: Connection, *, name: str) -> None:
    apps = connection.control.restore(name)
    connection.show({"apps": apps}, f"{apps} app(s), as in the snapshot {name}")


def _export(connection: Connection, *, file: str) -> None:
    if file == STANDARD:
        for part in exported(connection.api):
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return
    try:
        connection.control.export(file)
    except OSError as error:
        raise click.ClickException(f"{file}: can't be written: {error.strerror}") from None
    connection.show({"file": file}, f"the state is in {file}")


def _import(connection: Connection, *, file: str) -> None:
    if file == STANDARD:
        apps = load_from(connection.api, sys.stdin.buffer, "standard input")
    else:
        apps = connection.control.load(file)
    connection.show({"apps": apps}, f"{apps} app(s) loaded")


COMMANDS = (
    command(
        "reset",
        _reset,
        "Make the plane as new, or only the apps of a project; or remove single apps, with an event to their watchers. "
        "Without a selection rules, loads, recorded calls, added scenarios and uses are gone, too.",
        "reset --project demo",
        groups=(
            Group("Which apps (all, and the rest, without any)", app_options("Apps: a glob on names")),
            Group("Random draws", (option(["--seed"], type=int, help="Seed from now on, such as 7; for all apps."),)),
        ),
    ),
    command(
        "snapshot",
        _snapshot,
        "Keep the plane's state under NAME, for `restore`.",
        "snapshot base",
        arguments=(click.Argument(["name"], required=False),),
        groups=(
            Group(
                "Other snapshots",
                (
                    option(["--list", "listed"], is_flag=True, help="List the snapshots instead."),
                    option(["--drop"], metavar="NAME", help="Forget a snapshot instead, such as base."),
                ),
            ),
        ),
    ),
    command(
        "restore",
        _restore,
        "Make the plane's state what it was at the snapshot NAME. Open streams end with UNAVAILABLE.",
        "restore base",
        arguments=(click.Argument(["name"]),),
    ),
    command(
        "export",
        _export,
        "Write the plane's state to FILE as JSON, - for standard output.",
        "export state.json",
        arguments=(click.Argument(["file"]),),
    ),
    command(
        "import",
        _import,
        "Load FILE: a state that `export` wrote, which replaces the plane's, or apps in YAML, which are created; - for "
        "standard input.",
        "import apps.yaml",
        arguments=(click.Argument(["file"]),),
    ),
)
"""The commands, in the order of --help."""
