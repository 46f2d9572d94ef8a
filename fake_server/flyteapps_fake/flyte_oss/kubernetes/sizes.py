"""Sizes of what the backend sends to the cluster for an app: the annotations of its service, and the whole request."""

from __future__ import annotations

import json

from google.protobuf.json_format import MessageToDict

from flyteapps_fake.flyte_oss.kubernetes.written import Written

MAX_ANNOTATION_BYTES = 256 * 1024
"""Bytes of the keys and values of an object's annotations."""
MAX_REQUEST_BYTES = 3 * 1024 * 1024
"""Bytes of a request that the API server decodes."""

_SPEC_HASH_CHARACTERS = 16
_FIXED_BYTES = sum(map(len, ("flyte.org/spec-sha", "flyte.org/app-id", "flyte.org/app-org", "flyte.org/spec")))
_REST_OF_A_REQUEST_BYTES = 1_000
"""About the bytes of a request without the annotations and the payload: names, labels, what the backend adds."""
_MAX_ESCAPE_BYTES = 6
"""Bytes of JSON for one byte of a text, such as the escape of `<`, at most."""


def annotation_bytes(written: Written) -> int:
    """Return the bytes of the annotations that the backend writes: the spec in base64, its hash, the id and the org."""
    path = f"{written.id.project}/{written.id.domain}/{written.id.name}"
    return _FIXED_BYTES + _SPEC_HASH_CHARACTERS + len((path + written.id.org).encode()) + _base64_bytes(written)


def is_too_large(written: Written) -> bool:
    """Return whether the request is over the limit: it has the spec in base64, and the payload once more as JSON."""
    rest = MAX_REQUEST_BYTES - annotation_bytes(written) - _REST_OF_A_REQUEST_BYTES
    if _MAX_ESCAPE_BYTES * len(written.spec) <= rest:
        return False
    return rest < 0 or _json_bytes(written) > rest


def _base64_bytes(written: Written) -> int:
    return (len(written.spec) + 2) // 3 * 4


def _json_bytes(written: Written) -> int:
    """Return the bytes of the payload as Go writes JSON: it escapes `<`, `>` and `&`, and nothing beyond ASCII."""
    spec = written.app.spec
    payload = MessageToDict(spec.pod.pod_spec if spec.HasField("pod") else spec.container)
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode(errors="replace")) + 5 * sum(map(text.count, "<>&"))
