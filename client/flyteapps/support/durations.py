"""Checks of a caller's seconds, made before anything is called."""

from __future__ import annotations

import math
from typing import Any, cast

from flyteapps.errors import ConfigError, Error, InvalidArgument


def limit(value: object, what: str) -> float | None:
    """Return a positive number of seconds, None for no limit (None or infinity). Raises ConfigError."""
    checked = None if value is None else _number(value, what, "a number of seconds above 0, or None for no limit", 0.0)
    return None if checked is None or checked == math.inf else checked


def positive(value: object, what: str) -> float:
    """Return a positive number of seconds, infinity included. Raises ConfigError."""
    return _number(value, what, "a number of seconds above 0", 0.0)


def patience(value: object) -> float | None:
    """Return the `timeout` of one wait or iteration: 0 or more seconds, or None. Raises InvalidArgument."""
    if value is None:
        return None
    return _number(value, "timeout", "a number of seconds, 0 or more, or None", None, InvalidArgument)


def _number(value: object, what: str, expected: str, above: float | None, kind: type[Error] = ConfigError) -> float:
    if isinstance(value, float | int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, bool | str | bytes) or not hasattr(value, "__float__"):
        hint = ": pass its total_seconds()" if hasattr(value, "total_seconds") else ""
        raise kind(f"{what}={value!r} should be {expected}, and is a {type(value).__name__}{hint}")
    else:
        number = cast("Any", value)  # such as a Decimal
    try:
        seconds = float(number)
    except OverflowError:  # an int beyond all floats
        seconds = math.inf if number > 0 else -math.inf
    if not (seconds >= 0 if above is None else seconds > above):  # nan is neither
        raise kind(f"{what}={value!r} should be {expected}")
    return seconds
