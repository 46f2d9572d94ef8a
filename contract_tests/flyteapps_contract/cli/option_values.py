"""The values of options of `flyteapps verify`, from their texts."""

from __future__ import annotations

from collections.abc import Sequence

from flyteapps_contract.outcomes import CannotJudge

SHORTEST_PREFIX, LONGEST_PREFIX = 4, 12


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
