"""ArtifactService: gets the artifacts that the user has declared; they exist in every project and domain."""

from __future__ import annotations

from flyteidl2.artifact.artifact_pb2 import Artifact
from flyteidl2.artifact.artifact_service_pb2 import GetArtifactRequest, GetArtifactResponse

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.time.clock import set_timestamp
from flyteapps_fake.core.validation import quoted
from flyteapps_fake.services.support.declared import literal_of, type_of
from flyteapps_fake.services.support.host import Host
from flyteapps_fake.services.support.method import Method

SERVICE = "flyteidl2.artifact.ArtifactService"
DEFAULT_VERSION = "1"
"""The version of an artifact that was declared without one."""


class Artifacts:
    """The artifacts of one plane."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._created = host.now_ns()
        self._versions: dict[str, dict[str, str]] = {}
        """URIs by version, by name; the version declared last is the latest."""
        for declared, uri in host.settings.artifacts.items():
            name, _, version = declared.partition("@")
            self._versions.setdefault(name, {})[version or DEFAULT_VERSION] = uri

    def methods(self) -> tuple[Method, ...]:
        """Return the rows of the service."""
        return (Method(SERVICE, "GetArtifact", GetArtifactRequest, GetArtifactResponse, self._get),)

    def _get(self, request: GetArtifactRequest, origin: str) -> GetArtifactResponse:
        name = request.name.name
        versions = self._versions.get(name, {})
        version = request.version or next(reversed(versions), "")
        if version not in versions:
            wanted = f"{name}@{request.version}" if request.version else name
            raise RpcError(
                Code.NOT_FOUND,
                f"artifact {quoted(wanted)} not found: declare it with `flyteapps serve --artifact NAME[@VERSION]=URI` "
                "or FakeControlPlane(artifacts={...})",
            )
        artifact = Artifact()
        artifact.artifact_id.name.CopyFrom(request.name)
        artifact.artifact_id.version = version
        artifact.spec.value.CopyFrom(literal_of(versions[version]))
        artifact.spec.type.CopyFrom(type_of(versions[version]))
        artifact.created_by.CopyFrom(self._host.caller.enriched())
        set_timestamp(artifact.created_at, self._created)
        return GetArtifactResponse(artifact=artifact)
