"""The values of single fields: each is read by one function, which raises ScenarioError for what it can't be."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import TypeGuard

from flyteidl2.app.app_definition_pb2 import Status

from flyteapps_control.durations import nanoseconds
from flyteapps_fake.core.lifecycle import ACTIVE, PENDING, qualifies, short_name, substate_name, traits_of
from flyteapps_fake.core.validation import MAX_QUOTE_CHARACTERS, quoted
from flyteapps_fake.simulation.files import format as fields
from flyteapps_fake.simulation.files.format import Field
from flyteapps_fake.simulation.files.located import Scalar, ScenarioError, Value
from flyteapps_fake.simulation.scenarios import Size

_WITH_CONTAINERS = frozenset(
    (Status.INITIALIZING, Status.CRASH_LOOP, Status.OOM_KILLED, *traits_of(ACTIVE).substates)
) - {Status.SCALED_TO_ZERO}
"""The substates of an app whose containers run, or have just died."""


def nearest(name: str, known: Collection[str]) -> str:
    """Return a hint at the names that resemble one, or at all."""
    near = difflib.get_close_matches(name, sorted(known), 3, 0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known))}"


def fields_of(value: Value, known: Mapping[str, Field], what: str, hint: str = "") -> dict[str, Value]:
    """Return the fields of a mapping that may have the known ones. `what`: its name in messages."""
    if value.fields is None:
        raise value.fail(f"{what} must be a mapping with {', '.join(known)}")
    reject_unknown(value, known, what, hint)
    found = value.fields
    for name, field in known.items():
        if field.required and name not in found:
            raise value.fail(f"{what} needs `{name}`" + (f": {hint}" if hint else ""))
    return found


def reject_unknown(value: Value, known: Collection[str], what: str, hint: str = "") -> None:
    """Raise ScenarioError for a field that isn't known, with the nearest ones."""
    for name, each in (value.fields or {}).items():
        if name not in known:
            raise ScenarioError(
                each.key_place or each.place,
                f"unknown field {quoted(name)} of {what}: {hint or nearest(name, known)}",
            )


def text_of(value: Value | None, what: str) -> str:
    """Return a text, "" without a value."""
    if value is None:
        return ""
    if value.scalar is None:
        raise value.fail(f"{what} must be a text")
    if len(value.text) > fields.MAX_TEXT:
        raise value.fail(f"{what} has more than {fields.MAX_TEXT:,} characters")
    return value.text


def lines_of(value: Value | None) -> tuple[str, ...]:
    """Return the lines of a log."""
    if value is None:
        return ()
    if value.items is None:
        raise value.fail('logs must be a list of lines, such as ["Loading the model", "Killed"]')
    if len(value.items) > fields.MAX_LINES:
        raise value.fail(f"logs: one step has at most {fields.MAX_LINES} lines")
    return tuple(text_of(each, "a line of logs") for each in value.items)


def one_of(value: Value, what: str, known: Collection[str]) -> str:
    """Return one of the known names."""
    if value.text not in known:
        raise value.fail(f"{what}: {_shown(value)} is unknown; {nearest(value.text, known)}")
    return value.text


def substate_of(value: Value, state: int) -> int:
    """Return a substate that qualifies the state."""
    substate = fields.SUBSTATES[one_of(value, "substate", fields.SUBSTATES)]
    if not qualifies(state, substate):
        those = ", ".join(map(substate_name, sorted(traits_of(state).substates))) or "none"
        raise value.fail(f"substate: {value.text} does not go with {short_name(state)}, which has {those}")
    return substate


def whole_of(value: Value, what: str, least: int, most: int) -> int:
    """Return a whole number in these bounds."""
    number = value.scalar
    if not _is_whole(number):
        raise value.fail(f"{what} must be a whole number, not {_shown(value)}")
    if not least <= number <= most:
        raise value.fail(f"{what} must be from {least} to {most:,}, not {value.text[:MAX_QUOTE_CHARACTERS]}")
    return int(number)


def weight_of(value: Value | None) -> float:
    """Return a weight, 1 without a value."""
    if value is None:
        return 1.0
    number = value.scalar
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number <= fields.MAX_WEIGHT:
        raise value.fail(f"weight must be a number over 0, and at most a billion, not {_shown(value)}")
    return float(number)


def flag_of(value: Value, what: str) -> bool:
    """Return a truth value."""
    if not isinstance(value.scalar, bool):
        raise value.fail(f"{what} must be true or false, not {_shown(value)}")
    return value.scalar


def duration_of(value: Value | None, what: str) -> int:
    """Return a duration in nanoseconds, 0 without a value."""
    if value is None:
        return 0
    try:
        return nanoseconds(value.scalar)  # type: ignore[arg-type]  # which refuses what is no duration
    except ValueError as error:
        raise value.fail(f"{what}: {error}") from None


def jitter_of(value: Value, delay: int) -> int:
    """Return a jitter in nanoseconds: a duration, or a part of the delay."""
    one, slash, part = value.text.partition("/")
    if slash and one == "1" and part.isascii() and part.isdigit() and 0 < int(part) < 1_000_000:
        return delay // int(part)
    found = duration_of(value, "jitter")
    if found > delay:
        raise value.fail("jitter is more than after: the step would be before the one before it")
    return found


def size_of(value: Value | None, state: int, substate: int) -> Size | int:
    """Return a number of replicas, the usual one of the state without a value."""
    if value is None:
        usual = substate in _WITH_CONTAINERS or (state == ACTIVE and not substate)
        return Size.START if usual else Size.NONE
    if isinstance(value.scalar, int | float) and not isinstance(value.scalar, bool):
        found: Size | int = whole_of(value, "replicas", 0, fields.MAX_REPLICAS)
    elif value.text in fields.SIZES and isinstance(value.scalar, str):
        found = fields.SIZES[value.text]
    else:
        raise value.fail(f"replicas must be {', '.join(fields.SIZES)} or a number, not {_shown(value)}")
    if found not in (Size.NONE, 0) and (state == PENDING or substate == Status.SCALED_TO_ZERO):
        raise value.fail(f"replicas: an app has none while it is {substate_name(substate) if substate else 'PENDING'}")
    return Size.NONE if found == 0 else found


def _is_whole(number: Scalar) -> TypeGuard[int | float]:
    return not isinstance(number, bool) and (
        isinstance(number, int) or (isinstance(number, float) and number.is_integer())
    )


def _shown(value: Value) -> str:
    if value.is_scalar:
        return quoted(value.text)
    return "a list" if value.items is not None else "a mapping"
