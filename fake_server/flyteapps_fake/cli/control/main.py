"""`flyteapps control`: the command, and its errors in one line each.

Exit statuses: 0; 1 where the server refuses or doesn't answer, and where calls are not as expected; 2 for invalid
input.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from flyteapps_control.api import ControlError
from flyteapps_fake.cli.control import states
from flyteapps_fake.cli.control.calls import calls
from flyteapps_fake.cli.control.clock import clock
from flyteapps_fake.cli.control.connection import Connection, app_options, command, option
from flyteapps_fake.cli.control.faults import faults
from flyteapps_fake.cli.control.loads import load
from flyteapps_fake.cli.control.scenarios import scenarios
from flyteapps_fake.cli.control.tokens import tokens
from flyteapps_fake.cli.control.usage import usage
from flyteapps_fake.cli.option_groups import Group
from flyteapps_fake.core.validation import printable

NAME = "flyteapps control"
REFUSED = 1
INVALID = 2
INTERRUPTED = 130
INVALID_CODES = ("INVALID_ARGUMENT", "NOT_FOUND")
"""The codes of refusals of what was typed."""


def _drop(connection: Connection, *, app: str, project: str, domain: str, code: str) -> None:
    dropped = connection.control.drop_streams(app=app, project=project, domain=domain, code=code)
    connection.show({"dropped": dropped}, f"{dropped} stream(s) ended")


control = click.Group(
    "control",
    help="Drive a running stand-in: faults, time, scenarios, load, usage, the log of calls, its state. Its server must "
    "serve the control API: `flyteapps serve` does so on this machine.",
    epilog="\b\nExamples:\n"
    "  flyteapps control faults fail Create --nth 2 --code UNAVAILABLE\n"
    "  flyteapps control clock until hello ACTIVE\n"
    "  flyteapps control load hello 50rps\n"
    "  flyteapps control calls verify Update --app hello --times 1\n"
    "  flyteapps control reset --endpoint localhost:9000",
    commands=[
        faults,
        clock,
        calls,
        scenarios,
        load,
        usage,
        tokens,
        click.Group(
            "streams",
            help="End open streams.",
            epilog="\b\nExample:\n  flyteapps control streams drop --app hello",
            commands=[
                command(
                    "drop",
                    _drop,
                    "End open streams with a code, those about some apps or all.",
                    "streams drop --app hello",
                    groups=(
                        Group(
                            "Which streams",
                            (
                                *app_options("Streams about apps: a glob on names"),
                                option(["--code"], default="UNAVAILABLE", help="Code of their end."),
                            ),
                        ),
                    ),
                )
            ],
        ),
        *states.COMMANDS,
    ],
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv`, by default the process's own; return the exit status."""
    try:
        status = control.main(args=argv, prog_name=NAME, standalone_mode=False)
    except click.UsageError as error:
        return _refuse(error)
    except click.ClickException as error:
        return _fail(error.format_message(), INVALID)
    except click.Abort:
        return INTERRUPTED
    except ControlError as error:
        return _fail(str(error), INVALID if error.code in INVALID_CODES else REFUSED)
    except OSError as error:
        return _fail(f"{error.filename}: can't be read: {error.strerror}" if error.filename else str(error), INVALID)
    except ValueError as error:
        return _fail(str(error), INVALID)
    return status if isinstance(status, int) else 0


def _refuse(error: click.UsageError) -> int:
    """Report invalid input; show the help of a group without a command."""
    path = error.ctx.command_path if error.ctx is not None else NAME
    if type(error).__name__ == "NoArgsIsHelpError":
        click.echo(error.format_message(), err=True)
        return INVALID
    return _fail(f"{error.format_message().rstrip('.')} (see {path} --help)", INVALID)


def _fail(message: str, status: int) -> int:
    click.echo(f"{NAME}: {printable(' '.join(message.split()))}", err=True)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
