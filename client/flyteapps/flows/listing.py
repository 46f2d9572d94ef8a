"""Listing apps, page by page, as they are consumed.

Where a plane ignores filters or the sort order, or can't list a whole org, the client does it, and logs a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from flyteidl2.app import app_definition_pb2 as definition
from flyteidl2.app import app_payload_pb2 as payload
from flyteidl2.common import identifier_pb2 as identifiers
from flyteidl2.common import list_pb2 as lists

from flyteapps.apps.planes import traits_of
from flyteapps.apps.states import DeploymentStatus
from flyteapps.errors import ConfigError, InvalidArgument, Unimplemented
from flyteapps.flows.calls import call
from flyteapps.flows.client_filters import ClientFilter, ordered
from flyteapps.flows.methods import LIST
from flyteapps.flows.operations import Emit, ItemFlow
from flyteapps.settings import Settings
from flyteapps.support.arguments import text
from flyteapps.support.tracebacks import hidden_in_tests

__tracebackhide__ = hidden_in_tests

PAGE_SIZE = 100
"""Maximum number of apps a page, as in the SDK."""

_PREFIX = "DEPLOYMENT_STATUS_"

FILTERED = "this plane does not filter: `listall` fetches all apps and filters them itself"
SORTED = "this plane does not sort: `listall` fetches all apps and sorts them itself"
SCOPED = "this plane can't list an org: `listall` fetches all apps and omits those of other orgs itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query. `limit`: the maximum number of apps, None for all; `token`: of the first page; others as in listall."""

    created_by_subject: str | None = None
    sort_by: tuple[str, str] | None = None
    limit: int | None = None
    in_status: str | DeploymentStatus | Iterable[str | DeploymentStatus] | None = None
    project: str | None = None
    domain: str | None = None
    token: str = ""


def list_apps(settings: Settings, query: Query, warn: Callable[[str], None]) -> ItemFlow[definition.App]:
    """Emit the apps, each with the token that continues after it: of the next page, or of its own within a page.

    `warn` is called with what the plane leaves to the client. Apps sorted by the client have no tokens.
    """
    limit: Any = query.limit
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise InvalidArgument(f"limit={limit!r}: a whole number, 0 or more, or None for all")
    for what in ("created_by_subject", "project", "domain", "token"):
        text(getattr(query, what), what)
    request = _request(settings, query)
    client_filter = ClientFilter(_statuses(query), query.created_by_subject)
    left, token = query.limit, query.token
    unsorted: list[definition.App] | None = None
    while left is None or left > 0:
        request.request.token = token
        request.request.limit = PAGE_SIZE if left is None else min(PAGE_SIZE, left)
        try:
            response = yield from call(settings, LIST, request)
        except Unimplemented:
            if not request.org:
                raise
            client_filter.org = request.org
            request.ClearField("filter_by")
            warn(SCOPED)
            continue
        found = [app for app in response.apps if client_filter.is_of_org(app)]
        apps = [app for app in found if client_filter.matches(app)]
        if len(apps) < len(found):
            warn(FILTERED)
        if query.sort_by and unsorted is None and apps and not traits_of(apps[0]).filters_lists:
            unsorted, left = ordered((), *query.sort_by), None
            warn(SORTED)
        if unsorted is not None:
            unsorted += apps
        else:
            apps = apps[:left]
            for app in apps[:-1]:
                yield Emit(app, token)
            if apps:
                yield Emit(apps[-1], response.token)
        if not response.token:
            break
        if response.token == token:
            raise InvalidArgument(
                f"the plane returned the token {token!r} of a page as that of the next: the list never ends"
            )
        token = response.token
        left = None if left is None else left - len(apps)
    if unsorted and query.sort_by:
        for app in ordered(unsorted, *query.sort_by)[: query.limit]:
            yield Emit(app)


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


def _sort(sort_by: Any) -> lists.Sort:
    pair: Any = sort_by or ("created_at", "asc")
    if not isinstance(pair, tuple | list) or len(cast("Any", pair)) != 2 or not isinstance(pair[0], str):
        raise _bad_sort(sort_by)
    if pair[1] not in ("asc", "desc"):
        raise _bad_sort(sort_by)
    direction = lists.Sort.ASCENDING if pair[1] == "asc" else lists.Sort.DESCENDING
    return lists.Sort(key=pair[0], direction=direction)


def _bad_sort(sort_by: object) -> InvalidArgument:
    return InvalidArgument(f'sort_by={sort_by!r}: should be (KEY, "asc") or (KEY, "desc")')


def _filters(query: Query) -> Iterable[lists.Filter]:
    names = [_PREFIX + each for each in _statuses(query)]
    if names:
        function = lists.Filter.VALUE_IN if len(names) > 1 else lists.Filter.EQUAL
        yield lists.Filter(function=function, field="status_phase", values=names)
    if query.created_by_subject:
        yield lists.Filter(function=lists.Filter.EQUAL, field="created_by", values=[query.created_by_subject])


def _statuses(query: Query) -> list[str]:
    """Return the names of the wanted statuses, none for any."""
    given: Any = query.in_status
    if given is None or given == "":  # as in the SDK, whose CLI passes on an empty option
        return []
    if isinstance(given, str | DeploymentStatus):
        given = [given]
    elif not isinstance(given, Iterable):
        raise _no_status(given)
    return [_status_name(each) for each in cast("Iterable[object]", given)]


def _status_name(status: object) -> str:
    if isinstance(status, DeploymentStatus):
        name = status.name
    else:
        name = status.upper().removeprefix(_PREFIX) if isinstance(status, str) else ""
    if name not in DeploymentStatus.__members__:
        raise _no_status(status)
    return name


def _no_status(status: object) -> InvalidArgument:
    known = ", ".join(each.lower() for each in DeploymentStatus.__members__)
    return InvalidArgument(f"in_status={status!r}: unknown status. Known: {known}")
