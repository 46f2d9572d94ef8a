"""The services beside AppService, uploads, and pages."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx
from flyteidl2.app.app_service_connect import AppServiceClientSync
from flyteidl2.auth.identity_connect import IdentityServiceClientSync
from flyteidl2.auth.identity_pb2 import UserInfoRequest
from flyteidl2.cluster.payload_pb2 import SelectClusterRequest, SelectClusterResponse
from flyteidl2.cluster.service_connect import ClusterServiceClientSync
from flyteidl2.dataproxy.dataproxy_service_connect import DataProxyServiceClientSync
from flyteidl2.dataproxy.dataproxy_service_pb2 import CreateUploadLocationRequest
from flyteidl2.imagebuilder.payload_pb2 import GetImageRequest
from flyteidl2.imagebuilder.service_connect import ImageServiceClientSync
from flyteidl2.project.project_service_connect import ProjectServiceClientSync
from flyteidl2.project.project_service_pb2 import GetProjectRequest, ListProjectsRequest

from .messages import create
from .server_process import HTTP, ServerProcess, eventually


def test_an_upload_is_checked(server: ServerProcess) -> None:
    """A signed URL takes the file with the digest that it was made for, and nothing else."""
    body = b"bundle" * 1000
    md5 = hashlib.md5(body).digest()
    with DataProxyServiceClientSync(server.url) as client:
        location = client.create_upload_location(
            CreateUploadLocationRequest(project="p", domain="d", filename="fast 1.tar.gz", content_md5=md5)
        )
    assert location.signed_url.startswith(server.url + "/")
    assert location.native_url.startswith("s3://")
    headers = {"content-md5": base64.b64encode(md5).decode()}
    assert HTTP.put(location.signed_url, content=b"other", headers=headers).status_code == 400
    assert HTTP.put(location.signed_url + "0", content=body, headers=headers).status_code == 403
    assert HTTP.put(location.signed_url, content=body, headers=headers).status_code == 200
    eventually(lambda: re.findall(r" upload - (\S+) ", server.output) == ["HTTP_400", "HTTP_403", "OK"], "no lines")


def test_the_small_platform_services(server: ServerProcess) -> None:
    """SelectCluster names this server, UserInfo the subject, GetImage an image, ListProjects a project."""
    with ClusterServiceClientSync(server.url) as cluster:
        assert cluster.select_cluster(SelectClusterRequest()) == SelectClusterResponse()
    with IdentityServiceClientSync(server.url) as identity:
        assert identity.user_info(UserInfoRequest()).subject == "anonymous"
    request = GetImageRequest()
    request.id.name = "flyte:abc"
    with ImageServiceClientSync(server.url) as images:
        assert images.get_image(request).image.fqin
    with ProjectServiceClientSync(server.url) as projects:
        names = [each.name for each in projects.list_projects(ListProjectsRequest()).projects.projects]
        assert projects.get_project(GetProjectRequest(id=names[0])).project.name == names[0]


def test_pages(server: ServerProcess) -> None:
    """The console lists the apps and shows the state of each on both ports; its public URL says which app answered."""
    with AppServiceClientSync(server.url) as client:
        app = client.create(create("paged")).app
    for port in (server.port, server.console_port):
        page = HTTP.get(f"http://127.0.0.1:{port}/v2/domain/development/project/p/apps/paged")
        assert page.json()["metadata"]["id"]["name"] == "paged"
        assert HTTP.get(f"http://127.0.0.1:{port}/v2/domain/development/project/p/apps/none").status_code == 404
        index = HTTP.get(f"http://127.0.0.1:{port}/", headers={"accept": "text/html"})
        assert index.headers["content-type"].startswith("text/html") and "script" in index.text
        text = HTTP.get(f"http://127.0.0.1:{port}/v2/").text
        assert "is running here" in text
        assert re.search(
            r"^p/development/paged [A-Z]+ /v2/domain/development/project/p/apps/paged$", text, re.MULTILINE
        )
        task = HTTP.get(f"http://127.0.0.1:{port}/v2/domain/development/project/p/tasks/t.f")
        assert (task.status_code, task.text) == (404, "tasks have no page here: only apps do, see /v2/\n")
    public = httpx.URL(app.status.ingress.public_url)
    assert public.port == server.console_port
