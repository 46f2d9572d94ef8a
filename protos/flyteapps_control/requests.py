"""The app that a request names, by the fields that hold one. It knows names of fields, and no message."""

from __future__ import annotations

from typing import Any

from flyteapps_control.selection import NO_APP, AppName

_PLACES = (("app", "metadata", "id"), ("app_id",), ("replica_id", "app_id"))
"""The fields of requests that hold the id of an app."""


def app_named_by(request: Any) -> AppName:
    """Return the app that a request names, or the project alone for a List or Watch of one."""
    for place in _PLACES:
        if (found := _field(request, place)) is not None:
            return AppName(found.project, found.domain, found.name)
    project = _field(request, ("project",))
    if project is not None and project.DESCRIPTOR.name == "ProjectIdentifier":  # and no project that is created
        return AppName(project.name, project.domain)
    return NO_APP


def _field(message: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        field = message.DESCRIPTOR.fields_by_name.get(name)
        if field is None or field.message_type is None or field.is_repeated or not message.HasField(name):
            return None
        message = getattr(message, name)
    return message
