"""The values of options of `flyteapps verify`, from their texts."""

from __future__ import annotations

from collections.abc import Sequence

import click

from flyteapps_contract.catalogue.dialects import VERSIONS
from flyteapps_contract.outcomes import CannotJudge
from flyteapps_control.arguments import DialectName, parse_dialect

SHORTEST_PREFIX, LONGEST_PREFIX = 4, 12


class DialectChoice(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  # click 8.1 has none
    """A choice of the known dialects, each also with one of its versions, such as `flyte-oss@2.0.43`."""

    name = "dialect"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(VERSIONS)}]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> DialectName:
        if isinstance(value, DialectName):
            return value
        try:
            return parse_dialect(value, VERSIONS)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def headers_of(pairs: Sequence[str]) -> dict[str, str]:
    """Return headers by lower-case name, from texts `name: value`. Raises CannotJudge."""
    headers: dict[str, str] = {}
    for pair in pairs:
        name, colon, value = pair.partition(":")
        if not colon or not name.strip():
            raise CannotJudge(f"--header {pair!r}: give it as 'name: value'")
        headers[name.strip().lower()] = value.strip()
    return headers


def label_of(text: str | None) -> dict[str, str]:
    """Return one label, from a text `key=value`; none for None. Raises CannotJudge."""
    if text is None:
        return {}
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise CannotJudge(f"--failing-label {text!r}: give it as key=value")
    return {key: value}


def prefix_of(text: str) -> str:
    """Return a prefix of names that was checked. Raises CannotJudge."""
    if not (SHORTEST_PREFIX <= len(text) <= LONGEST_PREFIX and text.isascii() and text.isalnum() and text.islower()):
        raise CannotJudge(
            f"prefix {text!r}: give {SHORTEST_PREFIX} to {LONGEST_PREFIX} lower-case letters and digits, "
            "with at least one letter: names are at most 30 characters long"
        )
    return text
