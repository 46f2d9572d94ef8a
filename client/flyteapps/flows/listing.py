"""Listing apps, page by page, as they are consumed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.common import identifier_pb2 as identifiers
from flyteidl2.common import list_pb2 as lists

from flyteapps.errors import ConfigError, InvalidArgument
from flyteapps.flows.calls import call
from flyteapps.methods import LIST
from flyteapps.operations import Emit, ItemFlow
from flyteapps.settings import Settings
from flyteapps.states import DeploymentStatus

PAGE = 100
"""Apps a page, as the SDK asks for."""

_PREFIX = "DEPLOYMENT_STATUS_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to list. `limit`: at most so many apps, None for all; `token`: where to go on; the rest as in listall."""

    created_by_subject: str | None = None
    sort_by: tuple[str, str] | None = None
    limit: int | None = None
    in_status: str | DeploymentStatus | Iterable[str | DeploymentStatus] | None = None
    project: str | None = None
    domain: str | None = None
    token: str = ""


def list_apps(settings: Settings, query: Query) -> ItemFlow[definition.App]:
    """Emits the apps; each with the token of the page after it, or of its own where its page isn't over."""
    if query.limit is not None and query.limit < 0:
        raise InvalidArgument(f"limit={query.limit}: 0 or more, or None for all")
    request = _request(settings, query)
    left, token = query.limit, query.token
    while left is None or left > 0:
        request.request.token = token
        request.request.limit = PAGE if left is None else min(PAGE, left)
        response = yield from call(settings, LIST, request)
        apps = list(response.apps)[:left]
        for app in apps[:-1]:
            yield Emit(app, token)
        if apps:
            yield Emit(apps[-1], response.token)
        if not response.token:
            return
        if response.token == token:
            raise InvalidArgument(f"the plane gave the token {token!r} for the page after itself: the list never ends")
        token = response.token
        left = None if left is None else left - len(apps)


def _request(settings: Settings, query: Query) -> payload.ListRequest:
    request = payload.ListRequest(
        request=lists.ListRequest(sort_by=_sort(query.sort_by), filters=list(_filters(query)))
    )
    project, domain = query.project or settings.project, query.domain or settings.domain
    if project and not domain:
        raise ConfigError(f"no domain for project {project!r}: pass domain=... to the call or to the client")
    if project:
        request.project.CopyFrom(identifiers.ProjectIdentifier(organization=settings.org, name=project, domain=domain))
    elif query.domain:
        raise ConfigError(f"no project for domain {query.domain!r}: pass project=... to the call or to the client")
    elif settings.org:
        request.org = settings.org
    return request


def _sort(sort_by: tuple[str, str] | None) -> lists.Sort:
    key, direction = sort_by or ("created_at", "asc")
    if direction not in ("asc", "desc"):
        raise InvalidArgument(f'sort_by={sort_by!r}: (KEY, "asc") or (KEY, "desc")')
    return lists.Sort(key=key, direction=lists.Sort.ASCENDING if direction == "asc" else lists.Sort.DESCENDING)


def _filters(query: Query) -> Iterable[lists.Filter]:
    if query.in_status is not None:
        given = query.in_status
        several = [given] if isinstance(given, str | DeploymentStatus) else list(given)
        names = [_status_name(each) for each in several]
        if names:
            function = lists.Filter.VALUE_IN if len(names) > 1 else lists.Filter.EQUAL
            yield lists.Filter(function=function, field="status_phase", values=names)
    if query.created_by_subject:
        yield lists.Filter(function=lists.Filter.EQUAL, field="created_by", values=[query.created_by_subject])


def _status_name(status: str | DeploymentStatus) -> str:
    """The enum name of the .proto file."""
    name = status.name if isinstance(status, DeploymentStatus) else status.upper().removeprefix(_PREFIX)
    if name not in DeploymentStatus.__members__:
        known = ", ".join(each.lower() for each in DeploymentStatus.__members__)
        raise InvalidArgument(f"in_status={status!r}: no such status. There are: {known}")
    return _PREFIX + name
