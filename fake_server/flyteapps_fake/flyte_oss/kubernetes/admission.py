"""Admission: whether the cluster takes a request of the backend, or in which words it refuses it.

A request meets what may refuse it in the order of Kubernetes: the backend's own client checks the name in the URL; the
API server the size of the request; then, where the service exists, the version that was read; then the metadata and the
schema of the object, and it reports all of that at once; Knative's webhook is the last.
"""

from __future__ import annotations

from collections.abc import Iterable

from flyteapps_fake.core.settings import Kubernetes
from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError, joined
from flyteapps_fake.flyte_oss.kubernetes.go_text import quoted
from flyteapps_fake.flyte_oss.kubernetes.rules import API, KNATIVE, NAMES, OBJECTS, REQUESTS, WEBHOOK, Rule
from flyteapps_fake.flyte_oss.kubernetes.spec_rules import violations
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

    def __init__(self, kubernetes: Kubernetes | None) -> None:
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
        found = list(dict.fromkeys(text for rule in self._of(OBJECTS) for text in rule.texts(written)))
        if found:
            texts = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
            return f"{KIND} {quoted(written.resource)} is invalid: {texts}"
        errors = [FieldError(text, rule.paths) for rule in self._of(WEBHOOK) for text in rule.texts(written)]
        if KNATIVE in self._levels:
            errors += violations(written.app)
        if errors:
            return f'admission webhook "{VALIDATION}" denied the request: validation failed: {joined(errors)}'
        return None

    def _of(self, rules: Iterable[Rule]) -> Iterable[Rule]:
        """Return those of some rules that this cluster has."""
        return (rule for rule in rules if rule.level in self._levels)
