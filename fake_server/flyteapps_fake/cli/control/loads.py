"""`flyteapps control load`: the declared loads of apps."""

from __future__ import annotations

import click

from flyteapps_control.loads import text_of
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.cli.control.connection import Connection, command, option, plain
from flyteapps_fake.cli.option_groups import Group


def _load(connection: Connection, *, app: str | None, load: str | None, project: str, domain: str, clear: bool) -> None:
    loads = connection.control.loads
    if clear:
        if load is not None:
            raise click.UsageError("--clear takes no load")
        removed = loads.clear(app=app or "", project=project, domain=domain)
        text = "\n".join(f"cleared {_shown(each)}" for each in removed) or "no load is declared for that"
        connection.show(plain(pb.ClearLoadsResponse(loads=removed)), text)
    elif load is not None:
        apps = loads.set(load, app=app or "", project=project, domain=domain)
        connection.show({"apps": apps}, f"{apps} app(s) have it")
    elif app is not None:
        raise click.UsageError("a load is missing after the app, such as 50rps, or --clear")
    else:
        found = loads.list()
        text = "\n".join(map(_shown, found)) or "no load is declared"
        connection.show(plain(pb.ListLoadsResponse(loads=found)), text)


def _shown(load: pb.Load) -> str:
    where = [f"{name}={value}" for name in ("project", "domain") if (value := getattr(load.app, name))]
    return " ".join([load.app.name or "*", text_of(load), *where])


load = command(
    "load",
    _load,
    "Declare the LOAD of an app, or of all whose name matches the glob APP: 50rps (requests a second), 20concurrent, "
    "or 0. The simulated cluster scales them to it. Without arguments, list the declared loads.",
    "load hello 50rps",
    arguments=(click.Argument(["app"], required=False), click.Argument(["load"], required=False)),
    groups=(
        Group(
            "Which apps",
            (
                option(
                    ["--project"], default="", show_default=False, metavar="GLOB", help="Their project, such as demo."
                ),
                option(
                    ["--domain"],
                    default="",
                    show_default=False,
                    metavar="GLOB",
                    help="Their domain, such as development.",
                ),
                option(["--clear"], is_flag=True, help="Remove the load of APP instead, or all without it."),
            ),
        ),
    ),
)
