"""`flyteapps control calls`: the recorded calls, and whether they are as expected."""

from __future__ import annotations

import datetime
import json
from importlib import import_module
from typing import Any, TypedDict, Unpack

import click

from flyteapps_control.call_json import plain_call
from flyteapps_control.face import CallsDiffer
from flyteapps_control.v1 import control_pb2 as pb
from flyteapps_fake.cli.control.connection import Connection, app_options, command, option
from flyteapps_fake.cli.option_groups import Group
from flyteapps_fake.cli.option_types import Pair

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


def _list(connection: Connection, *, limit: int, **selection: Unpack[Selection]) -> None:
    found = connection.control.calls.list(**_selected(selection), limit=limit)
    value = _readable(found) if connection.as_json else None
    connection.show(value, "\n".join(map(_shown, found)) or "no call is recorded that matches")


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


def _shown(call: pb.RecordedCall) -> str:
    moment = call.time.ToDatetime(datetime.UTC).strftime("%H:%M:%S.%f")[:-3]
    parts = [
        f"#{call.number}",
        moment,
        call.protocol,
        call.rpc.rpartition(".")[2],
        call.app or "-",
        call.code or "open",
    ]
    parts += [f"by {call.caller}"] if call.caller else []
    parts += [f"{call.messages} message(s)"] if call.messages else []
    parts += [f"faults {','.join(call.faults)}"] if call.faults else []
    return " ".join(parts) + (f": {' '.join(call.message.split())}" if call.message else "")


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
    )


def _rpc() -> click.Argument:
    return click.Argument(["rpc"], required=False)


calls = click.Group(
    "calls",
    help="List the recorded calls, or verify that they are as expected.",
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
        command("clear", _clear, "Forget the recorded calls.", "calls clear"),
    ],
)
