"""Services with fixed answers: the cluster (this server), the user (the caller), the image (any)."""

from __future__ import annotations

from flyteidl2.auth.identity_pb2 import UserInfoRequest, UserInfoResponse
from flyteidl2.cluster.payload_pb2 import SelectClusterRequest, SelectClusterResponse
from flyteidl2.imagebuilder.payload_pb2 import GetImageRequest, GetImageResponse

from flyteapps_fake.services.support.host import Host
from flyteapps_fake.services.support.method import Method
from flyteapps_fake.services.support.name_lengths import MAX_NAME, check_length


class Fixed:
    """The answers of one plane."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def methods(self) -> tuple[Method, ...]:
        """Return the rows of the three services."""
        cluster, identity = "flyteidl2.cluster.ClusterService", "flyteidl2.auth.IdentityService"
        images = "flyteidl2.imagebuilder.ImageService"
        select = (SelectClusterRequest, SelectClusterResponse, self._select_cluster)
        return (
            # not checked: other versions of the SDK send kinds of resources that flyteidl2's enum doesn't have
            Method(cluster, "SelectCluster", *select, checked=False),
            Method(identity, "UserInfo", UserInfoRequest, UserInfoResponse, self._user_info),
            Method(images, "GetImage", GetImageRequest, GetImageResponse, self._get_image),
        )

    def _select_cluster(self, request: SelectClusterRequest, origin: str) -> SelectClusterResponse:
        """Return the empty message, which stands for this server."""
        return SelectClusterResponse()

    def _user_info(self, request: UserInfoRequest, origin: str) -> UserInfoResponse:
        caller = self._host.caller
        subject, first, last = caller.subject, *caller.name.partition(" ")[::2]
        answer = UserInfoResponse(
            subject=subject,
            name=caller.name or subject,
            preferred_username=subject,
            given_name=first,
            family_name=last,
            email=caller.email,
        )
        if caller.role:
            answer.additional_claims.update({"role": caller.role, "projects": list(caller.projects)})
        return answer

    def _get_image(self, request: GetImageRequest, origin: str) -> GetImageResponse:
        """Return a name for any image, since the stand-in runs none."""
        name = request.id.name
        check_length("id.name", name, MAX_NAME)
        answer = GetImageResponse()
        answer.image.id.name = name
        answer.image.fqin = f"registry.flyteapps.invalid/{name}"
        return answer
