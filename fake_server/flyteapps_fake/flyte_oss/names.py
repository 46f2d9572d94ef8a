"""The names that the backend derives from an app's id: the resource name, and the host below the base domain.

Ids that differ only in case, or in the position of hyphens, have one name: they are one app.
"""

from __future__ import annotations

import hashlib

from flyteidl2.app.app_definition_pb2 import Identifier, Ingress

from flyteapps_fake.core.settings import Settings

MAX_LABEL_LENGTH = 63
"""Characters of a DNS label."""
_SUFFIX_BYTES = 4


def resource_name(app_id: Identifier) -> str:
    """Return the app's resource name in lower case; a long one is cut and ends in a hash of the id as it was sent."""
    whole = f"{app_id.name}-{app_id.project}-{app_id.domain}".lower()
    if len(whole) <= MAX_LABEL_LENGTH:
        return whole
    digest = hashlib.sha256(f"{app_id.project}/{app_id.domain}/{app_id.name}".encode()).digest()
    return f"{whole[: MAX_LABEL_LENGTH - 1 - 2 * _SUFFIX_BYTES]}-{digest[:_SUFFIX_BYTES].hex()}"


def ingress_of(settings: Settings, resource: str) -> Ingress | None:
    """Return the public URL of a resource, or None if the plane has no base domain."""
    if not settings.base_domain:
        return None
    port = f":{settings.ingress_port}" if settings.ingress_port else ""
    host = f"{resource}.{settings.base_domain}".lower()
    return Ingress(public_url=f"{settings.ingress_scheme}://{host}{port}")
