"""Commands of sequences as rows of a table: how they are drawn, named and saved, whatever they are.

Hypothesis draws small numbers; `decode` turns those of one command into it, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from functools import cache
from typing import Any, get_type_hints


@dataclass(frozen=True, slots=True)
class Command:
    """The base of all commands, whose fields are enums, or flags."""

    def __str__(self) -> str:
        """Return the command as a report shows it, such as `stop(A)`."""
        return f"{name_of(type(self))}({', '.join(_shown(getattr(self, each.name)) for each in fields(self))})"


Draw = tuple[type[Command], tuple[int, ...]]
"""A command as it is drawn: its class, and for each field the place of its value among the choices."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: `weight` is how often the command is drawn beside the others.

    `needs` is the name of a field of Capabilities.
    """

    command: type[Command]
    weight: int = 1
    needs: str = ""


@dataclass(frozen=True, slots=True)
class CommandTable:
    """The commands of one dialect's sequences."""

    dialect: str
    rows: tuple[Row, ...]

    @property
    def by_name(self) -> dict[str, type[Command]]:
        """The commands by the names that reports and saved sequences show, such as "close_watch"."""
        return {name_of(row.command): row.command for row in self.rows}

    def needs_of(self, sequence: Iterable[Command]) -> list[str]:
        """Return the names of the capabilities that a sequence needs of its target."""
        kinds = {type(each) for each in sequence}
        return [row.needs for row in self.rows if row.needs and row.command in kinds]


def name_of(command: type[Command]) -> str:
    """Return the name of a command, such as "close_watch"."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in command.__name__).lstrip("_")


@cache
def choices_of(command: type[Command]) -> tuple[tuple[str, Sequence[Any]], ...]:
    """Return each field of a command with the values that it may have."""
    hints = get_type_hints(command)
    return tuple((each.name, _values(hints[each.name])) for each in fields(command))


def decode(drawn: Draw) -> Command:
    """Return the command for the places of its fields' values."""
    command, places = drawn
    return command(*(values[place] for (_, values), place in zip(choices_of(command), places, strict=True)))


def _values(kind: type[Any]) -> Sequence[Any]:
    return list(kind) if issubclass(kind, Enum) else (False, True)


def _shown(value: Enum | bool) -> str:
    return value.name if isinstance(value, Enum) else str(value).lower()
