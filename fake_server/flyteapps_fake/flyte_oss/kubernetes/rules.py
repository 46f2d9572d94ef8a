"""The rules of the cluster for the services of apps: a row says who refuses which values, and in which words.

A row's `values` returns what breaks the rule: none for a service that keeps it. Its `wording` has the place `{}`, for
the value as Go quotes it. The rules of what is in a spec are in `spec_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from flyteapps_fake.flyte_oss.kubernetes.go_text import quoted

API, KNATIVE = "api", "knative"
"""The levels: the API server of Kubernetes, and Knative's validation on top of it."""


class Rule(NamedTuple):
    """A row: `values` returns those of a resource name or a Written that are refused. `paths`: of Knative's error."""

    level: str
    values: Callable[[Any], Iterable[str]]
    wording: str
    paths: tuple[str, ...] = ()

    def texts(self, subject: Any) -> Iterator[str]:
        """Yield the text about each value that is refused."""
        return (self.wording.replace("{}", quoted(value)) for value in self.values(subject))


NAMES: tuple[Rule, ...] = ()
"""Of a resource name in a URL, by the client that the backend is built with: nothing is sent."""
REQUESTS: tuple[Rule, ...] = ()
"""Of a request, before it is decoded: the first refuses it."""
OBJECTS: tuple[Rule, ...] = ()
"""Of the decoded service: all are reported together."""
WEBHOOK: tuple[Rule, ...] = ()
"""Of the service that the API server would store: all are reported together, with those of the spec."""
