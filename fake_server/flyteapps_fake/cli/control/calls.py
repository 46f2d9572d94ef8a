"""`flyteapps control calls`: the recorded calls, and whether they are as expected."""

from __future__ import annotations

import datetime
import json
from importlib import import_module
from typing import Any, TypedDict, Unpack

import click

from flyteapps_control.calls import CallsDiffer, plain_call
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.cli.control.call_text import links, shown
from flyteapps_fake.cli.control.connection import Connection, app_options, command, option
from flyteapps_fake.cli.option_groups import Group
from flyteapps_fake.cli.option_types import Moment, Pair

DIFFERENT = 1
"""The exit status of `verify` where the calls are not as expected."""
MESSAGES = ("flyteidl2.app.app_service_pb2", "flyteidl2.app.app_logs_service_pb2")
"""The modules of the messages that calls mostly have; those of others are shown encoded."""


class Selection(TypedDict):
    """The values of the options that select calls."""

    rpc: str | None
    app: str
    project: str
    domain: str
    where: tuple[tuple[str, str], ...]
    code: str
    since: datetime.datetime | None
    until: datetime.datetime | None


def _list(connection: Connection, *, limit: int, causes: bool, **selection: Unpack[Selection]) -> None:
    found = connection.control.calls.list(**_selected(selection), limit=limit)
    value = _readable(found) if connection.as_json else None
    lines = [line for call in found for line in (shown(call), *(links(call) if causes else ()))]
    connection.show(value, "\n".join(lines) or "no call is recorded that matches")


def _as_test(connection: Connection, **selection: Unpack[Selection]) -> None:
    source = connection.control.calls.as_test(**_selected(selection))
    connection.show({"source": source}, source.rstrip("\n"))


def _verify(connection: Connection, *, times: int | None, **selection: Unpack[Selection]) -> int:
    try:
        connection.control.calls.verify(**_selected(selection), times=times)
    except CallsDiffer as differ:
        connection.show({"holds": False, "explanation": str(differ)}, str(differ))
        return DIFFERENT
    connection.show({"holds": True}, "as expected")
    return 0


def _clear(connection: Connection) -> None:
    cleared = connection.control.calls.clear()
    connection.show({"cleared": cleared}, f"{cleared} call(s) forgotten")


def _selected(selection: Selection) -> dict[str, Any]:
    """Return the keywords of Calls.list."""
    where = {path: _value(text) for path, text in selection["where"]}
    return {**selection, "rpc": selection["rpc"] or "", "where": where}


def _value(text: str) -> Any:
    """Return a number, true, false or null as such, and any other text as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, list | dict) else value


def _readable(calls: list[pb.RecordedCall]) -> list[dict[str, Any]]:
    """Return the calls as JSON."""
    for module in MESSAGES:
        import_module(module)
    return [plain_call(each) for each in calls]


def _selection() -> tuple[click.Option, ...]:
    return (
        *app_options("Calls that name an app: a glob on names"),
        option(
            ["--where"],
            multiple=True,
            metavar="PATH=VALUE",
            type=Pair("a field of the request with its value", "spec.desired_state=STOPPED"),
            help="... with this value of a field of the request, as spec.desired_state=STOPPED; repeatable.",
        ),
        option(["--code"], default="", show_default=False, help="... that ended with this code, such as OK."),
        option(
            ["--since"],
            type=Moment(),
            show_default=False,
            help="... that began at this time of the plane or later, such as 2026-01-01T00:05:00Z.",
        ),
        option(["--until"], type=Moment(), show_default=False, help="... that began at this time or earlier."),
    )


def _rpc() -> click.Argument:
    return click.Argument(["rpc"], required=False)


calls = click.Group(
    "calls",
    help="List the recorded calls, verify that they are as expected, or write a test of them.",
    epilog="\b\nExample:\n  flyteapps control calls verify Update --app hello --times 1",
    commands=[
        command(
            "list",
            _list,
            "List the recorded calls, the oldest first; those of one RPC, or of all.",
            "calls list Update --where spec.desired_state=STOPPED",
            arguments=(_rpc(),),
            groups=(
                Group(
                    "Which calls",
                    (
                        *_selection(),
                        option(
                            ["--limit"],
                            type=click.IntRange(0),
                            default=0,
                            show_default="all",
                            help="The newest so many, such as 20.",
                        ),
                        option(
                            ["--causes"],
                            is_flag=True,
                            help="... with what each led to, and the cause of each message of a stream.",
                        ),
                    ),
                ),
            ),
        ),
        command(
            "verify",
            _verify,
            "Verify that calls were made: exit status 1, and the nearest calls, where they were not.",
            "calls verify Update --app hello --times 1",
            arguments=(_rpc(),),
            groups=(
                Group(
                    "Which calls",
                    (
                        *_selection(),
                        option(
                            ["--times"],
                            type=click.IntRange(0),
                            show_default="at least one",
                            help="How many there should be, such as 1; 0 for none.",
                        ),
                    ),
                ),
            ),
        ),
        command(
            "as-test",
            _as_test,
            "Write a test in Python that repeats the recorded calls, of one RPC or all.",
            "calls as-test > test_recorded.py",
            arguments=(_rpc(),),
            groups=(Group("Which calls", _selection()),),
        ),
        command("clear", _clear, "Forget the recorded calls.", "calls clear"),
    ],
)
