"""A command with its options in groups, each a section of --help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import click


class Group(NamedTuple):
    """Options that belong together."""

    title: str
    options: tuple[click.Option, ...]


class GroupedCommand(click.Command):
    """A command whose --help shows its options in groups. `arguments`: its positional ones."""

    def __init__(
        self, *, groups: Sequence[Group], arguments: Sequence[click.Argument] = (), **settings: object
    ) -> None:
        params: list[click.Parameter] = [*arguments, *(each for group in groups for each in group.options)]
        super().__init__(params=params, **settings)  # type: ignore[arg-type]  # click's own settings
        self._groups = groups

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Raises UsageError; for an unknown option with those that resemble it, nearest first."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as unknown:
            if not unknown.possibilities:
                raise
            from difflib import get_close_matches

            known = [name for each in self.get_params(ctx) for name in each.opts]
            near = get_close_matches(unknown.option_name, known)
            message = f"No such option {unknown.option_name!r}. Did you mean {' or '.join(near)}?"
            raise click.UsageError(message, ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each group, and one for --help."""
        listed = {each for group in self._groups for each in group.options}
        others = tuple(each for each in self.get_params(ctx) if isinstance(each, click.Option) and each not in listed)
        for title, options in [*self._groups, ("Other", others)]:
            rows = [row for each in options if (row := each.get_help_record(ctx)) is not None]
            with formatter.section(title):
                formatter.write_dl(rows)
