"""Roles: what viewers, contributors and admins may do and see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from connectrpc.code import Code
from flyteidl2.app.app_definition_pb2 import Identifier, Ingress
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
from flyteidl2.common.identifier_pb2 import ClusterIdentifier, ProjectIdentifier

from auth.support import AUTH, app, bearer, refusal
from flyteapps_fake import FakeControlPlane
from flyteapps_fake.core.operations import OPERATIONS
from flyteapps_fake.http.endpoints import service_endpoints

Make = Callable[[str], Any]
DIALECTS = ["standard", "flyte-oss"]


@pytest.fixture(params=DIALECTS)
def shown(request: pytest.FixtureRequest) -> Iterator[FakeControlPlane]:
    """A plane of each dialect with the apps open-1/a, open-2/b and secret/c."""
    with FakeControlPlane(auth=AUTH, clock="manual", dialect=request.param) as plane:
        for name, project in (("a", "open-1"), ("b", "open-2"), ("c", "secret")):
            plane.stub().create(CreateRequest(app=app(name, project)), headers=bearer(plane, "alice"))
        yield plane


def test_a_viewer_reads_and_writes_nothing(plane: FakeControlPlane) -> None:
    """A refused write names the role that the caller has, and the one that it needs."""
    stub, headers = plane.stub(), bearer(plane, "vera")
    assert refusal(lambda: stub.create(CreateRequest(app=app()), headers=headers)) == (
        Code.PERMISSION_DENIED,
        "vera has the role viewer; Create in project demo needs the role contributor there",
    )
    stub.create(CreateRequest(app=app()), headers=bearer(plane, "alice"))
    assert stub.get(GetRequest(app_id=app().metadata.id), headers=headers).app.metadata.revision == 1
    for call in (
        lambda: stub.update(UpdateRequest(app=app()), headers=headers),
        lambda: stub.delete(DeleteRequest(app_id=app().metadata.id), headers=headers),
    ):
        assert refusal(call)[0] is Code.PERMISSION_DENIED


def test_a_contributor_writes_in_its_projects(plane: FakeControlPlane) -> None:
    """In others it reads."""
    stub, headers = plane.stub(), bearer(plane, "bob")
    stub.create(CreateRequest(app=app()), headers=headers)
    code, message = refusal(lambda: stub.create(CreateRequest(app=app(project="other")), headers=headers))
    assert (code, "bob has the role contributor" in message) == (Code.PERMISSION_DENIED, True)
    stub.create(CreateRequest(app=app(project="other")), headers=bearer(plane, "alice"))
    assert len(stub.list(ListRequest(org="flyte"), headers=headers).apps) == 2


@pytest.mark.parametrize("subject", ["bob", "vera"])
def test_operators_calls_need_an_admin(plane: FakeControlPlane, subject: str) -> None:
    """Lease and UpdateStatus are for clusters."""
    stub, headers = plane.stub(), bearer(plane, subject)
    lease = LeaseRequest(id=ClusterIdentifier(organization="flyte", name="east"))
    for call in (
        lambda: stub.update_status(UpdateStatusRequest(app=app()), headers=headers),
        lambda: stub.lease(lease, headers=headers),
    ):
        code, message = refusal(call)
        assert (code, "needs the role admin" in message) == (Code.PERMISSION_DENIED, True)
    stub.lease(lease, headers=bearer(plane, "alice")).close()  # type: ignore[attr-defined]  # of a stream in process


def test_what_a_caller_may_not_see_is_as_if_it_werent_there(shown: FakeControlPlane) -> None:
    """An app in a hidden project gives the answers that an absent app of that project gives."""
    headers = bearer(shown, "nina")
    stub, logs = shown.stub(), shown.logs_stub()

    def answers(name: str) -> list[tuple[Code, str]]:
        app_id = Identifier(org=shown.org, project="secret", domain="development", name=name)
        hidden = app(name, "secret")
        calls: list[Callable[[], Any]] = [
            lambda: stub.get(GetRequest(app_id=app_id), headers=headers),
            lambda: stub.update(UpdateRequest(app=hidden), headers=headers),
            lambda: stub.delete(DeleteRequest(app_id=app_id), headers=headers),
            lambda: logs.tail_logs(TailLogsRequest(app_id=app_id), headers=headers),
        ]
        return [(code, text.replace(name, "NAME")) for code, text in map(refusal, calls)]

    assert answers("ccc") == [(code, text) for code, text in answers("xxx")]
    assert {code for code, _ in answers("ccc")} == {Code.NOT_FOUND}
    assert stub.get(GetRequest(app_id=app("a", "open-1").metadata.id), headers=headers).app.metadata.id.name == "a"


def test_hidden_apps_are_not_listed(shown: FakeControlPlane) -> None:
    """A list of all apps, and one of a hidden project, leave them out; their number, too."""
    stub = shown.stub()
    everything = ListRequest(org=shown.org, include_total_count=True) if shown.settings.dialect == "standard" else None
    found = stub.list(everything or ListRequest(), headers=bearer(shown, "nina"))
    assert [each.metadata.id.name for each in found.apps] == ["a", "b"]
    if everything is not None:
        assert found.total_count == 2
    project = ProjectIdentifier(organization=shown.org, name="secret", domain="development")
    assert not stub.list(ListRequest(project=project), headers=bearer(shown, "nina")).apps
    assert len(stub.list(everything or ListRequest(), headers=bearer(shown, "vera")).apps) == 3


def test_hidden_apps_are_not_watched(plane: FakeControlPlane) -> None:
    """Neither in the snapshot nor later; the app itself, its project and the whole org."""
    stub = plane.stub()
    admin, nina = bearer(plane, "alice"), bearer(plane, "nina")
    stub.create(CreateRequest(app=app("c", "secret")), headers=admin)
    project = ProjectIdentifier(organization="flyte", name="secret", domain="development")
    hidden = [
        iter(stub.watch(WatchRequest(app_id=app("c", "secret").metadata.id), headers=nina)),
        iter(stub.watch(WatchRequest(project=project), headers=nina)),
    ]
    whole = iter(stub.watch(WatchRequest(org="flyte"), headers=nina))
    stub.create(CreateRequest(app=app("d", "secret")), headers=admin)
    stub.create(CreateRequest(app=app("a", "open-1")), headers=admin)
    assert next(whole).create_event.app.metadata.id.name == "a"
    for stream in hidden:
        with pytest.raises(TimeoutError):
            stream.receive(0.01)  # type: ignore[attr-defined]  # of a stream in process
        stream.close()  # type: ignore[attr-defined]
    whole.close()  # type: ignore[attr-defined]


def test_hidden_apps_of_the_other_dialect_are_not_watched() -> None:
    """A Watch there is by bare name, whatever the project."""
    with FakeControlPlane(auth=AUTH, clock="manual", dialect="flyte-oss") as plane:
        stub = plane.stub()
        watched = WatchRequest(app_id=Identifier(project="open-1", domain="development", name="web"))
        stream = iter(stub.watch(watched, headers=bearer(plane, "nina")))
        stub.create(CreateRequest(app=app("web", "secret")), headers=bearer(plane, "alice"))
        stub.create(CreateRequest(app=app("web", "open-1")), headers=bearer(plane, "alice"))
        assert next(stream).create_event.app.metadata.id.project == "open-1"
        stream.close()  # type: ignore[attr-defined]


def test_a_hidden_app_has_no_ingress(plane: FakeControlPlane) -> None:
    """A Get by public URL finds what the caller may see."""
    stub = plane.stub()
    created = stub.create(CreateRequest(app=app("c", "secret")), headers=bearer(plane, "alice")).app
    url = created.status.ingress.public_url
    found = refusal(lambda: stub.get(GetRequest(ingress=Ingress(public_url=url)), headers=bearer(plane, "nina")))
    absent = refusal(lambda: stub.get(GetRequest(ingress=Ingress(public_url=url + "x")), headers=bearer(plane, "nina")))
    assert found == absent == (Code.NOT_FOUND, "no app answers under that ingress")


def test_a_contributor_sees_where_it_writes(shown: FakeControlPlane) -> None:
    """And what is visible to it; a write elsewhere is refused by its role, one to a hidden app as to an absent one."""
    stub, headers = shown.stub(), bearer(shown, "carl")
    stub.update(UpdateRequest(app=_stopped(app("a", "open-1"))), headers=headers)
    assert refusal(lambda: stub.update(UpdateRequest(app=app("b", "open-2")), headers=headers))[0] is (
        Code.PERMISSION_DENIED
    )
    assert refusal(lambda: stub.update(UpdateRequest(app=app("c", "secret")), headers=headers))[0] is Code.NOT_FOUND


def _stopped(wanted: Any) -> Any:
    wanted.spec.desired_state = wanted.spec.DESIRED_STATE_STOPPED
    return wanted


def test_responses_are_cached_for_those_who_may_see_them(plane: FakeControlPlane, http: httpx.Client) -> None:
    """A repeated Get comes from the front's cache for a caller whose token counts, and for no other."""
    headers = {"content-type": "application/proto"}
    plane.stub().create(CreateRequest(app=app("c", "secret")), headers=bearer(plane, "alice"))
    body = GetRequest(app_id=app("c", "secret").metadata.id).SerializeToString()

    def get(**further: str) -> int:
        path = "/flyteidl2.app.AppService/Get"
        return http.post(path, content=body, headers={**headers, **further}).status_code

    alice, vera, nina = (bearer(plane, each) for each in ("alice", "vera", "nina"))
    assert [get(**alice), get(**alice), get(**vera), get(**vera)] == [200] * 4
    assert [get(**nina), get(), get(authorization="Bearer x")] == [404, 401, 401]
    assert [get(**nina), get(), get(authorization="Bearer x")] == [404, 401, 401]
    assert get(**alice) == 200
    assert [each.caller for each in plane.calls.list("Get")][-1] == "alice"


def _service_call(http: httpx.Client, rpc: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
    answer = http.post(f"/flyteidl2.{rpc}", json=body, headers=headers)
    return answer.status_code, answer.json()


def test_platform_services_have_roles_too(plane: FakeControlPlane, http: httpx.Client) -> None:
    """Projects are an admin's, secrets, tasks and uploads a contributor's; hidden projects are not there."""
    secret = {"id": {"name": "TOKEN", "project": "open-1", "domain": "development"}, "secretSpec": {"stringValue": "x"}}
    upload = {"project": "open-1", "domain": "development", "contentMd5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    writes = [
        ("project.ProjectService/CreateProject", {"project": {"id": "new"}}, ["alice"]),
        ("secret.SecretService/CreateSecret", secret, ["alice", "carl", "ci"]),
        ("dataproxy.DataProxyService/CreateUploadLocation", upload, ["alice", "carl", "ci"]),
    ]
    for rpc, body, allowed in writes:
        for subject in ("alice", "bob", "vera", "nina", "carl", "ci"):
            status, _ = _service_call(http, rpc, body, bearer(plane, subject))
            assert (status != 403) is (subject in allowed), (rpc, subject)
        assert _service_call(http, rpc, body, {})[0] == 401
    listed = _service_call(http, "project.ProjectService/ListProjects", {}, bearer(plane, "nina"))[1]
    assert [each["id"] for each in listed["projects"]["projects"]] == ["open-1"]
    assert _service_call(http, "project.ProjectService/GetProject", {"id": "new"}, bearer(plane, "nina"))[0] == 404
    assert _service_call(http, "project.ProjectService/GetProject", {"id": "new"}, bearer(plane, "vera"))[0] == 200
    hidden = {"project": "secret", "domain": "development", "name": "x"}
    for rpc, body in (
        ("task.TaskService/ListTasks", {"projectId": {"name": "secret", "domain": "development"}}),
        ("secret.SecretService/ListSecrets", {"project": "secret", "domain": "development"}),
        ("task.TaskService/ListVersions", {"taskName": hidden}),
    ):
        assert _service_call(http, rpc, body, bearer(plane, "nina"))[0] == 404, rpc


def test_the_control_api_is_an_admins(plane: FakeControlPlane, http: httpx.Client) -> None:
    """Others are refused with the role, callers without credentials as everywhere."""
    path = "/flyteapps.control.v1.ControlService/GetClock"
    answers = {each: http.post(path, json={}, headers=bearer(plane, each)) for each in ("alice", "bob", "vera")}
    assert [answer.status_code for answer in answers.values()] == [200, 403, 403]
    assert answers["bob"].json()["message"] == "bob has the role contributor; GetClock needs the role admin"
    assert http.post(path, json={}).status_code == 401


def test_every_rpc_has_its_right() -> None:
    """A method that only reads is named so, and no other is."""
    plane = FakeControlPlane()
    rows = [row.operation for row in service_endpoints(plane, None)]  # type: ignore[arg-type]  # signs nothing here
    for operation in [*rows, *OPERATIONS.values()]:
        reads = operation.method.startswith(("Get", "List", "Select", "UserInfo", "Watch", "TailLogs"))
        assert (operation.access == "read") is reads, operation.rpc
