"""`flyteapps control usage`: the replicas, declared loads and requests of apps over time."""

from __future__ import annotations

import click

from flyteapps_control.loads import text_of
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.cli.control.connection import Connection, command, option, plain
from flyteapps_fake.cli.option_groups import Group
from flyteapps_fake.control.waits import moment_text


def _usage(connection: Connection, *, app: str | None, project: str, domain: str) -> None:
    found = connection.control.usage(app=app or "", project=project, domain=domain)
    text = "\n".join(line for each in found for line in _lines(each)) or "there is no such app"
    connection.show(plain(pb.ListAppUsageResponse(apps=found)), text)


def _lines(usage: pb.AppUsage) -> list[str]:
    changes = [(each.time.ToNanoseconds(), f"{each.replicas} replica(s)") for each in usage.replicas]
    for load in usage.loads:
        changes.append(
            (load.time.ToNanoseconds(), f"load {text_of(load.load)}" if load.HasField("load") else "no load")
        )
    for count in usage.requests:
        seconds = count.span.ToSeconds()
        changes.append((count.time.ToNanoseconds(), f"{count.requests} request(s) in {seconds} s"))
    changes.sort(key=lambda change: change[0])
    return [usage.app, *(f"  {moment_text(time)}  {change}" for time, change in changes)]


usage = command(
    "usage",
    _usage,
    "Show how many replicas APP (a glob, all apps without it) has had, which load was declared for it, and how many "
    "requests came to its URL, over time.",
    "usage hello",
    arguments=(click.Argument(["app"], required=False),),
    groups=(
        Group(
            "Which apps",
            (
                option(["--project"], default="", show_default=False, metavar="GLOB", help="Their project."),
                option(["--domain"], default="", show_default=False, metavar="GLOB", help="Their domain."),
            ),
        ),
    ),
)
