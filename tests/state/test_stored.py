"""The state of a plane has the secrets, tasks and projects that clients have written."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from connectrpc.errors import ConnectError
from flyteidl2.project.project_service_connect import ProjectServiceClientSync
from flyteidl2.project.project_service_pb2 import CreateProjectRequest, ListProjectsRequest, Project
from flyteidl2.secret import payload_pb2 as payload
from flyteidl2.secret.definition_pb2 import SecretIdentifier, SecretSpec
from flyteidl2.secret.secret_connect import SecretServiceClientSync
from flyteidl2.task import task_service_pb2 as tasks
from flyteidl2.task.task_definition_pb2 import TaskIdentifier
from flyteidl2.task.task_service_connect import TaskServiceClientSync
from google.protobuf import json_format

from flyteapps_control.v1.state_pb2 import PlaneState
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.state.document import WrongState


class Client:
    """The clients of one served plane."""

    def __init__(self, plane: FakeControlPlane, secrets: Any, tasks: Any, projects: Any) -> None:
        self.plane = plane
        self.secrets = secrets
        self.tasks = tasks
        self.projects = projects

    def write(self) -> None:
        """Create secrets, tasks and projects."""
        for name, project in (("B", "p"), ("A", "p"), ("KEY", "")):
            secret = SecretIdentifier(name=name, project=project, domain="d" if project else "")
            self.secrets.create_secret(
                payload.CreateSecretRequest(id=secret, secret_spec=SecretSpec(string_value=f"value-{name}"))
            )
        for version in ("v2", "v1"):
            task = TaskIdentifier(org="o", project="p", domain="d", name="t", version=version)
            request = tasks.DeployTaskRequest(task_id=task)
            request.spec.task_template.type = "python"
            self.tasks.deploy_task(request)
        for name in ("zoo", "p"):
            self.projects.create_project(CreateProjectRequest(project=Project(id=name, name=name.upper())))

    def seen(self) -> list[Any]:
        """Return what clients see."""
        found = self.projects.list_projects(ListProjectsRequest()).projects.projects
        return [
            [each.id.name for each in self.secrets.list_secrets(_scope("p", "d")).secrets],
            [each.id.name for each in self.secrets.list_secrets(_scope("", "")).secrets],
            [(each.id, each.name) for each in found],
            self._versions(),
        ]

    def _versions(self) -> list[str]:
        name = tasks.ListVersionsRequest()
        name.task_name.project, name.task_name.domain, name.task_name.name = "p", "d", "t"
        name.request.limit = 10
        try:
            return [each.version for each in self.tasks.list_versions(name).versions]
        except ConnectError:
            return []


@contextmanager
def serving(**settings: Any) -> Generator[Client]:
    """Serve a plane for clients of its services."""
    with (
        FakeControlPlane(**settings) as plane,
        plane.serve() as server,
        SecretServiceClientSync(server.url) as secrets,
        TaskServiceClientSync(server.url) as of_tasks,
        ProjectServiceClientSync(server.url) as projects,
    ):
        yield Client(plane, secrets, of_tasks, projects)


def test_it_comes_back() -> None:
    """A snapshot and a document bring back what was written, in order; a reset forgets it."""
    with serving() as one, serving() as other:
        nothing = one.seen()
        one.plane.take_snapshot("empty")
        one.write()
        seen = one.seen()
        assert seen[:2] == [["A", "B"], ["KEY"]]
        assert seen[3] == ["v2", "v1"]
        document = one.plane.document()
        other.plane.load_document(json_format.Parse(json_format.MessageToJson(document), PlaneState()))
        assert other.seen() == seen
        other.plane.reset_state()
        assert other.seen() == nothing
        one.plane.take_snapshot("full")
        one.plane.restore_snapshot("empty")
        assert one.seen() == nothing
        one.plane.restore_snapshot("full")
        assert one.seen() == seen


def test_a_reset_project_has_none() -> None:
    """The reset of a project forgets its secrets, its tasks and itself; those of all projects stay."""
    with serving() as client:
        client.write()
        client.plane.reset_state("p")
        assert client.seen() == [[], ["KEY"], [("demo", "demo"), ("zoo", "ZOO")], []]


def test_a_missing_secret_that_was_created_is_there() -> None:
    """A secret that is declared missing, and was created meanwhile, is there after a load."""
    with serving(missing_secrets=["KEY"]) as one, serving(missing_secrets=["KEY"]) as other:
        one.write()
        assert other.plane.secrets.is_missing("p", "d", "KEY")
        other.plane.load_document(PlaneState.FromString(one.plane.document().SerializeToString()))
        assert not other.plane.secrets.is_missing("p", "d", "KEY")


def test_values_are_state_where_they_are_kept() -> None:
    """Where no app really runs, no value is in a document."""
    with serving() as client:
        client.write()
        assert b"value-A" not in client.plane.document().SerializeToString()


@pytest.mark.parametrize("section", ["secrets", "tasks", "projects"])
def test_a_wrong_piece_is_refused(section: str) -> None:
    """A key of another shape, or a message that can't be read, is refused with its place."""
    plane = FakeControlPlane()
    for key, message in (([], b""), (["a"] * 5, b""), (["a"], b"\xff"), (["a"] * 3, b"\xff"), (["a"] * 4, b"\xff")):
        document = plane.document()
        getattr(document, section).add(key=key, message=message)
        with pytest.raises(WrongState, match=section):
            plane.load_document(document)


def _scope(project: str, domain: str) -> payload.ListSecretsRequest:
    return payload.ListSecretsRequest(project=project, domain=domain, limit=10)
