"""The org of a request to a platform service: an empty one means the plane's, as in requests to AppService."""

from __future__ import annotations

from google.protobuf.message import Message

MAX_DEPTH = 3
"""The depth of the deepest identifier in a request: task_id, action_id.run, artifact_id.name."""
_FIELDS = {
    "flyteidl2.task.TaskIdentifier": "org",
    "flyteidl2.task.TaskName": "org",
    "flyteidl2.common.RunIdentifier": "org",
    "flyteidl2.artifact.ArtifactName": "org",
    "flyteidl2.common.ProjectIdentifier": "organization",
}


def fill_org(message: Message, org: str, depth: int = MAX_DEPTH) -> None:
    """Replace each empty org in the identifiers of a request by `org`."""
    field = _FIELDS.get(message.DESCRIPTOR.full_name)
    if field is not None:
        if not getattr(message, field):
            setattr(message, field, org)
        return
    if not depth:
        return
    for descriptor, value in message.ListFields():
        if not descriptor.is_repeated and descriptor.message_type is not None:
            fill_org(value, org, depth - 1)
