"""`flyteapps control tokens`: the keys and the clock of the tokens of a server with authentication."""

from __future__ import annotations

import click

from flyteapps_fake.cli.control.connection import Connection, command, option
from flyteapps_fake.cli.option_groups import Group


def _rotate(connection: Connection, *, drop: bool) -> None:
    connection.control.tokens.rotate_keys(keep=not drop)
    others = "tokens of the keys before don't count any more" if drop else "tokens of the keys before still count"
    connection.show({}, f"a new key signs; {others}")


def _skew(connection: Connection, *, ahead: str | None, behind: str | None) -> None:
    connection.control.tokens.skew(ahead=ahead or 0, behind=behind or 0)
    shown = f"{ahead} ahead" if ahead else f"{behind} behind" if behind else "that of the plane again"
    connection.show({}, f"the clock of the tokens is {shown}")


tokens = click.Group(
    "tokens",
    help="Change keys and clock of the tokens that a server with --auth issues.",
    epilog="\b\nExamples:\n  flyteapps control tokens rotate-keys --drop\n  flyteapps control tokens skew --ahead 2h",
    commands=[
        command(
            "rotate-keys",
            _rotate,
            "Sign tokens with a new key from now on.",
            "tokens rotate-keys --drop",
            groups=(
                Group(
                    "Which tokens count",
                    (option(["--drop"], is_flag=True, help="Tokens of the keys before don't count any more."),),
                ),
            ),
        ),
        command(
            "skew",
            _skew,
            "Let the clock that tokens are issued and checked by differ from the plane's; without an option, no more.",
            "tokens skew --ahead 2h",
            groups=(
                Group(
                    "By how much",
                    (
                        option(["--ahead"], metavar="DURATION", help="Ahead of the plane's clock, such as 2h."),
                        option(["--behind"], metavar="DURATION", help="Behind it."),
                    ),
                ),
            ),
        ),
    ],
)
