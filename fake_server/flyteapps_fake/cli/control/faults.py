"""`flyteapps control faults`: rules for faults, a command an effect, and their list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import click
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from flyteapps_control import faults as rules
from flyteapps_control.durations import text_of
from flyteapps_control.v1.control_pb2 import Fault
from flyteapps_fake.cli.control.connection import Connection, app_options, command, option, plain
from flyteapps_fake.cli.option_groups import Group
from flyteapps_fake.cli.option_types import Pair

SELECTION = (
    "project",
    "domain",
    "app",
    "caller",
    "header",
    "nth",
    "first",
    "every",
    "probability",
    "times",
    "lifetime",
)
"""The options that choose calls, by their names in a callback."""


def _selection() -> Group:
    """Return the options that choose the calls which get a fault."""
    return Group(
        "Which calls (all, without any)",
        (
            *app_options("Calls that name an app: a glob on names"),
            option(["--caller"], metavar="GLOB", help="... of authenticated callers such as alice@*."),
            option(
                ["--header"],
                multiple=True,
                metavar="NAME=GLOB",
                type=Pair("a header with a glob on its value", "user-agent=connect-*"),
                help="... with such a header, as user-agent=connect-*; repeatable.",
            ),
            option(["--nth"], type=int, help="The n-th of them alone, such as 2."),
            option(["--first"], type=int, help="The first n of them, such as 3."),
            option(["--every"], type=int, help="Each n-th of them, such as 10."),
            option(["--probability"], type=float, help="Each with a probability, such as 0.1."),
            option(["--times"], type=int, help="At most so many faults, such as 5."),
            option(["--lifetime"], metavar="DURATION", help="For so long of the plane's time, such as 10m."),
        ),
    )


class Effect(NamedTuple):
    """A command that adds a rule. `make`: makes the rule of the RPC and the values of `arguments` and `options`.

    `rpc`: the one RPC that the effect is for, "" where it is an argument.
    """

    name: str
    make: Callable[..., Fault]
    help: str
    example: str
    options: tuple[click.Option, ...] = ()
    arguments: tuple[click.Argument, ...] = ()
    rpc: str = ""


def _applied() -> click.Option:
    return option(["--applied"], is_flag=True, help="Carry the call out, and lose its answer.")


def _message() -> click.Option:
    return option(["--message"], type=int, required=True, help="The number of the message, from 1, such as 2.")


def _after() -> click.Option:
    return option(["--after"], type=int, required=True, help="After so many messages, such as 3; 0 for at once.")


def _delay(rpc: str, *, duration: str | None, up_to: str | None, median: str | None, **others: Any) -> Fault:
    if (duration is None) == (median is None):
        raise ValueError("a delay needs either a DURATION, such as 2s, or --median DURATION")
    if up_to is not None and duration is None:
        raise ValueError("--up-to is the maximum of a delay whose minimum is the DURATION: give both, as 1s --up-to 3s")
    seconds = duration if duration is None or up_to is None else (duration, up_to)
    return rules.delay(rpc, seconds=seconds, median=median, **others)


def _answer(rpc: str, *, send_header: Iterable[tuple[str, str]], **others: Any) -> Fault:
    return rules.answer(rpc, headers_sent=dict(send_header), **others)


EFFECTS = (
    Effect(
        "fail",
        rules.fail,
        "Answer calls with an error; with --applied they are carried out before.",
        "faults fail Create --nth 2 --code UNAVAILABLE",
        (
            option(["--code"], required=True, help="Code of gRPC, such as UNAVAILABLE."),
            option(["--message"], default="", show_default="a text about the rule", help="Text of the error."),
            _applied(),
        ),
    ),
    Effect(
        "delay",
        _delay,
        "Delay calls: by a duration, evenly between two, or log-normally around a median.",
        "faults delay Get 2s --real",
        (
            option(["--up-to"], metavar="DURATION", help="Longest delay, the DURATION being the shortest, such as 3s."),
            option(["--median"], metavar="DURATION", help="Median of log-normal delays, such as 200ms."),
            option(["--sigma"], type=float, default=0.5, help="Deviation of the logarithm of log-normal delays."),
            option(["--real"], is_flag=True, help="Time of the wall clock, instead of the plane's."),
        ),
        (click.Argument(["duration"], required=False),),
    ),
    Effect(
        "reset",
        rules.reset,
        "Reset the connection, or the stream of HTTP/2, instead of an answer.",
        "faults reset Update --app hello --nth 1 --applied",
        (_applied(),),
    ),
    Effect(
        "answer",
        _answer,
        "Answer with a status of HTTP, as a proxy does.",
        "faults answer Get 429 --retry-after 3",
        (
            option(["--retry-after"], type=int, metavar="SECONDS", help="Value of the header Retry-After, such as 3."),
            option(["--body"], default="", show_default=False, help="Body of the answer, such as '<html>'."),
            option(
                ["--send-header"],
                multiple=True,
                metavar="NAME=VALUE",
                type=Pair("a header with its value", "content-type=text/html"),
                help="Header of the answer, such as content-type=text/html; repeatable.",
            ),
            _applied(),
        ),
        (click.Argument(["status"], type=int),),
    ),
    Effect(
        "cut",
        rules.cut,
        "End streams after some messages.",
        "faults cut Watch --after 3",
        (
            _after(),
            option(["--code"], default="UNAVAILABLE", help="Code of the end; '' for an end without an error."),
        ),
    ),
    Effect(
        "stall",
        rules.stall,
        "Let streams fall silent after some messages.",
        "faults stall Watch --after 1 --for 10m",
        (
            _after(),
            option(["--for", "seconds"], metavar="DURATION", show_default="for good", help="How long, such as 10m."),
        ),
    ),
    Effect(
        "repeat",
        rules.repeat,
        "Send one message of each stream twice.",
        "faults repeat Watch --message 2",
        (_message(),),
    ),
    Effect(
        "withhold",
        rules.withhold,
        "Leave one message of each stream out.",
        "faults withhold Watch --message 2 --app hello",
        (_message(),),
    ),
    Effect(
        "reorder",
        rules.reorder,
        "Send one message of each stream after the next one.",
        "faults reorder Watch --message 1",
        (_message(),),
    ),
    Effect(
        "stale",
        rules.stale,
        "Answer reads, which are Get, List and Watch, as of some time ago.",
        "faults stale Get 5s --app hello",
        arguments=(click.Argument(["age"]),),
    ),
    Effect(
        "steal-lease",
        rules.steal_lease,
        "Let another cluster take an app before a report on it, by UpdateStatus, which is refused then.",
        "faults steal-lease --app hello --cluster other",
        (option(["--cluster"], required=True, help="Cluster that takes the app, such as other."),),
        rpc="UpdateStatus",
    ),
)


def _adding(effect: Effect) -> click.Command:
    def run(connection: Connection, *, rpc: str = effect.rpc, **values: Any) -> None:
        chosen = {name: values.pop(name) for name in SELECTION}
        chosen["headers"] = dict(chosen.pop("header"))
        selection = {name: value for name, value in chosen.items() if value not in (None, "", {})}
        added = connection.control.faults.add(effect.make(rpc, **values, **selection))[0]
        connection.show(plain(added), described(added))

    return command(
        effect.name,
        run,
        effect.help if effect.rpc else f"{effect.help} RPC is such as {effect.example.split()[2]}, or * for all.",
        effect.example,
        arguments=effect.arguments if effect.rpc else (click.Argument(["rpc"]), *effect.arguments),
        groups=(Group("Effect", effect.options), _selection()) if effect.options else (_selection(),),
    )


def _list(connection: Connection) -> None:
    found = connection.control.faults.list()
    lines = [f"{described(each)}  (matched {each.matched}, applied {each.applied})" for each in found]
    connection.show([plain(each) for each in found], "\n".join(lines) or "no rule")


def _remove(connection: Connection, *, ids: tuple[str, ...]) -> None:
    _show_removed(connection, connection.control.faults.remove(*ids))


def _clear(connection: Connection) -> None:
    _show_removed(connection, connection.control.faults.clear())


def _show_removed(connection: Connection, removed: list[Fault]) -> None:
    lines = [f"removed {described(each)}  (applied {each.applied})" for each in removed]
    connection.show([plain(each) for each in removed], "\n".join(lines) or "no rule")


def described(fault: Fault) -> str:
    """Return a rule in one line: its id, RPC and effect, and what it has besides."""
    effect = fault.WhichOneof("effect") or "?"
    parts = [fault.id, fault.rpc, effect, *_fields(getattr(fault, effect, None))]
    hidden = {"id", "rpc", "matched", "applied", effect}
    parts += [
        text for field, value in fault.ListFields() if field.name not in hidden for text in _shown(field.name, value)
    ]
    return " ".join(parts)


def _fields(message: Any) -> list[str]:
    if not isinstance(message, Message):
        return []
    return [text for field, value in message.ListFields() for text in _shown(field.name, value)]


def _shown(name: str, value: Any) -> list[str]:
    """Return the texts NAME=VALUE of a field."""
    if isinstance(value, Duration):
        return [f"{name}={text_of(value.ToNanoseconds())}"]
    if isinstance(value, Message):
        inner = _fields(value)
        return [f"app.{each}" for each in inner] if name == "app" else inner
    if hasattr(value, "items"):
        return [f"{name}.{key}={each}" for key, each in sorted(value.items())]
    if isinstance(value, bool):
        return [name]
    return [f"{name}={value!r}" if isinstance(value, bytes) else f"{name}={value}"]


faults = click.Group(
    "faults",
    help="Add, list and remove rules for faults: which calls get which.",
    epilog="\b\nExample:\n  flyteapps control faults fail Create --nth 2 --code UNAVAILABLE",
    commands=[
        *map(_adding, EFFECTS),
        command("list", _list, "List the rules, with how often each matched and was applied.", "faults list"),
        command(
            "remove",
            _remove,
            "Remove rules by their ids.",
            "faults remove f1",
            arguments=(click.Argument(["ids"], nargs=-1, required=True),),
        ),
        command("clear", _clear, "Remove all rules.", "faults clear"),
    ],
)
