"""The rules of specs: the errors of the service that the backend builds, the API server's and Knative's.

Knative's rules are the tables of `specs`; the API server knows the service by the schema of Knative's resource
definition, which bounds little else than lists that have a key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from flyteidl2.app.app_definition_pb2 import App

from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError
from flyteapps_fake.flyte_oss.kubernetes.specs.pods import errors_of_pod
from flyteapps_fake.flyte_oss.kubernetes.specs.rule import below
from flyteapps_fake.flyte_oss.kubernetes.specs.scaling import errors_of_scaling
from flyteapps_fake.flyte_oss.kubernetes.specs.shapes import Json
from flyteapps_fake.flyte_oss.kubernetes.specs.template import template_of

_TEMPLATE, _POD = "spec.template", "spec.template.spec"
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""The characters that Go's JSON escapes, too."""


def violations(app: App) -> list[FieldError]:
    """Return Knative's errors of an app's service, its name aside; none for one that Knative takes."""
    template = template_of(app)
    return [*below(_TEMPLATE, errors_of_scaling(template)), *below(_POD, errors_of_pod(template.pod))]


def schema_errors(app: App) -> list[str]:
    """Return the API server's errors of the spec of an app's service; none for one that is as the schema says."""
    pod = template_of(app).pod
    containers: list[Json] | None = pod.get("containers")
    errors: list[str] = []
    if containers is None:
        where = f"{_POD}.containers"
        errors.append(f'{where}: Invalid value: "null": {where} in body must be of type array: "null"')
    for index, container in enumerate(containers or ()):
        where = f"{_POD}.containers[{index}]"
        errors += _duplicates(f"{where}.env", "name", container.get("env", ()))
        errors += _duplicates(f"{where}.volumeMounts", "mountPath", container.get("volumeMounts", ()))
    errors += _duplicates(f"{_POD}.imagePullSecrets", "name", pod.get("imagePullSecrets", ()))
    errors += _duplicates(f"{_POD}.volumes", "name", pod.get("volumes", ()))
    return errors


def _duplicates(path: str, key: str, items: Iterable[Json]) -> Iterator[str]:
    """Yield an error for the second item of each key."""
    counts: dict[str, int] = {}
    for index, item in enumerate(items):
        value = item.get(key, "")
        counts[value] = counts.get(value, 0) + 1
        if counts[value] == 2:
            text = json.dumps({key: value}, ensure_ascii=False, separators=(",", ":"))
            yield f"{path}[{index}]: Duplicate value: {text.translate(str.maketrans(_ESCAPED))}"
