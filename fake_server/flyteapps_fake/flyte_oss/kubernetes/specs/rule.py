"""A rule for a part of a service, and the errors of all rules that a part breaks.

Every wording was read in the source of Knative Serving 0.50; which refusals were also seen on a cluster says each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError

Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """A row: a part of which `broken` is true has the `error`, whose paths start at that part.

    `what`: the values that it refuses. `seen`: whether the refusal was seen on a cluster.
    """

    what: str
    broken: Callable[[Subject], bool]
    error: Callable[[Subject], FieldError]
    seen: bool = False


def errors_of(rules: Iterable[Rule[Subject]], subject: Subject) -> Iterator[FieldError]:
    """Yield the errors of the rules that a part breaks."""
    return (rule.error(subject) for rule in rules if rule.broken(subject))


def below(parent: str, errors: Iterable[FieldError]) -> list[FieldError]:
    """Return the errors of a part with the paths that they have in the part above it."""
    return [error._replace(paths=tuple(_joined(parent, path) for path in error.paths)) for error in errors]


def _joined(parent: str, path: str) -> str:
    if path.startswith("["):
        return parent + path
    return f"{parent}.{path}" if path else parent
