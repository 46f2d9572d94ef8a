"""The names that the backend derives from an app's id: the resource name, and the host below the base domain.

Ids that differ only in case, or in the position of hyphens, have one name: they are one app. No rule of a name is
checked here: a cluster refuses slashes, and what isn't ASCII.
"""

from __future__ import annotations

import hashlib

from flyteidl2.app.app_definition_pb2 import Identifier, Ingress

from flyteapps_fake.core.settings import Settings

MAX_LABEL_LENGTH = 63
"""Bytes of a DNS label."""
_SUFFIX_BYTES = 4
_CAPITAL_I_WITH_DOT = "\u0130"
"""The only character whose lower case has two."""


def resource_name(app_id: Identifier) -> str:
    """Return the app's resource name in lower case; a long one is cut and ends in a hash of the id as it was sent."""
    whole = lowered(f"{app_id.name}-{app_id.project}-{app_id.domain}")
    encoded = whole.encode()
    if len(encoded) <= MAX_LABEL_LENGTH:
        return whole
    digest = hashlib.sha256(f"{app_id.project}/{app_id.domain}/{app_id.name}".encode()).digest()
    start = encoded[: MAX_LABEL_LENGTH - 1 - 2 * _SUFFIX_BYTES].decode(errors="ignore")
    return f"{start}-{digest[:_SUFFIX_BYTES].hex()}"


def lowered(text: str) -> str:
    """Return the text in lower case, each character by itself, as Go does: a capital sigma is never a final one."""
    if text.isascii():
        return text.lower()
    return "".join("i" if each == _CAPITAL_I_WITH_DOT else each.lower() for each in text)


def shown_id(project: str, domain: str, name: str) -> tuple[str, str, str]:
    """Return the id that the backend shows: it stores PROJECT/DOMAIN/NAME, and splits that at its first two slashes."""
    if "/" not in project and "/" not in domain:
        return project, domain, name
    project, domain, name = f"{project}/{domain}/{name}".split("/", 2)
    return project, domain, name


def ingress_of(settings: Settings, resource: str) -> Ingress | None:
    """Return the public URL of a resource, or None if the plane has no base domain."""
    if not settings.base_domain:
        return None
    port = f":{settings.ingress_port}" if settings.ingress_port else ""
    host = lowered(f"{resource}.{settings.base_domain}")
    return Ingress(public_url=f"{settings.ingress_scheme}://{host}{port}")
