"""ProjectService: a project exists once a request names it; others are created, updated and archived."""

from __future__ import annotations

import re

from flyteidl2.common.list_pb2 import Filter, Sort
from flyteidl2.project.project_service_pb2 import (
    PROJECT_STATE_ACTIVE,
    CreateProjectRequest,
    CreateProjectResponse,
    GetProjectRequest,
    GetProjectResponse,
    ListProjectsRequest,
    ListProjectsResponse,
    Project,
    UpdateProjectRequest,
    UpdateProjectResponse,
)

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.services.support.host import Host
from flyteapps_fake.services.support.listing import Fields, by_keys, matches
from flyteapps_fake.services.support.method import Method
from flyteapps_fake.services.support.name_lengths import MAX_NAME, MAX_SCOPE, check_length
from flyteapps_fake.services.support.paging import page

SERVICE = "flyteidl2.project.ProjectService"
DEFAULT_PROJECT = "demo"
"""A project that always exists, so that a list is never empty."""
DOMAINS = ("development", "staging", "production")
MAX_NAMED = 1_000
"""Projects remembered because a request other than an app's named them."""
MAX_PROJECT_BYTES = 16 * 1024
_CREATED_AT = "created_at"
"""The sort key for the order of creation; the message has no such field."""
_FILTER = re.compile(r"(\w+)\(\s*(\w+)\s*,([^()]*)\)")
_FUNCTIONS: dict[str, Filter.Function] = {
    "eq": Filter.EQUAL,
    "ne": Filter.NOT_EQUAL,
    "contains": Filter.CONTAINS,
    "value_in": Filter.VALUE_IN,
}


class Projects:
    """The projects of one plane."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._written = host.stored.projects
        self._named: set[str] = set()

    def methods(self) -> tuple[Method, ...]:
        """Return the rows of the service."""
        return (
            Method(SERVICE, "CreateProject", CreateProjectRequest, CreateProjectResponse, self._create, access="admin"),
            Method(SERVICE, "UpdateProject", UpdateProjectRequest, UpdateProjectResponse, self._update, access="admin"),
            Method(SERVICE, "GetProject", GetProjectRequest, GetProjectResponse, self._get),
            Method(SERVICE, "ListProjects", ListProjectsRequest, ListProjectsResponse, self._list),
        )

    def name(self, project: str) -> None:
        """Remember a project that a request has named."""
        if len(self._named) < MAX_NAMED:
            self._named.add(project)

    def _create(self, request: CreateProjectRequest, origin: str) -> CreateProjectResponse:
        project = self._checked(request.project)
        if self._find(project.id) is not None or not self._written.add(project.id, project):
            raise RpcError(Code.ALREADY_EXISTS, f"project {project.id} already exists")
        return CreateProjectResponse()

    def _update(self, request: UpdateProjectRequest, origin: str) -> UpdateProjectResponse:
        project = self._checked(request.project)
        if self._find(project.id) is None:
            raise _not_found(project.id)
        if not self._written.replace(project.id, project):
            self._written.add(project.id, project)
        return UpdateProjectResponse()

    def _get(self, request: GetProjectRequest, origin: str) -> GetProjectResponse:
        project = self._find(request.id)
        if project is None:
            raise _not_found(request.id)
        return GetProjectResponse(project=project)

    def _list(self, request: ListProjectsRequest, origin: str) -> ListProjectsResponse:
        test = matches(_filters(request.filters), _FIELDS)
        found = [project for project in self._visible() if test(project)]
        if request.sort_by.key == _CREATED_AT:
            found = found[::-1] if request.sort_by.direction == Sort.DESCENDING else found
        elif request.sort_by.key:
            found = by_keys(found, [request.sort_by], _FIELDS)
        projects, token = page(found, request.limit, request.token)
        answer = ListProjectsResponse()
        answer.projects.projects.extend(projects)
        answer.projects.token = token
        return answer

    def _all(self) -> list[Project]:
        """Return the projects that were only named, then the written ones in order of creation."""
        written = [(name, Project.FromString(encoded)) for name, encoded in self._written.items()]
        named = self._implicit() - {name for name, _ in written}
        return [*(self._plain(name) for name in sorted(named)), *(project for _, project in written)]

    def _find(self, name: str) -> Project | None:
        if (encoded := self._written.get(name)) is not None:
            return Project.FromString(encoded)
        return self._plain(name) if name in self._implicit() else None

    def _implicit(self) -> set[str]:
        return {DEFAULT_PROJECT} | self._named | self._host.projects()

    def _visible(self) -> list[Project]:
        """Return the projects that the caller may see in any domain."""
        sees = self._host.sees
        return [each for each in self._all() if sees is None or sees(each.id, "")]

    def _plain(self, name: str) -> Project:
        """Return a project that was only named."""
        return self._whole(Project(id=name, name=name, state=PROJECT_STATE_ACTIVE))

    def _whole(self, project: Project) -> Project:
        del project.domains[:]
        for domain in DOMAINS:
            project.domains.add(id=domain, name=domain)
        project.org = self._host.org
        return project

    def _checked(self, project: Project) -> Project:
        if not project.id:
            raise RpcError(Code.INVALID_ARGUMENT, "project.id must not be empty")
        check_length("project.id", project.id, MAX_SCOPE)
        check_length("project.name", project.name, MAX_NAME)
        if project.ByteSize() > MAX_PROJECT_BYTES:
            raise RpcError(Code.INVALID_ARGUMENT, f"project has more than {MAX_PROJECT_BYTES:,} bytes")
        return self._whole(project)


_FIELDS: Fields[Project] = {
    "id": lambda project: project.id,
    "identifier": lambda project: project.id,
    "name": lambda project: project.name,
    "description": lambda project: project.description,
    "state": lambda project: str(int(project.state)),
}


def _filters(text: str) -> list[Filter]:
    """Parse filters such as eq(state, 0)+contains(name, demo). Raises RpcError."""
    check_length("filters", text, MAX_NAME * 4)
    found: list[Filter] = []
    for part in text.split("+") if text.strip() else ():
        read = _FILTER.fullmatch(part.strip())
        if read is None or read[1] not in _FUNCTIONS:
            known = ", ".join(f"{function}(FIELD, VALUE)" for function in _FUNCTIONS)
            raise RpcError(Code.INVALID_ARGUMENT, f"filters: {quoted(part)} is invalid; use {known}")
        function = _FUNCTIONS[read[1]]
        texts = re.split(r"[;,]", read[3]) if function == Filter.VALUE_IN else [read[3]]
        found.append(Filter(function=function, field=read[2], values=[text.strip() for text in texts]))
    return found


def _not_found(name: str) -> RpcError:
    return RpcError(Code.NOT_FOUND, f"project {quoted(name)} not found: create it, or deploy an app into it")
