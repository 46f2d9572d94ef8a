"""Create, Update and Delete: each deploys, stops or removes a service. They check only what the backend checks.

Each is a generator of steps (see pending_writes.py): a service is read, then the time of a write passes, then it is
written, with the version that was read as a condition. The refusals of a write that meets another are the cluster's.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from uuid import UUID

from flyteidl2.app.app_definition_pb2 import App, Identifier, Spec
from flyteidl2.app.app_payload_pb2 import CreateRequest, DeleteRequest, UpdateRequest

from flyteapps_fake.core.draws import drawn
from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.flyte_oss.building.map_order import drawn_order
from flyteapps_fake.flyte_oss.cluster import Cluster, Since
from flyteapps_fake.flyte_oss.kubernetes.written import Written
from flyteapps_fake.flyte_oss.names import ingress_of, resource_name
from flyteapps_fake.flyte_oss.payloads import PanicError, check_payload
from flyteapps_fake.flyte_oss.pending_writes import Steps
from flyteapps_fake.flyte_oss.services import NAMESPACE, Service
from flyteapps_fake.flyte_oss.simulation.environment import ClusterEnvironment
from flyteapps_fake.flyte_oss.simulation.operator import Operator


class Writes:
    """The writes of one plane."""

    def __init__(self, cluster: Cluster, operator: Operator, environment: ClusterEnvironment) -> None:
        self._cluster = cluster
        self._operator = operator
        self._environment = environment

    def create(self, request: CreateRequest) -> Steps[App]:
        """Deploy the app, new or not; return it as sent, with only the ingress as its status. Raises RpcError."""
        app = request.app
        _require_id(app)
        if not app.HasField("spec"):
            raise RpcError(Code.INVALID_ARGUMENT, "app spec is required")
        if app.spec.WhichOneof("app_payload") is None:
            raise RpcError(Code.INVALID_ARGUMENT, "app spec must include a container or pod payload")
        resource = yield from self._deploy(app)
        app.ClearField("status")
        app.status.SetInParent()
        ingress = ingress_of(self._cluster.settings, resource)
        if ingress is not None:
            app.status.ingress.CopyFrom(ingress)
        return app

    def update(self, request: UpdateRequest) -> Steps[App]:
        """Stop or deploy the app by its desired state; return it as sent, with its present status. Raises RpcError."""
        app = request.app
        _require_id(app)
        resource = resource_name(app.metadata.id)
        if app.spec.desired_state == Spec.DESIRED_STATE_STOPPED:
            yield from self._stop(resource)
        else:
            yield from self._deploy(app)
        yield None
        service = require(self._cluster, resource)
        app.status.CopyFrom(self._cluster.status(service))
        return app

    def delete(self, request: DeleteRequest) -> Steps[Identifier]:
        """Remove the app in any state and return its id; an absent app is no error. Raises RpcError."""
        if not request.HasField("app_id"):
            raise RpcError(Code.INVALID_ARGUMENT, "app_id is required")
        resource = resource_name(request.app_id)
        check_name(self._cluster, f"failed to delete KService {resource}", resource)
        yield resource
        service = self._cluster.services.get(resource)
        if service is not None:
            self._cluster.clock.tick()
            self._operator.drop(service.resource)
            self._cluster.remove(service)
        return request.app_id

    def _deploy(self, app: App) -> Steps[str]:
        """Create the service or replace its spec; a service that runs with the same spec stays as it is."""
        app_id = app.metadata.id
        resource = resource_name(app_id)
        try:
            check_payload(resource, app.spec)
        except PanicError as panic:
            if self._cluster.on_notice is not None:
                self._cluster.on_notice(app_id.name, f"{panic.cause}: it makes a service of the backend panic")
            raise
        check_name(self._cluster, f"failed to get KService {resource}", resource)
        old = self._cluster.services.get(resource)
        spec = encode(app.spec)
        hashed = old.specs_hashed + 1 if old is not None else 1
        order = drawn_order(app.spec, self._cluster.timeline.seed, resource, hashed)
        if old is not None and order:
            old = replace(old, specs_hashed=hashed)
            self._cluster.put_unseen(old)
        if old is not None and old.runs(spec, order):
            return resource
        failed = f"failed to {'create' if old is None else 'update'} KService {resource}"
        written = Written(resource, app, spec, self._cluster.clock.now(), new=old is None)
        admission = self._cluster.admission
        _refuse(failed, admission.refusal_of_request(written))
        since = yield resource
        changed, invalid = partial(self._changed, resource, old, since), partial(admission.refusal_of_object, written)
        for refusal in (invalid, changed) if old is None else (changed, invalid):
            _refuse(failed, refusal())
        old = self._cluster.services.get(resource)
        now = self._cluster.clock.tick()
        if old is not None and _same_template(old, app_id, spec):
            changed = replace(old, org=app_id.org, name=app_id.name, map_order=order, written=now, new=False)
            self._cluster.put(changed)
            return resource
        service = Service(
            resource=resource,
            org=app_id.org,
            project=app_id.project,
            domain=app_id.domain,
            name=app_id.name,
            spec=spec,
            stopped=False,
            generation=1,
            created=self._environment.created(now),
            written=now,
            map_order=order,
            specs_hashed=hashed if order else 0,
        )
        if old is not None:
            service = replace(
                service,
                generation=old.generation + 1,
                conditions=old.conditions,
                ready=old.ready,
                replicas=old.replicas,
                created=old.created,
                new=False,
                specs_hashed=old.specs_hashed,
            )
        self._cluster.put(service)
        self._operator.start(service, app)
        return resource

    def _changed(self, resource: str, read: Service | None, since: Since) -> str | None:
        """Return the refusal to write a service that isn't at the version that was read, None where it is."""
        found = self._cluster.services.get(resource)
        if read is None:
            return f"{_quoted(resource)} already exists" if found is not None else None
        if found is None:
            return f"{_quoted(resource)} not found"
        if since.deleted:
            return self._another(resource, since.at)
        return _conflict(resource) if self._operator.collides(resource, since) else None

    def _another(self, resource: str, read_at: int) -> str:
        """Return Kubernetes' refusal to update a service that isn't the one that was read."""
        seed = self._cluster.timeline.seed
        read, found = (UUID(bytes=drawn(seed, "uid", resource, at)[:16], version=4) for at in (read_at, "anew"))
        return (
            f"Operation cannot be fulfilled on {_quoted(resource)}: StorageError: invalid object, Code: 4, Key: "
            f"/registry/serving.knative.dev/services/{NAMESPACE}/{resource}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {read}, UID in object meta: {found}"
        )

    def _stop(self, resource: str) -> Steps[None]:
        """Stop the service; a stopped or absent one stays as it is. It is a patch, without a condition."""
        check_name(self._cluster, f"failed to patch KService {resource} to stop", resource)
        yield resource
        old = self._cluster.services.get(resource)
        if old is None or old.stopped:
            return
        now = self._cluster.clock.tick()
        service = replace(old, stopped=True, generation=old.generation + 1, ready=0, replicas=0, written=now, new=False)
        self._cluster.put(service)
        self._operator.stop(service)


def require(cluster: Cluster, resource: str) -> Service:
    """Return the service, or raise NOT_FOUND with the backend's message."""
    return found(resource, cluster.services.get(resource))


def found(resource: str, service: Service | None) -> Service:
    """Return the service that was found, or raise NOT_FOUND with the backend's message where there is none."""
    if service is None:
        raise missing(resource)
    return service


def missing(resource: str) -> RpcError:
    """Return the backend's refusal of a request for a service that isn't there."""
    return RpcError(Code.NOT_FOUND, f"KService {resource} not found: {_quoted(resource)} not found")


def _quoted(resource: str) -> str:
    """Return a service as Kubernetes names it."""
    return f'services.serving.knative.dev "{resource}"'


def check_name(cluster: Cluster, failed: str, resource: str) -> None:
    """Reject a resource name that no request to the cluster can have in its URL. Raises INTERNAL."""
    _refuse(failed, cluster.admission.refusal_of_name(resource))


def _refuse(failed: str, refusal: str | None) -> None:
    """Raise INTERNAL with the cluster's refusal, unless there is none."""
    if refusal is not None:
        raise RpcError(Code.INTERNAL, f"{failed}: {refusal}")


def _same_template(old: Service, app_id: Identifier, spec: bytes) -> bool:
    """Return whether a write changes annotations only: then there is no new revision, and the operator does nothing.

    The containers of a service know the project and the domain that it was written with.
    """
    place = (app_id.project, app_id.domain)
    return not old.stopped and old.spec == spec and (old.project, old.domain) == place


def _require_id(app: App) -> None:
    if not app.metadata.HasField("id"):
        raise RpcError(Code.INVALID_ARGUMENT, "app identifier is required")


def _conflict(resource: str) -> str:
    return (
        f"Operation cannot be fulfilled on {_quoted(resource)}: the object has been modified; "
        "please apply your changes to the latest version and try again"
    )
