"""Quantities as Kubernetes parses them, which is more than it documents: a sign, a point or a suffix alone is zero."""

from __future__ import annotations

import re

FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
NUMERIC = "unable to parse numeric part of quantity"
SUFFIX = "unable to parse quantity's suffix"
"""The errors of Kubernetes."""

_PARTS = re.compile(r"[+-]?+(0*+)([0-9]*+)(?:\.([0-9]*+))?+([eEinumkKMGTP]*+[+-]?+[0-9]*+)", re.ASCII)
"""Zeros, digits, digits after the point, and the suffix; it never backtracks."""
_ZEROS = re.compile(r"[+-]?0*", re.ASCII)
_NEGATIVE = re.compile(r"-[0.]*[1-9]", re.ASCII)
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)", re.ASCII)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_INT64_DIGITS = 18
"""Decimal digits of any int64."""
_LEAST_SCALE = -9
"""Digits after the point of the least quantity, a billionth."""


def quantity_error(text: str) -> str:
    """Return the error of Kubernetes' parser for that text, "" for a quantity."""
    if not text:
        return FORMAT
    if _ZEROS.fullmatch(text):
        return ""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return FORMAT
    zeros, digits, after, suffix = parts.groups()
    fraction = after or ""
    precision, scale = _INT64_DIGITS - len(digits or "0") - len(fraction), 0
    if suffix in _DECIMAL:
        scale = _DECIMAL[suffix]
    elif suffix in _BINARY:
        exponent = _BINARY[suffix]
        precision = -1 if fraction else 15 - len(digits or "0") - exponent * 3 // 10 - 1
    elif (exponential := _EXPONENT.fullmatch(suffix)) is not None:
        number = _int64(exponential.group(1))
        if number is None:
            return SUFFIX
        scale = _int32(number)
    else:
        return SUFFIX
    if precision >= 0 and _int32(scale - len(fraction)) >= _LEAST_SCALE:
        return ""
    return "" if zeros or digits or fraction else NUMERIC


def is_runnable(text: str) -> bool:
    """Return whether a text is a quantity that a cluster can provide: one that isn't below zero."""
    text = text.strip()
    return not quantity_error(text) and _NEGATIVE.match(text) is None


def _int64(text: str) -> int | None:
    """Return the number as Go's ParseInt reads it, None where it has more than 64 bits."""
    if len(text) > 4096 or not -(2**63) <= int(text) < 2**63:  # leading zeros aside, 20 characters are enough
        return None
    return int(text)


def _int32(number: int) -> int:
    """Return what a conversion to 32 bits leaves of a number."""
    return (number + 2**31) % 2**32 - 2**31
