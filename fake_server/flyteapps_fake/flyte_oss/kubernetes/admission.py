"""Admission: whether the cluster takes a request of the backend, or in which words it refuses it.

A request meets what may refuse it in the order of Kubernetes: the backend's own client checks the name in the URL; the
API server the size of the request; then, of an update, the version that was read; then the metadata and the schema of
the object, and it reports all of that at once; then Knative's webhook; last, whether the name of a new one is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from flyteapps_fake.core.draws import Seed, drawn
from flyteapps_fake.core.settings import Kubernetes
from flyteapps_fake.flyte_oss.building.map_order import SLOTS
from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError, joined
from flyteapps_fake.flyte_oss.kubernetes.go_text import quoted
from flyteapps_fake.flyte_oss.kubernetes.label_rules import is_plain
from flyteapps_fake.flyte_oss.kubernetes.labels import DOMAIN, MANAGED, PROJECT, SERVICE, labels_of
from flyteapps_fake.flyte_oss.kubernetes.rules import (
    ANNOTATIONS,
    API,
    KNATIVE,
    LABELS,
    NAMES,
    OBJECTS,
    REQUESTS,
    WEBHOOK,
    Rule,
)
from flyteapps_fake.flyte_oss.kubernetes.selector import Selector
from flyteapps_fake.flyte_oss.kubernetes.spec_rules import schema_errors, violations
from flyteapps_fake.flyte_oss.kubernetes.written import Written

KIND = "Service.serving.knative.dev"
VALIDATION = "validation.webhook.serving.knative.dev"

_LEVELS: dict[Kubernetes, frozenset[str]] = {
    "none": frozenset(),
    "api": frozenset({API}),
    "knative": frozenset({API, KNATIVE}),
}


class Admission:
    """The admission of one plane's cluster, which is as strict as the setting `kubernetes` says."""

    def __init__(self, kubernetes: Kubernetes | None, seed: Seed) -> None:
        self._seed = seed
        self._levels = _LEVELS[kubernetes or "none"]

    def refusal_of_name(self, resource: str) -> str | None:
        """Return why nothing can be asked about a resource of that name, None where it can."""
        found = [text for rule in self._of(NAMES) for text in rule.texts(resource)]
        return f"invalid resource name {quoted(resource)}: [{' '.join(found)}]" if found else None

    def refusal_of_request(self, written: Written) -> str | None:
        """Return why the request to write a service isn't even decoded, None where it is."""
        return next((text for rule in self._of(REQUESTS) for text in rule.texts(written)), None)

    def refusal_of_object(self, written: Written) -> str | None:
        """Return why a service that was decoded is refused, None where it is stored."""
        found = list(dict.fromkeys(self._invalid(written)))
        if found:
            texts = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
            return f"{KIND} {quoted(written.resource)} is invalid: {texts}"
        webhook = self._of(WEBHOOK)
        errors = [FieldError(text, rule.paths) for rule in webhook for text in rule.texts(written.resource)]
        if KNATIVE in self._levels:
            errors += violations(written.app)
        if errors:
            return f'admission webhook "{VALIDATION}" denied the request: validation failed: {joined(errors)}'
        return None

    def selector_of(self, project: str, domain: str) -> Selector | None:
        """Return what selects the services of a List, None where each is a label's value, and so just selected by.

        Raises SelectorError.
        """
        if not self._levels or (is_plain(project) and is_plain(domain)):
            return None
        labels = {MANAGED: "true", DOMAIN: domain, PROJECT: project}
        return Selector(",".join(f"{key}={value}" for key, value in labels.items() if value))

    def check_pods_of(self, resource: str) -> None:
        """Check the selector of the pods of a service. Raises SelectorError."""
        if self._levels:
            Selector(f"{SERVICE}={resource}")

    def _invalid(self, written: Written) -> Iterable[str]:
        """Yield what is wrong with a service: its metadata, whose labels begin anywhere, as Go's maps do; its spec."""
        yield from (text for rule in self._of(OBJECTS) for text in rule.texts(written))
        rules = self._of(LABELS)
        labels = [[text for rule in rules for text in rule.texts(value)] for value in labels_of(written.id).values()]
        if any(labels):
            slot = drawn(self._seed, "labels", written.resource, written.now)[0] % SLOTS
            first = slot if slot < len(labels) else 0
            yield from chain.from_iterable(labels[first:] + labels[:first])
        yield from (text for rule in self._of(ANNOTATIONS) for text in rule.texts(written))
        if API in self._levels:
            yield from schema_errors(written.app)

    def _of(self, rules: Iterable[Rule]) -> list[Rule]:
        """Return those of some rules that this cluster has."""
        return [rule for rule in rules if rule.level in self._levels]
