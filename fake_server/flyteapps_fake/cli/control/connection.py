"""The options that every command of `flyteapps control` has, and the way to its server and to its output."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from flyteapps_control.face import Control
from flyteapps_control.remote import TIMEOUT_SECONDS, RemoteApi
from flyteapps_fake.cli.option_groups import Group, GroupedCommand
from flyteapps_fake.core.validation import printable
from flyteapps_fake.servers.config import DEFAULT_PORT

DEFAULT_ENDPOINT = f"http://localhost:{DEFAULT_PORT}"
option = partial(click.Option, show_default=True)


def _server() -> Group:
    """Return the options about the server. Each command has its own, as click's objects belong to one."""
    return Group(
        "Server and output",
        (
            option(
                ["--endpoint"],
                default=DEFAULT_ENDPOINT,
                envvar="FLYTEAPPS_ENDPOINT",
                metavar="URL",
                help="Address of the server, such as localhost:9000; without http:// it is https, and http on this "
                "machine; also by the variable FLYTEAPPS_ENDPOINT.",
            ),
            option(["--ca-cert"], metavar="PEM", help="File of the authority that a server with TLS has, to trust it."),
            option(
                ["--token"],
                envvar="FLYTEAPPS_TOKEN",
                help="Access token of an admin, for a server with --auth; also by the variable FLYTEAPPS_TOKEN.",
            ),
            option(
                ["--api-key"],
                envvar="FLYTE_API_KEY",
                metavar="KEY",
                help="API key, as the server prints it, instead; also by the variable FLYTE_API_KEY.",
            ),
            option(
                ["--timeout"], type=float, default=TIMEOUT_SECONDS, help="Seconds to wait for the answer, such as 600."
            ),
            option(["--json", "as_json"], is_flag=True, help="Print JSON, for programs."),
        ),
    )


def app_options(what: str) -> tuple[click.Option, ...]:
    """Return the options that select apps. `what`: what is selected by them."""
    return (
        option(["--app"], default="", show_default=False, metavar="GLOB", help=f"{what} of apps such as 'worker-*'."),
        option(["--project"], default="", show_default=False, metavar="GLOB", help="... of projects such as demo."),
        option(["--domain"], default="", show_default=False, metavar="GLOB", help="... of domains such as production."),
    )


class Connection(NamedTuple):
    """The server's control API, raw and as objects, and the form of the output."""

    api: RemoteApi
    control: Control
    as_json: bool

    def show(self, value: Any, text: str) -> None:
        """Print the value as JSON, or the text, whose lines have no escape sequences of what clients sent."""
        click.echo(json.dumps(value, indent=2) if self.as_json else "\n".join(map(printable, text.split("\n"))))


Run = Callable[..., int | None]
"""The work of a command, by the connection and its values by name. It returns the exit status, None for 0."""


def command(
    name: str,
    run: Run,
    help_text: str,
    example: str,
    *,
    arguments: Sequence[click.Argument] = (),
    groups: Sequence[Group] = (),
) -> click.Command:
    """Return a command with the options about the server. `example`: its arguments after `flyteapps control`."""

    def callback(
        endpoint: str,
        ca_cert: str | None,
        token: str | None,
        api_key: str | None,
        timeout: float,
        as_json: bool,
        **values: Any,
    ) -> int:
        api = RemoteApi(endpoint, ca_cert, timeout, token, api_key)
        return run(Connection(api, Control(api), as_json), **values) or 0

    return GroupedCommand(
        name=name,
        callback=callback,
        help=help_text,
        epilog=f"\b\nExample:\n  flyteapps control {example}",
        arguments=arguments,
        groups=[*groups, _server()],
    )


def plain(message: Message) -> dict[str, Any]:
    """Return a message of the control API as in its JSON form over the wire."""
    return MessageToDict(message)
