"""Whose plane this is: the org of a plane, and the filling of an org that a request leaves empty.

Runs before validation; it knows where each request carries an org, and nothing of apps.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest
from flyteidl2.app.app_payload_pb2 import (
    CreateRequest,
    DeleteRequest,
    GetRequest,
    LeaseRequest,
    ListRequest,
    UpdateRequest,
    UpdateStatusRequest,
    WatchRequest,
)
from google.protobuf.message import Message

from flyteapps_fake.core.errors import Code, RpcError

DEFAULT_ORG = "flyte"

MAX_ADOPTED = 255
"""Characters of an org that a plane without one adopts; it keeps it, and names it in messages and pages."""

ENDPOINTS = re.compile(r"[0-9]{1,3}|localhost")
"""What the Flyte SDK makes an org of, where only an endpoint such as 127.0.0.1:8090 is configured: its first label."""

_Place = tuple[Message, str]
"""A message of a request, and the name of its field that holds an org."""


class Organization:
    """The plane's own org: the configured one, or the first that a request names.

    Without a configured one, an org that is only a piece of the endpoint's address is the plane's own, too.
    """

    def __init__(self, configured: str | None) -> None:
        self._name = configured
        self._configured = configured is not None

    @property
    def name(self) -> str:
        return self._name or DEFAULT_ORG

    def settle(self) -> None:
        """Fixes the org, as the first stored app does."""
        self._name = self.name

    def fill(self, request: Message) -> str:
        """Replaces an empty org of the request by the plane's own; the org that the request names, "" for none."""
        place = _PLACES[type(request)](request)
        if place is None:
            return ""
        holder, attribute = place
        named: str = getattr(holder, attribute)
        if not named or (named != self._name and not self._configured and ENDPOINTS.fullmatch(named)):
            setattr(holder, attribute, self.name)
            return ""
        return named

    def adopt(self, named: str) -> None:
        """The first valid request that names an org decides it, unless that is longer than an org can be."""
        if not self._name and 0 < len(named) <= MAX_ADOPTED:
            self._name = named

    def require(self, org: str) -> None:
        """Refuses what another org would have to store."""
        if org != self.name:
            shown = org if len(org) <= MAX_ADOPTED else f"{org[:MAX_ADOPTED]}..."
            raise RpcError(
                Code.NOT_FOUND,
                f"this plane serves org {self.name!r}, not {shown!r}: configure the client for it (task.org: "
                f"{self.name} in Flyte's config.yaml, or flyte.init(org={self.name!r})), or start a plane with --org "
                f"{shown}; one without --org takes the first org that a request names",
            )


def _of_app(request: CreateRequest | UpdateRequest | UpdateStatusRequest) -> _Place | None:
    return (request.app.metadata.id, "org") if request.app.metadata.HasField("id") else None


def _of_id(request: GetRequest | DeleteRequest) -> _Place | None:
    return (request.app_id, "org") if request.HasField("app_id") else None


def _of_cluster(request: LeaseRequest) -> _Place | None:
    return (request.id, "organization") if request.HasField("id") else None


def _of_logs(request: TailLogsRequest) -> _Place | None:
    if request.HasField("app_id"):
        return request.app_id, "org"
    return (request.replica_id.app_id, "org") if request.replica_id.HasField("app_id") else None


def _of_scope(request: ListRequest | WatchRequest) -> _Place | None:
    match request.WhichOneof("filter_by" if isinstance(request, ListRequest) else "target"):
        case "cluster_id":
            return request.cluster_id, "organization"
        case "project":
            return request.project, "organization"
        case "app_id" if isinstance(request, WatchRequest):
            return request.app_id, "org"
        case "artifact":
            return None
        case _:
            return request, "org"


_PLACES: dict[type[Message], Callable[[Any], _Place | None]] = {
    CreateRequest: _of_app,
    UpdateRequest: _of_app,
    UpdateStatusRequest: _of_app,
    GetRequest: _of_id,
    DeleteRequest: _of_id,
    LeaseRequest: _of_cluster,
    TailLogsRequest: _of_logs,
    ListRequest: _of_scope,
    WatchRequest: _of_scope,
}
