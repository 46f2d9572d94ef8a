"""The methods of one server by path: the plane's own, the services beside it, health, reflection."""

from __future__ import annotations

from flyteapps_fake.core.plane import Plane
from flyteapps_fake.http.builtin.health import health_endpoints
from flyteapps_fake.http.builtin.reflection import reflection_endpoints
from flyteapps_fake.http.builtin.uploads import UPLOAD, Uploads
from flyteapps_fake.http.endpoints import (
    Endpoint,
    control_endpoints,
    method_endpoints,
    plane_endpoints,
    service_endpoints,
)


def table(plane: Plane, uploads: Uploads, control: bool) -> dict[str, Endpoint]:
    """Return the endpoints of a server over `plane`; `control`: those of the control API, too."""
    rows: list[Endpoint] = [*plane_endpoints(plane), *service_endpoints(plane, uploads)]
    if plane.authentication is not None:
        from flyteapps_fake.auth.oauth.metadata import AuthMetadata
        from flyteapps_fake.http.handlers.authorization import TOKEN

        rows += method_endpoints(plane, AuthMetadata(plane.authentication).methods())
        plane.know([TOKEN.rpc])
    plane.know((*(row.operation.rpc for row in rows), UPLOAD.rpc))
    if control:
        rows += control_endpoints(plane)
    rows += health_endpoints({row.operation.service for row in rows})
    rows += reflection_endpoints({row.operation.service for row in rows})
    return {row.operation.path: row for row in rows}
