"""A call as selectors see it."""

from __future__ import annotations

from typing import Any

from flyteidl2.app.app_definition_pb2 import Identifier
from flyteidl2.common.identifier_pb2 import ProjectIdentifier
from google.protobuf.message import Message

from flyteapps_control.selection import NO_APP, AppName, Subject
from flyteapps_fake.core.call import Call
from flyteapps_fake.core.operations import Operation


def app_named_by(call: Call[Any]) -> AppName:
    """Return the app that a call's request names, or the project alone for a List or Watch of one."""
    return app_named_in(call.operation, call.request)


def app_named_in(operation: Operation, request: Message) -> AppName:
    """Return the app that a request names, or the project alone for a List or Watch of one."""
    place = operation.org(request)
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
