"""Limits for names in requests whose protos set none, taken from identifiers whose protos do."""

from __future__ import annotations

from flyteidl2.task.task_definition_pb2 import TaskIdentifier

from flyteapps_fake.core.errors import Code, RpcError

MAX_SCOPE = 63
"""Characters of an org, a project or a domain: TaskIdentifier's rule."""
MAX_NAME = 255


def check_length(field: str, text: str, limit: int) -> None:
    """Reject a name of more than `limit` characters. Raises RpcError."""
    if len(text) > limit:
        raise RpcError(Code.INVALID_ARGUMENT, f"{field} has {len(text):,} characters; at most {limit} are allowed")


def check_scope(project: str, domain: str) -> None:
    """Reject a project or a domain that is longer than an identifier's. Raises RpcError."""
    check_length("project", project, MAX_SCOPE)
    check_length("domain", domain, MAX_SCOPE)


def shown(task_id: TaskIdentifier) -> str:
    """Return a task's id as messages show it."""
    return f"{task_id.name} (version {task_id.version}) of {task_id.project}/{task_id.domain}"
