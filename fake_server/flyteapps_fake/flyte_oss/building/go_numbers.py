"""Numbers as Go writes them in JSON."""

from __future__ import annotations

from decimal import Decimal


def number_text(number: float) -> str:
    """Return the text of a finite double in JSON: plain from 1e-6 up to 1e21, else with an exponent."""
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    assert isinstance(exponent, int)
    minus = "-" if sign else ""
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return f"{minus}0"
    kept = text.rstrip("0")
    exponent += len(text) - len(kept)
    point = len(kept) + exponent
    if 1e-6 <= abs(number) < 1e21:
        if point <= 0:
            return f"{minus}0.{'0' * -point}{kept}"
        if exponent >= 0:
            return f"{minus}{kept}{'0' * exponent}"
        return f"{minus}{kept[:point]}.{kept[point:]}"
    fraction = f".{kept[1:]}" if len(kept) > 1 else ""
    return f"{minus}{kept[0]}{fraction}e{point - 1:+d}"
