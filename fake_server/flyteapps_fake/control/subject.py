"""A call as selectors see it."""

from __future__ import annotations

from typing import Any

from flyteidl2.app.app_definition_pb2 import Identifier
from flyteidl2.common.identifier_pb2 import ProjectIdentifier

from flyteapps_control.selection import NO_APP, AppName, Subject
from flyteapps_fake.core.call import Call


def app_named_by(call: Call[Any]) -> AppName:
    """Return the app that the request names, or the project alone for a List or Watch of one."""
    place = call.operation.org(call.request)
    if place is None:
        return NO_APP
    holder: Any = place[0]
    if isinstance(holder, Identifier):
        return AppName(holder.project, holder.domain, holder.name)
    if isinstance(holder, ProjectIdentifier):
        return AppName(holder.name, holder.domain)
    return NO_APP


def subject_of(call: Call[Any]) -> Subject:
    """Return the call as selectors see it."""
    return Subject(call.operation.rpc, app_named_by(call), call.caller or "", call.metadata)
