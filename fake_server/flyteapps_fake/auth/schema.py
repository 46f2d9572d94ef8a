"""The JSON Schema of a file of users and clients, from the fields of the settings."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from flyteapps_fake.auth.settings import MAX_SECONDS, ROLES, Auth, Client, User

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT}
_ROLE = {"enum": list(ROLES)}
_SECONDS = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_SECONDS}
_URL = {"type": "string", "pattern": "^https?://"}
_KINDS: dict[str, dict[str, Any]] = {
    "role": _ROLE,
    "others": _ROLE,
    "projects": _TEXTS,
    "visible": _TEXTS,
    "redirect_uris": _TEXTS,
    "scopes": _TEXTS,
    "issuer": _URL,
    "provider": _URL,
    "users": {"type": "array", "items": {"$ref": "#/$defs/user"}},
    "clients": {"type": "array", "items": {"$ref": "#/$defs/client"}},
}


def json_schema() -> dict[str, Any]:
    """Return the schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Users and clients of flyteapps serve --auth FILE",
        **_object(Auth),
        "$defs": {"user": _object(User), "client": _object(Client)},
    }


def _object(kind: Any) -> dict[str, Any]:
    found = fields(kind)
    required = [each.name for each in found if each.default is MISSING and each.default_factory is MISSING]
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": {each.name: _kind(each.name) for each in found},
    }


def _kind(name: str) -> dict[str, Any]:
    return _KINDS.get(name, _SECONDS if name.endswith("_seconds") else _TEXT)
