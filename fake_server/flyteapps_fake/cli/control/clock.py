"""`flyteapps control clock`: the plane's time, and what is pending in it."""

from __future__ import annotations

import datetime
import sys

import click

from flyteapps_control.clock import Why, move
from flyteapps_control.durations import nanoseconds
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.cli.control.connection import Connection, command, option, plain
from flyteapps_fake.cli.option_groups import Group

MAX_LINES = 20
"""Timers that are shown as text."""


def _show(connection: Connection) -> None:
    found = connection.api.call("GetClock", pb.GetClockRequest(), pb.GetClockResponse)
    speed = f", {found.speed:g} times as fast as real time" if found.mode == "realtime" else ""
    now = found.now.ToDatetime(datetime.UTC)
    lines = [f"{_text(now)}  {found.mode}{speed}, {found.timer_count} timer(s) pending"]
    for timer in found.timers[:MAX_LINES]:
        lines.append(f"  {_text(timer.due.ToDatetime(datetime.UTC))}  {timer.owner or '-'}: {timer.reason}")
    if found.timer_count > MAX_LINES:
        lines.append(f"  ... and {found.timer_count - MAX_LINES} more: --json has up to 1,000")
    connection.show(plain(found), "\n".join(lines))


def _why(connection: Connection, *, app: str, project: str, domain: str) -> None:
    selector = pb.AppSelector(project=project, domain=domain, name=app)
    found = connection.api.call("ExplainWaits", pb.ExplainWaitsRequest(app=selector), pb.ExplainWaitsResponse)
    connection.show(plain(found), str(Why(found)))


def _advance(connection: Connection, *, duration: str) -> None:
    request = pb.AdvanceClockRequest()
    request.duration.FromNanoseconds(nanoseconds(duration))
    _moved(connection, request)


def _next(connection: Connection) -> None:
    _moved(connection, pb.AdvanceClockRequest(next_timer=True))


def _until(connection: Connection, *, app: str, status: str, project: str, domain: str, limit: str) -> None:
    selector = pb.AppSelector(project=project, domain=domain, name=app)
    request = pb.AdvanceClockRequest(until=pb.AdvanceClockRequest.Until(app=selector, status=status))
    request.until.limit.FromNanoseconds(nanoseconds(limit))
    _moved(connection, request)


def _moved(connection: Connection, request: pb.AdvanceClockRequest) -> None:
    report = Report()
    try:
        found = move(connection.api, request, report)
    except KeyboardInterrupt:
        report.end()
        if report.last is not None:
            click.echo(f"interrupted at {report.last}: the clock stands at the last timer that fired", err=True)
        raise
    report.end()
    now = _text(found.now.ToDatetime(datetime.UTC))
    connection.show(plain(found), f"{now}  {found.fired} timer(s) fired")


def is_terminal() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr.isatty()


class Report:
    """The progress of a move, on a terminal, in a line of standard error that is written again and again."""

    def __init__(self) -> None:
        self.last: str | None = None
        """The progress so far."""
        self._shown = is_terminal()

    def __call__(self, now: datetime.datetime, fired: int) -> None:
        """Show the time that was reached, and how many timers fired."""
        self.last = f"{_text(now)}, {fired:,} timers fired"
        if self._shown:
            click.echo(f"\r{self.last}", nl=False, err=True)

    def end(self) -> None:
        """Clear the line."""
        if self._shown and self.last is not None:
            click.echo(f"\r{' ' * len(self.last)}\r", nl=False, err=True)


def _text(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


clock = click.Group(
    "clock",
    help="Show the plane's time and what is pending, or move a manual clock.",
    epilog="\b\nExample:\n  flyteapps control clock advance 2m",
    commands=[
        command("show", _show, "Show the time, the mode of the clock, and the pending timers.", "clock show"),
        command(
            "why",
            _why,
            "Show what open streams, delayed calls and apps wait for, and the timer that would end each wait. APP is a "
            "glob.",
            "clock why hello",
            arguments=(click.Argument(["app"], default=""),),
            groups=(
                Group(
                    "Which apps (all, without any)",
                    (
                        option(
                            ["--project"], default="", show_default=False, help="Project of the apps, such as demo."
                        ),
                        option(["--domain"], default="", show_default=False, help="Their domain, such as development."),
                    ),
                ),
            ),
        ),
        command(
            "advance",
            _advance,
            "Move a manual clock by DURATION, such as 2m or 1h30m, and fire what becomes due. A terminal shows the "
            "progress of a long move, and Ctrl-C ends it between two timers.",
            "clock advance 2m",
            arguments=(click.Argument(["duration"]),),
        ),
        command("next", _next, "Move a manual clock to the next timer, and fire it.", "clock next"),
        command(
            "until",
            _until,
            "Move a manual clock until the app APP has the status STATUS, such as ACTIVE.",
            "clock until hello ACTIVE",
            arguments=(click.Argument(["app"]), click.Argument(["status"])),
            groups=(
                Group(
                    "Until",
                    (
                        option(["--project"], default="", show_default=False, help="Project of the app, such as demo."),
                        option(["--domain"], default="", show_default=False, help="Its domain, such as development."),
                        option(["--limit"], default="1d", metavar="DURATION", help="Longest time to move, such as 2h."),
                    ),
                ),
            ),
        ),
    ],
)
