"""DataProxyService: locations for uploads. What is kept of uploaded files is the servers' business: most read none."""

from __future__ import annotations

import hashlib
from typing import Protocol

from flyteidl2.dataproxy.dataproxy_service_pb2 import CreateUploadLocationRequest, CreateUploadLocationResponse

from flyteapps_fake.services.projects import Projects
from flyteapps_fake.services.support.method import Method
from flyteapps_fake.services.support.name_lengths import check_length, check_scope

SERVICE = "flyteidl2.dataproxy.DataProxyService"
DEFAULT_SECONDS = 900
MAX_FILE_NAME = 1_024
"""Characters of a file's name, and of its folder."""


class Signer(Protocol):
    """The signer of upload URLs; each server has its own."""

    def sign(self, origin: str, key: str, md5: bytes, seconds: float) -> tuple[str, float]:
        """Return a URL under `origin` that accepts a file, and its expiry in seconds since 1970."""
        ...

    def location(self, key: str) -> str:
        """Return the URI by which apps read the file."""
        ...


class DataProxy:
    """The upload locations of one server."""

    def __init__(self, projects: Projects, signer: Signer) -> None:
        self._projects = projects
        self._signer = signer

    def methods(self) -> tuple[Method, ...]:
        """Return the rows of the service."""
        request, response = CreateUploadLocationRequest, CreateUploadLocationResponse
        return (Method(SERVICE, "CreateUploadLocation", request, response, self._locate, access="write"),)

    def _locate(self, request: CreateUploadLocationRequest, origin: str) -> CreateUploadLocationResponse:
        check_scope(request.project, request.domain)
        check_length("filename", request.filename, MAX_FILE_NAME)
        check_length("filename_root", request.filename_root, MAX_FILE_NAME)
        self._projects.name(request.project)
        root = request.filename_root or request.content_md5.hex()
        name = request.filename or hashlib.sha256(root.encode()).hexdigest()[:16]
        key = "/".join((request.project, request.domain, root, name.lstrip("/")))
        seconds = request.expires_in.seconds if request.HasField("expires_in") else DEFAULT_SECONDS
        url, expires = self._signer.sign(origin, key, request.content_md5, seconds)
        answer = CreateUploadLocationResponse(signed_url=url, native_url=self._signer.location(key))
        answer.expires_at.FromSeconds(int(expires))
        return answer
