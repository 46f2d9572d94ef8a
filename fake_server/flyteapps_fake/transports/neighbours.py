"""The services beside AppService that the Flyte SDK and its CLI call, as little of each as they need."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flyteidl2.auth import identity_pb2
from flyteidl2.cluster import payload_pb2 as cluster_pb2
from flyteidl2.dataproxy import dataproxy_service_pb2 as dataproxy_pb2
from flyteidl2.imagebuilder import payload_pb2 as image_pb2
from flyteidl2.project import project_service_pb2 as project_pb2
from google.protobuf.message import Message

from flyteapps_fake.plane.errors import Code, RpcError
from flyteapps_fake.transports.endpoints import Unary
from flyteapps_fake.transports.uploads import Uploads
from flyteapps_fake.transports.wire import Scope

if TYPE_CHECKING:
    from flyteapps_fake.control_plane import FakeControlPlane

DEFAULT_PROJECT = "demo"
DEFAULT_SECONDS = 900
DOMAINS = ("development", "staging", "production")


class Neighbours:
    """The answers of one server."""

    def __init__(self, plane: FakeControlPlane, uploads: Uploads) -> None:
        self._plane = plane
        self._uploads = uploads
        self._uploaded_to: set[str] = set()

    def select_cluster(self, request: cluster_pb2.SelectClusterRequest, scope: Scope) -> Message:
        """The empty message: this same server."""
        return cluster_pb2.SelectClusterResponse()

    def upload_location(self, request: dataproxy_pb2.CreateUploadLocationRequest, scope: Scope) -> Message:
        if not request.project or not request.domain:
            raise RpcError(Code.INVALID_ARGUMENT, "project and domain must not be empty")
        self._uploaded_to.add(request.project)
        root = request.filename_root or (request.content_md5.hex() or "unnamed")
        name = request.filename or hashlib.sha256(root.encode()).hexdigest()[:16]
        key = "/".join((request.project, request.domain, root, name.lstrip("/")))
        seconds = request.expires_in.seconds if request.HasField("expires_in") else DEFAULT_SECONDS
        url, expires = self._uploads.sign(_origin(scope), key, request.content_md5, seconds)
        answer = dataproxy_pb2.CreateUploadLocationResponse(signed_url=url, native_url=f"s3://flyteapps/{key}")
        answer.expires_at.FromSeconds(int(expires))
        return answer

    def user_info(self, request: identity_pb2.UserInfoRequest, scope: Scope) -> Message:
        subject = self._plane.settings.subject
        return identity_pb2.UserInfoResponse(subject=subject, name=subject, preferred_username=subject)

    def get_image(self, request: image_pb2.GetImageRequest, scope: Scope) -> Message:
        """Every image is there: the stand-in runs none of them."""
        name = request.id.name
        if not name:
            raise RpcError(Code.INVALID_ARGUMENT, "id.name must not be empty")
        answer = image_pb2.GetImageResponse()
        answer.image.id.name = name
        answer.image.fqin = f"registry.flyteapps.invalid/{name}"
        return answer

    def list_projects(self, request: project_pb2.ListProjectsRequest, scope: Scope) -> Message:
        answer = project_pb2.ListProjectsResponse()
        answer.projects.projects.extend(self._project(name) for name in sorted(self._projects()))
        return answer

    def get_project(self, request: project_pb2.GetProjectRequest, scope: Scope) -> Message:
        if request.id not in self._projects():
            raise RpcError(Code.NOT_FOUND, f"project {request.id!r} not found: no app or upload has named it yet")
        return project_pb2.GetProjectResponse(project=self._project(request.id))

    def _projects(self) -> set[str]:
        """Every project is there once somebody names it; the first is so that a list is never empty."""
        return {DEFAULT_PROJECT} | self._uploaded_to | self._plane.projects()

    def _project(self, name: str) -> project_pb2.Project:
        project = project_pb2.Project(id=name, name=name, org=self._plane.org)
        project.state = project_pb2.PROJECT_STATE_ACTIVE
        for domain in DOMAINS:
            project.domains.add(id=domain, name=domain)
        return project


def _origin(scope: Scope) -> str:
    """http(s)://host:port as the caller wrote it."""
    host = dict(scope["headers"]).get(b"host", b"localhost")
    return f"{scope.get('scheme', 'http')}://{host.decode('latin-1')}"


def _endpoint(
    service: str, method: str, request: type[Message], response: type[Message], answer: Callable[[Any, Scope], Message]
) -> Unary:
    def call(message: Message, scope: Scope) -> bytes:
        return answer(message, scope).SerializeToString()

    return Unary(f"flyteidl2.{service}", method, request, response, False, call)


def neighbour_endpoints(plane: FakeControlPlane, uploads: Uploads) -> tuple[Unary, ...]:
    """The neighbours' methods."""
    answers = Neighbours(plane, uploads)
    return (
        _endpoint(
            "cluster.ClusterService",
            "SelectCluster",
            cluster_pb2.SelectClusterRequest,
            cluster_pb2.SelectClusterResponse,
            answers.select_cluster,
        ),
        _endpoint(
            "dataproxy.DataProxyService",
            "CreateUploadLocation",
            dataproxy_pb2.CreateUploadLocationRequest,
            dataproxy_pb2.CreateUploadLocationResponse,
            answers.upload_location,
        ),
        _endpoint(
            "auth.IdentityService",
            "UserInfo",
            identity_pb2.UserInfoRequest,
            identity_pb2.UserInfoResponse,
            answers.user_info,
        ),
        _endpoint(
            "imagebuilder.ImageService",
            "GetImage",
            image_pb2.GetImageRequest,
            image_pb2.GetImageResponse,
            answers.get_image,
        ),
        _endpoint(
            "project.ProjectService",
            "ListProjects",
            project_pb2.ListProjectsRequest,
            project_pb2.ListProjectsResponse,
            answers.list_projects,
        ),
        _endpoint(
            "project.ProjectService",
            "GetProject",
            project_pb2.GetProjectRequest,
            project_pb2.GetProjectResponse,
            answers.get_project,
        ),
    )
