"""Scalars of JSON as Go's protojson reads them: numbers, bytes, times and durations; None for what isn't one."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from datetime import UTC, datetime, timedelta

MAX_DURATION_SECONDS = 315_576_000_000
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The range of timestamps: the years from 1 to 9999."""
_PARTS = re.compile(r"(-?)(?:0|([1-9][0-9]*))(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]*))?", re.ASCII)
_NUMBER = re.compile(r"[ \n\r\t]*-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?[ \n\r\t]*", re.ASCII)
_MAX_DIGITS = 20
"""Digits of the greatest number of 64 bits."""
_DURATION = re.compile(r"([-+]?)(?:0|([1-9][0-9]*))?(\.[0-9]{0,9})?s", re.ASCII)
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOS_DIGITS = 9
_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def number_in(text: str) -> str | None:
    """Return the number that a string holds, and nothing else."""
    return text if text == text.strip() and _NUMBER.fullmatch(text) else None


def whole(text: str, bits: int, *, signed: bool) -> int | None:
    """Return a number that is whole and has so many bits; an exponent, or zeros after the point, don't matter."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return None
    minus, digits, fraction, exponent = parts.group(1), parts.group(2) or "", parts.group(3) or "", parts.group(4) or ""
    fraction = fraction.rstrip("0")
    if not digits and not fraction:
        return 0
    shift = _exponent(exponent)
    if shift is None or len(fraction) > max(shift, 0) or shift > _MAX_DIGITS:
        return None
    if shift < 0:
        index = len(digits) + shift
        if index <= 0 or digits[index:].strip("0"):
            return None
        digits = digits[:index]
    else:
        digits += fraction + "0" * (shift - len(fraction))
    if len(digits) > _MAX_DIGITS:
        return None
    value = int(minus + digits)
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    return value if least <= value < most and not (minus and not signed) else None


def _exponent(text: str) -> int | None:
    if not text:
        return 0
    if not text.strip("+-") or len(text.lstrip("+-0")) > 10:
        return None
    value = int(text)
    return value if -(2**31) <= value < 2**31 else None


def floating(text: str, bits: int) -> float | None:
    """Return a number of 32 or 64 bits, None where it is too large."""
    try:
        value = float(text)
        if bits == 32:
            value = struct.unpack("f", struct.pack("f", value))[0]
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def named_float(text: str) -> float | None:
    """Return the number that has a name in JSON."""
    return _FLOATS.get(text)


def octets(text: str) -> bytes | None:
    """Return bytes in base64, of either alphabet, with padding or without."""
    url = "-" in text or "_" in text
    if url and ("+" in text or "/" in text):
        return None
    kept = text.replace("\r", "").replace("\n", "")
    padded = len(text.encode()) % 4 == 0
    if not padded:
        if "=" in kept:
            return None
        kept += "=" * (-len(kept) % 4)
    try:
        return base64.b64decode(kept, b"-_" if url else b"+/", validate=True)
    except (binascii.Error, ValueError):
        return None


def duration(text: str) -> tuple[int, int] | None:
    """Return seconds and nanoseconds, also out of range."""
    found = _DURATION.fullmatch(text)
    if found is None or not (text[:-1].strip("+-") or found.group(3)) or len(text) < 2:
        return None
    sign = -1 if found.group(1) == "-" else 1
    if len(found.group(2) or "") > _MAX_DIGITS:
        return None
    seconds = int(found.group(2) or "0")
    if seconds >= 2**63:
        return None
    return sign * seconds, sign * int((found.group(3) or ".")[1:].ljust(_NANOS_DIGITS, "0"))


def timestamp(text: str) -> tuple[int, int] | None:
    """Return seconds since 1970, also out of range, and nanoseconds."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    *numbers, fraction, sign, hours, minutes = found.groups()
    if "." in text and len(fraction or "") > _NANOS_DIGITS:
        return None
    if sign and (int(hours) > 24 or int(minutes) >= 60):
        return None
    year, *others = map(int, numbers)
    try:
        # Years repeat after 400; that keeps those that aren't valid here, 0 and 9999 with an offset, in range.
        local = datetime(year % 400 + 2000, *others, tzinfo=UTC)  # pyright: ignore[reportArgumentType]
    except ValueError:
        return None
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    days_of_400_years = 146_097
    turns = (year - (year % 400 + 2000)) // 400
    seconds = round((local - _EPOCH - offset).total_seconds()) + turns * days_of_400_years * 86_400
    return seconds, int((fraction or "")[:_NANOS_DIGITS].ljust(_NANOS_DIGITS, "0"))
