"""TaskService: accepts and lists the tasks that are deployed together with apps. Nothing runs them."""

from __future__ import annotations

from collections.abc import Iterable

from flyteidl2.task.task_definition_pb2 import Task, TaskDetails, TaskIdentifier
from flyteidl2.task.task_service_pb2 import (
    DeployTaskRequest,
    DeployTaskResponse,
    GetTaskDetailsRequest,
    GetTaskDetailsResponse,
    ListTasksRequest,
    ListTasksResponse,
    ListVersionsRequest,
    ListVersionsResponse,
)

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.state.stored import TaskKey
from flyteapps_fake.core.time.clock import set_timestamp
from flyteapps_fake.services.support.host import Host
from flyteapps_fake.services.support.listing import Fields, matches, ordered
from flyteapps_fake.services.support.method import Method
from flyteapps_fake.services.support.name_lengths import shown
from flyteapps_fake.services.support.paging import page

SERVICE = "flyteidl2.task.TaskService"


class Tasks:
    """The tasks of one plane."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._tasks = host.stored.tasks

    def methods(self) -> tuple[Method, ...]:
        """Return the rows of the service."""
        return (
            Method(SERVICE, "DeployTask", DeployTaskRequest, DeployTaskResponse, self._deploy, access="write"),
            Method(SERVICE, "GetTaskDetails", GetTaskDetailsRequest, GetTaskDetailsResponse, self._get),
            Method(SERVICE, "ListTasks", ListTasksRequest, ListTasksResponse, self._list),
            Method(SERVICE, "ListVersions", ListVersionsRequest, ListVersionsResponse, self._versions),
        )

    def _deploy(self, request: DeployTaskRequest, origin: str) -> DeployTaskResponse:
        spec = request.spec
        details = TaskDetails(task_id=request.task_id, spec=spec)
        metadata = details.metadata
        metadata.deployed_by.CopyFrom(self._host.caller.enriched())
        metadata.short_name = spec.short_name or request.task_id.name.rpartition(".")[2]
        metadata.environment_name = spec.environment.name or request.task_id.name.partition(".")[0]
        metadata.short_description = spec.documentation.short_description
        if request.triggers:
            stats = metadata.triggers_summary.stats
            stats.total, stats.active = len(request.triggers), sum(each.spec.active for each in request.triggers)
        set_timestamp(metadata.deployed_at, self._host.now_ns())
        if not self._tasks.add(_key(request.task_id), details):
            raise RpcError(Code.ALREADY_EXISTS, f"task {shown(request.task_id)} already exists")
        return DeployTaskResponse()

    def _get(self, request: GetTaskDetailsRequest, origin: str) -> GetTaskDetailsResponse:
        found = self._tasks.get(_key(request.task_id))
        if found is None:
            raise RpcError(Code.NOT_FOUND, f"task {shown(request.task_id)} not found")
        return GetTaskDetailsResponse(details=TaskDetails.FromString(found))

    def _list(self, request: ListTasksRequest, origin: str) -> ListTasksResponse:
        """Return the tasks of a project, each in its latest version."""
        scope = request.project_id
        deployers = [each.deployed_by for each in request.known_filters]
        if not all(deployers):
            raise RpcError(Code.INVALID_ARGUMENT, "known_filters: tasks are filtered by deployed_by alone")
        latest: dict[TaskKey, Task] = {}
        for key, task in self._all():
            if request.WhichOneof("scope_by") != "project_id" or key[:2] == (scope.name, scope.domain):
                latest[(*key[:3], "")] = task
        found = [task for task in latest.values() if all(each == _deployer(task) for each in deployers)]
        test = matches(request.request.filters, _FIELDS)
        wanted = ordered([task for task in found if test(task)], request.request, _FIELDS)
        tasks, token = page(wanted, request.request.limit, request.request.token)
        answer = ListTasksResponse(tasks=tasks, token=token)
        answer.metadata.total, answer.metadata.filtered_total = len(latest), len(wanted)
        return answer

    def _versions(self, request: ListVersionsRequest, origin: str) -> ListVersionsResponse:
        name = request.task_name
        wanted = (name.project, name.domain, name.name)
        found = [task for key, task in self._all() if key[:3] == wanted]
        if not found:
            raise RpcError(Code.NOT_FOUND, f"task {name.name} of {name.project}/{name.domain} not found")
        tasks, token = page(ordered(found, request.request, _FIELDS), request.request.limit, request.request.token)
        answer = ListVersionsResponse(token=token)
        for task in tasks:
            answer.versions.add(
                version=task.task_id.version,
                deployed_at=task.metadata.deployed_at,
                deployed_by=task.metadata.deployed_by,
            )
        return answer

    def _all(self) -> Iterable[tuple[TaskKey, Task]]:
        """Yield every task without its spec, the oldest first."""
        for key, encoded in self._tasks.items():
            details = TaskDetails.FromString(encoded)
            yield key, Task(task_id=details.task_id, metadata=details.metadata)


def _key(task_id: TaskIdentifier) -> TaskKey:
    return (task_id.project, task_id.domain, task_id.name, task_id.version)


def _deployer(task: Task) -> str:
    return task.metadata.deployed_by.user.id.subject


def _deployed_at(task: Task) -> str:
    return f"{task.metadata.deployed_at.ToNanoseconds():020d}"


_FIELDS: Fields[Task] = {
    "name": lambda task: task.task_id.name,
    "version": lambda task: task.task_id.version,
    "project": lambda task: task.task_id.project,
    "domain": lambda task: task.task_id.domain,
    "environment_name": lambda task: task.metadata.environment_name,
    "created_at": _deployed_at,
    "deployed_at": _deployed_at,
}
