"""The project that a request to a platform service names, wherever it has it."""

from __future__ import annotations

from google.protobuf.message import Message

MAX_DEPTH = 3
"""The depth of the deepest identifier in a request: action_id.run."""
_OWN_FIELDS = {
    "flyteidl2.common.ProjectIdentifier": "name",
    "flyteidl2.project.Project": "id",
    "flyteidl2.project.GetProjectRequest": "id",
}
"""The field that has the project's name, by message; "project" in others."""


def project_named_by(message: Message, depth: int = MAX_DEPTH) -> tuple[str, str]:
    """Return the project that a request names and its domain, "" for none."""
    fields = message.DESCRIPTOR.fields_by_name
    name = _OWN_FIELDS.get(message.DESCRIPTOR.full_name, "project")
    if name in fields and fields[name].type == fields[name].TYPE_STRING:
        domain = getattr(message, "domain", "")
        return getattr(message, name), domain if isinstance(domain, str) else ""
    if depth:
        for descriptor, value in message.ListFields():
            if not descriptor.is_repeated and descriptor.message_type is not None:
                found = project_named_by(value, depth - 1)
                if found[0]:
                    return found
    return "", ""
