"""Sequences as JSON: what a run saves of a failing one, and what `flyteapps verify --replay` runs again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, cast

from flyteapps_contract.catalogue.guarantee import STANDARD
from flyteapps_contract.outcomes import CannotJudge
from flyteapps_contract.sequences.commands import COMMANDS
from flyteapps_contract.sequences.flyte_oss.commands import COMMANDS as OSS_COMMANDS
from flyteapps_contract.sequences.table import Command, CommandTable, choices_of, name_of

TABLES: dict[str, CommandTable] = {each.dialect: each for each in (COMMANDS, OSS_COMMANDS)}
"""The commands of the dialects of which sequences are drawn."""
FORMAT = "flyteapps-sequence"
VERSION = 1


@dataclass(frozen=True, slots=True)
class SavedSequence:
    """A sequence, with the guarantees that it showed broken and in which words; `dialect`: the one of its commands."""

    commands: tuple[Command, ...]
    guarantees: tuple[str, ...] = ()
    violation: str = ""
    dialect: str = STANDARD


def to_json(saved: SavedSequence) -> str:
    """Return the text of a file; fields are named, choices are the names of their enums' members."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "dialect": saved.dialect,
        "guarantees": list(saved.guarantees),
        "violation": saved.violation,
    }
    head = json.dumps(document, indent=2).removesuffix("\n}")
    return f'{head},\n  "commands": {_lines(saved.commands)}\n}}\n'


def from_json(text: str, where: str) -> SavedSequence:
    """Return the sequence in the text of a file. Raises CannotJudge, with `where` and what is wrong."""
    try:
        document: object = json.loads(text)
    except ValueError as error:
        raise CannotJudge(f"{where}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise CannotJudge(f"{where}: expected an object, got {type(document).__name__}")
    found = cast("dict[str, Any]", document)
    if found.get("format") != FORMAT or found.get("version") != VERSION:
        raise CannotJudge(
            f"{where}: not a saved sequence: expected format {FORMAT!r} and version {VERSION}, "
            f"got {found.get('format')!r} and {found.get('version')!r}"
        )
    dialect = found.get("dialect", STANDARD)
    if not isinstance(dialect, str) or dialect not in TABLES:
        raise CannotJudge(f"{where}: unknown dialect {json.dumps(dialect)}; use one of {', '.join(TABLES)}")
    rows = found.get("commands")
    if not isinstance(rows, list) or not rows:
        raise CannotJudge(f"{where}: `commands` must be a list of one command or more")
    guarantees = found.get("guarantees", [])
    if not isinstance(guarantees, list) or not all(isinstance(each, str) for each in cast("list[object]", guarantees)):
        raise CannotJudge(f"{where}: `guarantees` must be a list of ids")
    kinds = TABLES[dialect].by_name
    commands = tuple(
        _command(row, kinds, f"{where}: command {number}") for number, row in enumerate(cast("list[object]", rows), 1)
    )
    return SavedSequence(commands, tuple(cast("list[str]", guarantees)), str(found.get("violation", "")), dialect)


def _lines(commands: Sequence[Command]) -> str:
    return "[\n" + ",\n".join(f"    {json.dumps(_row(each))}" for each in commands) + "\n  ]"


def _row(command: Command) -> dict[str, str | bool]:
    row: dict[str, str | bool] = {"command": name_of(type(command))}
    for each in fields(command):
        value: Enum | bool = getattr(command, each.name)
        row[each.name] = value.name if isinstance(value, Enum) else value
    return row


def _command(row: object, kinds: Mapping[str, type[Command]], where: str) -> Command:
    if not isinstance(row, dict):
        raise CannotJudge(f"{where}: expected an object, got {json.dumps(row)}")
    given = dict(cast("dict[str, object]", row))
    name = given.pop("command", None)
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise CannotJudge(f"{where}: unknown command {json.dumps(name)}; use one of {', '.join(kinds)}")
    values: list[Any] = []
    for field, choices in choices_of(kind):
        if field not in given:
            raise CannotJudge(f"{where}: {name} needs the field {field!r}")
        values.append(_value(given.pop(field), choices, f"{where}: {name}: {field}"))
    if given:
        raise CannotJudge(f"{where}: {name} has no field {next(iter(given))!r}")
    return kind(*values)


def _value(given: object, choices: Sequence[Any], where: str) -> Any:
    names = {each.name if isinstance(each, Enum) else each: each for each in choices}
    if isinstance(given, str | bool) and given in names:
        return names[given]
    raise CannotJudge(f"{where}: {json.dumps(given)} is not one of {', '.join(map(json.dumps, names))}")
