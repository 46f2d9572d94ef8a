"""RunService, as far as parameters of apps need it: succeeded runs with the outputs that the user has declared.

A declared name is that of a run and of a task. Nothing runs, and no run can be created.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from flyteidl2.common.identifier_pb2 import RunIdentifier
from flyteidl2.common.list_pb2 import Filter
from flyteidl2.common.phase_pb2 import ACTION_PHASE_SUCCEEDED
from flyteidl2.dataproxy import dataproxy_service_pb2 as dataproxy
from flyteidl2.task.common_pb2 import NamedLiteral, Outputs
from flyteidl2.workflow.run_definition_pb2 import Action, ActionDetails, ActionMetadata, ActionStatus, Run, RunDetails
from flyteidl2.workflow.run_service_pb2 import (
    GetActionDataRequest,
    GetActionDataResponse,
    GetRunDetailsRequest,
    GetRunDetailsResponse,
    ListRunsRequest,
    ListRunsResponse,
)

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.time.clock import set_timestamp
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.services.support.declared import literal_of, type_of
from flyteapps_fake.services.support.host import Host
from flyteapps_fake.services.support.listing import Fields, matches
from flyteapps_fake.services.support.method import Method
from flyteapps_fake.services.support.paging import page

SERVICE = "flyteidl2.workflow.RunService"
DATA_PROXY = "flyteidl2.dataproxy.DataProxyService"
MAX_RUN_NAME = 30
"""Characters of a run's name: RunIdentifier's rule."""
ROOT_ACTION = "a0"
_IGNORED = ("task_version",)
"""Filters that match every declared run: its outputs are those of any version."""


class Runs:
    """The declared runs of one plane."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._ended = host.now_ns()
        self._outputs: dict[str, tuple[str, Sequence[str]]] = {}
        """The declared name and its outputs, by the name of the run."""
        for name, values in host.settings.run_outputs.items():
            self._outputs[_run_name(name)] = (name, values)

    def methods(self) -> tuple[Method, ...]:
        """Return the rows of the service, and the data proxy's method for a run's outputs."""
        data = (dataproxy.GetActionDataRequest, dataproxy.GetActionDataResponse)
        return (
            Method(SERVICE, "GetRunDetails", GetRunDetailsRequest, GetRunDetailsResponse, self._details),
            Method(SERVICE, "ListRuns", ListRunsRequest, ListRunsResponse, self._list),
            Method(SERVICE, "GetActionData", GetActionDataRequest, GetActionDataResponse, self._data),
            Method(DATA_PROXY, "GetActionData", *data, self._proxied_data),
        )

    def _details(self, request: GetRunDetailsRequest, origin: str) -> GetRunDetailsResponse:
        _, values = self._find(request.run_id.name)
        action = self._action(request.run_id)
        details = ActionDetails(id=action.id, metadata=action.metadata, status=action.status)
        details.attempts.add(phase=ACTION_PHASE_SUCCEEDED, attempt=1)
        for number, value in enumerate(values):
            output = details.task.task_template.interface.outputs.variables.add(key=f"o{number}")
            output.value.type.CopyFrom(type_of(value))
        return GetRunDetailsResponse(details=RunDetails(action=details))

    def _list(self, request: ListRunsRequest, origin: str) -> ListRunsResponse:
        scope = request.project_id
        found: list[Run] = []
        for name in self._outputs:
            run_id = RunIdentifier(org=self._host.org, project=scope.name, domain=scope.domain, name=name)
            found.append(Run(action=self._action(run_id)))
        filters = [each for each in request.request.filters if each.field not in _IGNORED]
        if request.WhichOneof("scope_by") in ("task_name", "task_id"):
            name = request.task_name.name or request.task_id.name
            filters.append(Filter(function=Filter.EQUAL, field="task_name", values=[name]))
        test = matches(filters, _FIELDS)
        runs, token = page([run for run in found if test(run)], request.request.limit, request.request.token)
        return ListRunsResponse(runs=runs, token=token)

    def _data(self, request: GetActionDataRequest, origin: str) -> GetActionDataResponse:
        return GetActionDataResponse(outputs=self._outputs_of(request.action_id.run.name))

    def _proxied_data(self, request: dataproxy.GetActionDataRequest, origin: str) -> dataproxy.GetActionDataResponse:
        return dataproxy.GetActionDataResponse(outputs=self._outputs_of(request.action_id.run.name))

    def _outputs_of(self, run: str) -> Outputs:
        _, values = self._find(run)
        named = [NamedLiteral(name=f"o{number}", value=literal_of(value)) for number, value in enumerate(values)]
        return Outputs(literals=named)

    def _find(self, run: str) -> tuple[str, Sequence[str]]:
        found = self._outputs.get(run)
        if found is None:
            raise RpcError(
                Code.NOT_FOUND,
                f"run {quoted(run)} not found: this stand-in runs no tasks; for an app's logs use "
                "`flyte.remote.App.get(NAME).show_logs(raw=True)`; declare the outputs of a run or task with "
                "`flyteapps serve --run-output NAME=VALUE` or FakeControlPlane(run_outputs={...})",
            )
        return found

    def _action(self, run_id: RunIdentifier) -> Action:
        name, _ = self._find(run_id.name)
        metadata = ActionMetadata(executed_by=self._host.caller.enriched())
        task = metadata.task
        task.id.org, task.id.project, task.id.domain = run_id.org, run_id.project, run_id.domain
        task.id.name, task.short_name = name, name.rpartition(".")[2]
        status = ActionStatus(phase=ACTION_PHASE_SUCCEEDED, attempts=1)
        for moment in (status.start_time, status.end_time):
            set_timestamp(moment, self._ended)
        action = Action(metadata=metadata, status=status)
        action.id.run.CopyFrom(run_id)
        action.id.name = ROOT_ACTION
        return action


_FIELDS: Fields[Run] = {
    "task_name": lambda run: run.action.metadata.task.id.name,
    "name": lambda run: run.action.id.run.name,
    "phase": lambda run: str(int(run.action.status.phase)),
}


def _run_name(name: str) -> str:
    """Return the run's name for a declared name: the same, or a hash if it is too long for a run."""
    return name if len(name) <= MAX_RUN_NAME else f"r{hashlib.sha256(name.encode()).hexdigest()[: MAX_RUN_NAME - 1]}"
