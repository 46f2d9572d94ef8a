"""The services beside AppService: what they keep, how much of it, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyteidl2.app.app_definition_pb2 import Status
from flyteidl2.artifact.artifact_service_connect import ArtifactServiceClientSync
from flyteidl2.artifact.artifact_service_pb2 import GetArtifactRequest
from flyteidl2.common.identifier_pb2 import ProjectIdentifier
from flyteidl2.common.list_pb2 import Filter, ListRequest, Sort
from flyteidl2.dataproxy.dataproxy_service_connect import DataProxyServiceClientSync
from flyteidl2.dataproxy.dataproxy_service_pb2 import CreateUploadLocationRequest, GetActionDataRequest
from flyteidl2.project.project_service_connect import ProjectServiceClientSync
from flyteidl2.project.project_service_pb2 import (
    PROJECT_STATE_ARCHIVED,
    CreateProjectRequest,
    GetProjectRequest,
    ListProjectsRequest,
    Project,
    UpdateProjectRequest,
)
from flyteidl2.secret import payload_pb2 as secrets
from flyteidl2.secret.definition_pb2 import SecretIdentifier, SecretSpec
from flyteidl2.secret.secret_connect import SecretServiceClientSync
from flyteidl2.task import task_service_pb2 as tasks
from flyteidl2.task.task_definition_pb2 import TaskIdentifier, TaskName
from flyteidl2.task.task_service_connect import TaskServiceClientSync
from flyteidl2.trigger.trigger_service_connect import TriggerServiceClientSync
from flyteidl2.trigger.trigger_service_pb2 import ListTriggersRequest
from flyteidl2.workflow.run_service_connect import RunServiceClientSync
from flyteidl2.workflow.run_service_pb2 import GetRunDetailsRequest, ListRunsRequest

from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.state.registry import Registry
from flyteapps_fake.http.builtin.uploads import Uploads
from flyteapps_fake.servers.embedded import EmbeddedServer
from flyteapps_fake.services.support.paging import page

from .messages import create, get

ARTIFACTS = {"bert": "s3://models/bert/", "bert@v2": "s3://models/bert.bin"}
_NAME: dict[str, Any] = {"project": "p", "domain": "d"}
RUN_OUTPUTS = {"env.train": ["s3://out/model/", "good"], "x" * 40: ["long"]}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FakeControlPlane, EmbeddedServer]]:
    """A plane that the tests of this module share, on its server."""
    with FakeControlPlane(
        org="acme", clock="manual", missing_secrets=["TOKEN"], artifacts=ARTIFACTS, run_outputs=RUN_OUTPUTS
    ) as plane:
        yield plane, plane.serve()


class Refused:
    """`with Refused(Code.NOT_FOUND, "text"):` expects that error, whose message says that."""

    def __init__(self, code: Code, said: str = "") -> None:
        self._code = code
        self._said = said

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        assert isinstance(error, ConnectError), f"{self._code} expected, not {error!r}"
        assert error.code == self._code and self._said in error.message, f"{error.code}: {error.message}"
        return True


def task(name: str, version: str = "1", project: str = "p") -> TaskIdentifier:
    return TaskIdentifier(project=project, domain="d", name=name, version=version)


def deployment(name: str, version: str = "1", project: str = "p") -> tasks.DeployTaskRequest:
    request = tasks.DeployTaskRequest(task_id=task(name, version, project))
    request.spec.task_template.type = "python"
    return request


def test_tasks_are_accepted_and_listed(served: tuple[FakeControlPlane, EmbeddedServer]) -> None:
    """A task is stored once a version, with the plane's org for none; lists filter, sort and page over the latest."""
    with TaskServiceClientSync(served[1].url) as client:
        for name, version in (("a.one", "1"), ("a.two", "1"), ("b.three", "1"), ("a.one", "2")):
            client.deploy_task(deployment(name, version))
        with Refused(Code.ALREADY_EXISTS, "a.one (version 2)"):
            client.deploy_task(deployment("a.one", "2"))
        details = client.get_task_details(tasks.GetTaskDetailsRequest(task_id=task("a.one", "1"))).details
        assert details.task_id.org == "acme" and details.spec.task_template.type == "python"
        assert (details.metadata.short_name, details.metadata.environment_name) == ("one", "a")
        with Refused(Code.NOT_FOUND):
            client.get_task_details(tasks.GetTaskDetailsRequest(task_id=task("a.one", "3")))
        scope = ProjectIdentifier(domain="d", name="p")

        def listed(**request: Any) -> tuple[list[str], str]:
            wanted = tasks.ListTasksRequest(project_id=scope, request=ListRequest(**request))
            answer = client.list_tasks(wanted)
            return [f"{each.task_id.name}@{each.task_id.version}" for each in answer.tasks], answer.token

        by_name = [Sort(key="name", direction=Sort.DESCENDING)]
        first, token = listed(sort_by_fields=by_name, limit=2)
        assert first == ["b.three@1", "a.two@1"]
        assert listed(sort_by_fields=by_name, limit=2, token=token) == (["a.one@2"], "")
        named = Filter(function=Filter.CONTAINS, field="name", values=["a."])
        assert set(listed(filters=[named])[0]) == {"a.one@2", "a.two@1"}
        with Refused(Code.INVALID_ARGUMENT, "not a field"):
            listed(filters=[Filter(function=Filter.EQUAL, field="color", values=["red"])])
        with Refused(Code.INVALID_ARGUMENT, "filters"):
            listed(filters=[named] * 1000)
        with Refused(Code.INVALID_ARGUMENT, "token"):
            listed(token="-1")
        versions = client.list_versions(tasks.ListVersionsRequest(task_name=TaskName(**_NAME, name="a.one"))).versions
        assert [each.version for each in versions] == ["1", "2"]
        with Refused(Code.INVALID_ARGUMENT, "task_id.name"):
            client.deploy_task(deployment("x" * 256))
        with Refused(Code.INVALID_ARGUMENT, "task_id.project"):
            client.deploy_task(deployment("x", project="p" * 64))


def test_secrets_come_and_go(served: tuple[FakeControlPlane, EmbeddedServer]) -> None:
    """Secrets are created, listed by scope, updated and deleted; their values are not kept."""
    with SecretServiceClientSync(served[1].url) as client:

        def named(name: str, **scope: str) -> SecretIdentifier:
            return SecretIdentifier(name=name, **scope)

        value = SecretSpec(string_value="hush-hush")
        for each in (named("B", **_NAME), named("A", **_NAME), named("A")):
            client.create_secret(secrets.CreateSecretRequest(id=each, secret_spec=value))
        with Refused(Code.ALREADY_EXISTS, "A"):
            client.create_secret(secrets.CreateSecretRequest(id=named("A"), secret_spec=value))
        page_one = client.list_secrets(secrets.ListSecretsRequest(**_NAME, limit=1))
        assert [each.id.name for each in page_one.secrets] == ["A"]
        rest = client.list_secrets(secrets.ListSecretsRequest(**_NAME, limit=1, token=page_one.token))
        assert [each.id.name for each in rest.secrets] == ["B"] and not rest.token
        client.update_secret(secrets.UpdateSecretRequest(id=named("B", **_NAME), secret_spec=value))
        found = client.get_secret(secrets.GetSecretRequest(id=named("B", **_NAME))).secret
        assert found.id.organization == "acme"
        assert not any(b"hush-hush" in kept for _, kept in served[0].secrets.created.items())
        client.delete_secret(secrets.DeleteSecretRequest(id=named("B", **_NAME)))
        for call, request in (
            (client.get_secret, secrets.GetSecretRequest(id=named("B", **_NAME))),
            (client.delete_secret, secrets.DeleteSecretRequest(id=named("B", **_NAME))),
            (client.update_secret, secrets.UpdateSecretRequest(id=named("B"), secret_spec=value)),
        ):
            with Refused(Code.NOT_FOUND, "secret B"):
                call(request)  # type: ignore[operator]  # each takes its own request
        for bad in (named(""), named("a b"), named("x" * 256), named("x", project="p" * 64)):
            with Refused(Code.INVALID_ARGUMENT):
                client.create_secret(secrets.CreateSecretRequest(id=bad, secret_spec=value))


def test_a_missing_secret_fails_its_app_until_it_is_created(served: tuple[FakeControlPlane, EmbeddedServer]) -> None:
    """An app that mounts a secret which was declared missing is FAILED with what to do; any other secret is there."""
    plane, server = served
    stub = plane.stub()

    def deploy(name: str, secret: str) -> tuple[str, str]:
        request = create(name)
        request.app.metadata.id.org = "acme"
        request.app.spec.security_context.secrets.add(key=secret)
        stub.create(request)
        plane.advance(30)
        wanted = get(name)
        wanted.app_id.org = "acme"
        last = stub.get(wanted).app.status.conditions[-1]
        return Status.Substate.Name(last.substate), last.message

    assert deploy("secretless", "TOKEN") == (
        "SECRET_MOUNT_ERROR",
        "Failed to mount secret 'TOKEN': not found; create it, then deactivate and activate the app",
    )
    assert deploy("others", "ANY")[0] == "RUNNING"
    with SecretServiceClientSync(server.url) as client:
        secret = SecretIdentifier(name="TOKEN", domain="development", project="p")
        client.create_secret(secrets.CreateSecretRequest(id=secret, secret_spec=SecretSpec(binary_value=b"x")))
        assert deploy("supplied", "TOKEN")[0] == "RUNNING"
        client.delete_secret(secrets.DeleteSecretRequest(id=secret))
    assert deploy("bereft", "TOKEN")[0] == "SECRET_MOUNT_ERROR"


def test_projects_are_written_and_listed(served: tuple[FakeControlPlane, EmbeddedServer]) -> None:
    """A project is created, updated and archived; one that was only named is there, too; lists filter and page."""
    with ProjectServiceClientSync(served[1].url) as client:
        client.create_project(CreateProjectRequest(project=Project(id="mine", name="Mine", description="d")))
        for taken in ("mine", "demo"):
            with Refused(Code.ALREADY_EXISTS, taken):
                client.create_project(CreateProjectRequest(project=Project(id=taken)))
        with Refused(Code.NOT_FOUND, "nobody"):
            client.update_project(UpdateProjectRequest(project=Project(id="nobody")))
        for project in ("mine", "demo"):
            archived = Project(id=project, name="New", state=PROJECT_STATE_ARCHIVED)
            client.update_project(UpdateProjectRequest(project=archived))
            found = client.get_project(GetProjectRequest(id=project)).project
            assert (found.name, found.state, found.org) == ("New", PROJECT_STATE_ARCHIVED, "acme") and found.domains

        def listed(filters: str = "", **request: Any) -> list[str]:
            answer = client.list_projects(ListProjectsRequest(filters=filters, **request))
            return [each.id for each in answer.projects.projects]

        assert listed("eq(state, 1)+contains(name, New)", sort_by=Sort(key="id", direction=Sort.ASCENDING)) == [
            "demo",
            "mine",
        ]
        assert listed("eq(state, 1)", sort_by=Sort(key="created_at")) == ["demo", "mine"], "the last written first"
        assert "mine" not in listed("eq(state, 0)")
        assert listed("value_in(id, mine;nobody)") == ["mine"]
        assert len(listed(limit=1)) == 1
        for bad in ("state = 1", "eq(color, red)", "like(id, x)", "eq(state, 0)" * 1000):
            with Refused(Code.INVALID_ARGUMENT):
                listed(bad)
        for broken in (
            Project(),
            Project(id="x" * 64),
            Project(id="y", name="x" * 256),
            Project(id="z", description="x" * 20_000),
        ):
            with Refused(Code.INVALID_ARGUMENT, "project"):
                client.create_project(CreateProjectRequest(project=broken))


def test_an_upload_names_no_monster(served: tuple[FakeControlPlane, EmbeddedServer]) -> None:
    """Project, domain and file names of uploads have a longest length: none stays in the list of projects."""
    with DataProxyServiceClientSync(served[1].url) as client, ProjectServiceClientSync(served[1].url) as projects:
        request = CreateUploadLocationRequest(project="p", domain="d", filename="f", content_md5=b"x" * 16)
        client.create_upload_location(request)
        for field, most in (("project", 63), ("domain", 63), ("filename", 1024), ("filename_root", 1024)):
            long = CreateUploadLocationRequest()
            long.CopyFrom(request)
            setattr(long, field, "x" * (most + 1))
            with Refused(Code.INVALID_ARGUMENT, f"{field} has"):
                client.create_upload_location(long)
        with Refused(Code.INVALID_ARGUMENT, "content_md5"):
            client.create_upload_location(CreateUploadLocationRequest(project="p", domain="d"))
        answer = projects.list_projects(ListProjectsRequest())
        assert max(len(each.id) for each in answer.projects.projects) <= 63


def test_declared_artifacts_and_outputs(served: tuple[FakeControlPlane, EmbeddedServer]) -> None:
    """An artifact has the last declared version or the asked one; a run is found by its name or its task's."""
    url = served[1].url
    with ArtifactServiceClientSync(url) as client:
        request = GetArtifactRequest()
        request.name.project, request.name.domain, request.name.name = "p", "d", "bert"
        latest = client.get_artifact(request).artifact
        assert (latest.artifact_id.version, latest.spec.value.scalar.blob.uri) == ("v2", "s3://models/bert.bin")
        request.version = "1"
        assert client.get_artifact(request).artifact.spec.type.blob.dimensionality == 1, "a directory"
        request.version = "3"
        with Refused(Code.NOT_FOUND, "--artifact NAME[@VERSION]=URI"):
            client.get_artifact(request)
    with RunServiceClientSync(url) as runs, DataProxyServiceClientSync(url) as data:
        scope = ProjectIdentifier(domain="d", name="p")
        for name, outputs in (("env.train", ["s3://out/model/", "good"]), ("x" * 40, ["long"])):
            filters = [
                Filter(function=Filter.EQUAL, field="task_name", values=[name]),
                Filter(function=Filter.EQUAL, field="task_version", values=["any"]),
            ]
            found = runs.list_runs(ListRunsRequest(project_id=scope, request=ListRequest(filters=filters))).runs
            (run,) = (each.action.id.run for each in found)
            details = runs.get_run_details(GetRunDetailsRequest(run_id=run)).details
            variables = details.action.task.task_template.interface.outputs.variables
            assert len(variables) == len(outputs)
            literals = data.get_action_data(GetActionDataRequest(action_id=details.action.id)).outputs.literals
            scalars = [each.value.scalar for each in literals]
            assert [each.blob.uri or each.primitive.string_value for each in scalars] == outputs
        run.name = "nobody"
        with Refused(Code.NOT_FOUND, "--run-output NAME=VALUE"):
            runs.get_run_details(GetRunDetailsRequest(run_id=run))


def test_what_is_not_offered_says_so(served: tuple[FakeControlPlane, EmbeddedServer]) -> None:
    """A method that isn't there is UNIMPLEMENTED, with one line on what the stand-in doesn't have."""
    with TriggerServiceClientSync(served[1].url) as triggers:
        with Refused(Code.UNIMPLEMENTED, "TriggerService/ListTriggers is not offered: this stand-in"):
            triggers.list_triggers(ListTriggersRequest())
        with Refused(Code.UNIMPLEMENTED, "has no triggers"):
            triggers.list_triggers(ListTriggersRequest())


def test_what_is_kept_is_bounded() -> None:
    """A registry is full at so many messages or bytes, says so, and has room again once something is removed."""
    few: Registry[str] = Registry("things", max_entries=2)
    small: Registry[str] = Registry("things", max_bytes=10)
    for full in (few, small):
        assert full.add("a", Project(id="a")) and full.add("b", Project(id="b"))
        assert not full.add("a", Project(id="again"))
        with pytest.raises(RpcError, match=r"stores at most [\d,]+ things"):
            full.add("c", Project(id="cccccc"))
        assert full.remove("a") and not full.remove("a")
        assert full.add("c", Project(id="c"))
    with pytest.raises(RpcError, match="stores at most"):
        small.replace("c", Project(id="x" * 10))


async def test_uploads_are_bounded_in_number() -> None:
    """Files that were uploaded are counted: one too many is HTTP 507, an older one may be sent again."""
    uploads = Uploads(max_files=1)

    async def put(name: str) -> int:
        url, _ = uploads.sign("", name, b"", 60)
        path, _, query = url.partition("?")

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"x"}

        scope = {"method": "PUT", "path": path, "query_string": query.encode(), "headers": []}
        return (await uploads.put(scope, receive))[0]

    assert [await put(name) for name in ("a", "a", "b", "a")] == [200, 200, 507, 200]
    assert uploads.sizes and sum(uploads.sizes.values()) == 1


def test_a_page_is_bounded_in_bytes() -> None:
    """A page ends before it is larger than a client takes, and the next one goes on there."""
    items = [Project(id=str(number), description="x" * 400_000) for number in range(5)]
    seen: list[str] = []
    token = "0"
    while token:
        shown, token = page(items, 0, token)
        assert sum(each.ByteSize() for each in shown) <= 1024 * 1024
        seen += [each.id for each in shown]
    assert seen == [each.id for each in items]


@pytest.mark.parametrize(
    "settings",
    [
        {"missing_secrets": "TOKEN"},
        {"missing_secrets": ["A"], "dialect": "flyte-oss"},
        {"missing_secrets": ["A"], "data_plane": "none"},
        {"artifacts": {"a b": "s3://x"}},
        {"artifacts": {"a@": "s3://x"}},
        {"artifacts": {"a": "no-uri"}},
        {"run_outputs": {"": ["x"]}},
        {"run_outputs": {"a": []}},
        {"run_outputs": {"a": "x"}},
    ],
)
def test_a_wrong_declaration_is_refused(settings: dict[str, Any]) -> None:
    """Declarations are checked when the plane is made, and the error names the wrong one."""
    with pytest.raises(ValueError, match=f"{next(iter(settings))}|a: give a list"):
        FakeControlPlane(**settings)
