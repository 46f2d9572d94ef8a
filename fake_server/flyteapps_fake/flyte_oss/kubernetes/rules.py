"""The rules of the cluster for the services of apps: a row says what is refused on which level, and in which words.

A row's `values` returns what breaks the rule: nothing for a service that keeps it. Its `wording` has the place `{}`,
for the value as Go quotes it. The rules for what is in a spec are those of `spec_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from flyteapps_fake.flyte_oss.kubernetes import label_rules, sizes
from flyteapps_fake.flyte_oss.kubernetes.go_text import quoted
from flyteapps_fake.flyte_oss.kubernetes.written import Written

API, KNATIVE = "api", "knative"
"""The levels: the API server of Kubernetes, and Knative's validation on top of it."""


class Rule(NamedTuple):
    """A row: `values` returns those of a name, a label or a Written that are refused. `paths`: of Knative's error."""

    level: str
    values: Callable[[Any], Iterable[str]]
    wording: str
    paths: tuple[str, ...] = ()

    def texts(self, subject: Any) -> Iterator[str]:
        """Yield the text about each value that is refused."""
        return (self.wording.replace("{}", quoted(value)) for value in self.values(subject))


def _unless(keeps: Callable[[str], bool]) -> Callable[[str], list[str]]:
    """Return a function that returns a text as a list, and nothing for one that keeps the rule."""
    return lambda text: [] if keeps(text) else [text]


def _of_new(keeps: Callable[[str], bool]) -> Callable[[Written], list[str]]:
    """Return the same for the resource name of a service that is to be created: that of another one can't change."""
    return lambda written: [written.resource] if written.new and not keeps(written.resource) else []


def _sized(fits: Callable[[Written], bool]) -> Callable[[Written], list[str]]:
    """Return the same for the size of a service, which its refusal doesn't repeat."""
    return lambda written: [] if fits(written) else [""]


NAMES: tuple[Rule, ...] = (
    Rule(API, _unless(lambda name: "/" not in name), "may not contain '/'"),
    Rule(API, _unless(lambda name: "%" not in name), "may not contain '%'"),
)
"""Of a resource name in a URL, by the client that the backend is built with: nothing is sent."""

REQUESTS: tuple[Rule, ...] = (
    Rule(
        API,
        _sized(lambda written: not sizes.is_too_large(written)),
        f"Request entity too large: limit is {sizes.MAX_REQUEST_BYTES}",
    ),
)
"""Of a request, before it is decoded: the first refuses it."""

OBJECTS: tuple[Rule, ...] = (
    Rule(API, _of_new(label_rules.is_subdomain), f"metadata.name: Invalid value: {{}}: {label_rules.NO_SUBDOMAIN}"),
)
"""Of the decoded service: all are reported together, and together with those of its labels and annotations."""

LABELS: tuple[Rule, ...] = (
    Rule(
        API,
        _unless(lambda value: not label_rules.is_too_long(value)),
        f"metadata.labels: Invalid value: {{}}: {label_rules.TOO_LONG.format(label_rules.MAX_LABEL_BYTES)}",
    ),
    Rule(
        API, _unless(label_rules.is_label_value), f"metadata.labels: Invalid value: {{}}: {label_rules.NO_LABEL_VALUE}"
    ),
)
"""Of each label's value: the app's name, its project and its domain, in an order that is drawn."""

ANNOTATIONS: tuple[Rule, ...] = (
    Rule(
        API,
        _sized(lambda written: sizes.annotation_bytes(written) <= sizes.MAX_ANNOTATION_BYTES),
        f"metadata.annotations: Too long: may not be more than {sizes.MAX_ANNOTATION_BYTES} bytes",
    ),
)

WEBHOOK: tuple[Rule, ...] = (
    Rule(
        KNATIVE,
        _unless(label_rules.is_dns_1035_label),
        f"not a DNS 1035 label: [{label_rules.NO_DNS_1035_LABEL}]",
        ("metadata.name",),
    ),
)
"""Of the resource name of what the API server would store: all are reported together, with those of the spec."""
