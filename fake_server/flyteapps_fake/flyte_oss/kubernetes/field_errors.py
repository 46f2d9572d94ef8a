"""The errors of Knative's validation, and the one text that several of them are reported in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class FieldError(NamedTuple):
    """One thing that is wrong, with the paths of the fields: such as `spec.template.spec.timeoutSeconds`."""

    message: str
    paths: tuple[str, ...]
    details: str = ""

    def __str__(self) -> str:
        text = f"{self.message}: {', '.join(self.paths)}"
        return f"{text}\n{self.details}" if self.details else text


def joined(errors: Iterable[FieldError]) -> str:
    """Return the text of all errors, a line each, in order; equal ones are one line with all their paths."""
    paths: dict[tuple[str, str], set[str]] = {}
    for each in errors:
        paths.setdefault((each.message, each.details), set()).update(each.paths)
    merged = [FieldError(message, tuple(sorted(where)), details) for (message, details), where in paths.items()]
    return "\n".join(map(str, sorted(merged, key=lambda each: (each.message, each.details))))
