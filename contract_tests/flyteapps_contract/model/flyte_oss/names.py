"""The resource names of apps: ids that share one are one app."""

from __future__ import annotations

import hashlib

from flyteidl2.app import app_definition_pb2 as model

LONGEST = 63
"""Bytes of a resource name."""
KEPT = 54
"""Bytes of a longer one that are kept before the digest."""
OWN_LOWER_CASES = {"\u0130": "i"}
"""Characters whose lower case is one of its own here: a capital I with a dot."""


def resource(app_id: model.Identifier) -> str:
    """Return the resource name of an id."""
    letters = f"{app_id.name}-{app_id.project}-{app_id.domain}"
    whole = "".join(OWN_LOWER_CASES.get(each) or each.lower() for each in letters)
    if len(whole.encode()) <= LONGEST:
        return whole
    digest = hashlib.sha256(f"{app_id.project}/{app_id.domain}/{app_id.name}".encode()).hexdigest()
    return f"{whole.encode()[:KEPT].decode(errors='replace')}-{digest[:8]}"
