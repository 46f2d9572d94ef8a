"""The type of the option `--dialect`: a name, or one with a version, such as `flyte-oss@2.0.43`."""

from __future__ import annotations

import click

from flyteapps_control.arguments import parse_dialect
from flyteapps_fake.dialects import VERSIONS


class DialectChoice(click.Choice):  # pyright: ignore[reportMissingTypeArgument]  # click 8.1 has none
    """A choice of the known dialects, each also with one of its versions; the value is the text as it was given."""

    def __init__(self) -> None:
        super().__init__(tuple(VERSIONS))  # pyright: ignore[reportUnknownMemberType]  # as above

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        super().convert(text.partition("@")[0], param, ctx)
        try:
            parse_dialect(text, VERSIONS)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return text


def name_of(dialect: str) -> str:
    """Return the name of a dialect without its version."""
    return parse_dialect(dialect, VERSIONS).name
