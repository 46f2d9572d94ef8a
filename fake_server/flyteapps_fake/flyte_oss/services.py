"""The services of a cluster, one an app: the stored state, and the App message made from it.

A service is immutable: a write replaces it by another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flyteidl2.app.app_definition_pb2 import App, Condition, Identifier, K8sMetadata, Meta, Spec, Status
from sortedcontainers import SortedDict, SortedSet

from flyteapps_control.selection import AppName
from flyteapps_fake.core.lifecycle import PENDING, STOPPED
from flyteapps_fake.core.settings import Settings
from flyteapps_fake.core.time.clock import set_timestamp, timestamp
from flyteapps_fake.flyte_oss.conditions import Conditions, to_messages
from flyteapps_fake.flyte_oss.kubernetes.labels import STOPPED as STOPPED_LABELS
from flyteapps_fake.flyte_oss.kubernetes.labels import labels_of
from flyteapps_fake.flyte_oss.names import ingress_of, resource_name, shown_id

NAMESPACE = "flyte"
DEFAULT_ORG = "flyte"
"""The org of an app that was written without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One version of a service. Times are nanoseconds since 1970.

    `generation` counts the changes of the spec or the desired state; `ready` is the generation that serves (0: none),
    with `replicas` replicas. `created` is 0 in a cluster that sets no creation time. `written` is the time of a
    client's last write, and `new` says whether that write created the service. `map_order` is the order in which the
    maps of `spec` were written, b"" where there is but one, and `specs_hashed` the number of times that the order of a
    spec was drawn for this service.
    """

    resource: str
    org: str
    project: str
    domain: str
    name: str
    spec: bytes
    stopped: bool
    generation: int
    conditions: Conditions = ()
    ready: int = 0
    replicas: int = 0
    created: int = 0
    written: int = 0
    new: bool = True
    map_order: bytes = b""
    specs_hashed: int = 0

    @property
    def shown_replicas(self) -> int:
        """The replicas in the app's status."""
        return self.replicas if self.ready and not self.stopped else 0

    @property
    def shown_name(self) -> str:
        """The name in the id that is shown, by which it is watched."""
        return shown_id(self.project, self.domain, self.name)[2]

    def named(self) -> AppName:
        """Return the name without the org, as selectors have it."""
        return AppName(self.project, self.domain, self.name)

    def runs(self, spec: bytes, map_order: bytes = b"") -> bool:
        """Return whether the service should run exactly that spec, with its maps in exactly that order."""
        return not self.stopped and self.spec == spec and self.map_order == map_order

    def labels(self) -> dict[str, str]:
        """Return the labels that the backend writes, by which a List selects."""
        app_id = Identifier(project=self.project, domain=self.domain, name=self.name)
        return labels_of(app_id) | (STOPPED_LABELS if self.stopped else {})

    def is_in(self, project: str, domain: str) -> bool:
        """Return whether the app is in that project and domain; "" matches any."""
        return project in ("", self.project) and domain in ("", self.domain)

    def app(self, settings: Settings, now: int) -> App:
        """Return the app as it is shown at `now`."""
        project, domain, name = shown_id(self.project, self.domain, self.name)
        app_id = Identifier(org=self.org or DEFAULT_ORG, project=project, domain=domain, name=name)
        app = App(metadata=Meta(id=app_id), spec=Spec.FromString(self.spec), status=self.status(settings, now))
        if self.stopped:
            app.spec.desired_state = Spec.DESIRED_STATE_STOPPED
        return app

    def summary(self) -> tuple[int, str]:
        """Return the app's status, that of its last condition, and the message of the first condition with it."""
        conditions = to_messages(self.conditions)
        if self.stopped or not conditions:
            return STOPPED if self.stopped else PENDING, ""
        status = conditions[-1].deployment_status
        return status, next(each.message for each in conditions if each.deployment_status == status)

    def status(self, settings: Settings, now: int) -> Status:
        """Return the app's status; a stopped app has one condition, STOPPED, stamped with `now`."""
        if self.stopped:
            stopped = Condition(
                deployment_status=STOPPED, message="App scaled to zero", last_transition_time=timestamp(now)
            )
            return Status(conditions=[stopped])
        status = Status(
            conditions=to_messages(self.conditions),
            ingress=ingress_of(settings, self._host()),
            k8s_metadata=K8sMetadata(namespace=NAMESPACE),
            current_replicas=self.shown_replicas,
        )
        if self.created:
            set_timestamp(status.created_at, self.created)
        return status

    def _host(self) -> str:
        """Return the first label of the app's public URL, which is of the id that is shown."""
        project, domain, name = shown_id(self.project, self.domain, self.name)
        if project == self.project and domain == self.domain:
            return self.resource
        return resource_name(Identifier(project=project, domain=domain, name=name))


class Services:
    """All services of one plane, by resource name, in that order."""

    def __init__(self) -> None:
        self._all: SortedDict[str, Service] = SortedDict()
        self._scopes: dict[tuple[str, str], SortedSet[str]] = {}
        self._names: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def get(self, resource: str) -> Service | None:
        """Return the service of that resource name, or None."""
        return self._all.get(resource)

    def put(self, service: Service) -> None:
        """Store a service; it replaces one of the same resource name."""
        old = self._all.get(service.resource)
        if old is None or (old.project, old.domain, old.name) != (service.project, service.domain, service.name):
            if old is not None:
                self._leave(old)
            self._scopes.setdefault((service.project, service.domain), SortedSet()).add(service.resource)
            self._names.setdefault(service.shown_name, set()).add(service.resource)
        self._all[service.resource] = service

    def remove(self, service: Service) -> None:
        """Remove a stored service."""
        self._leave(service)
        del self._all[service.resource]

    def _leave(self, old: Service) -> None:
        scope = (old.project, old.domain)
        self._scopes[scope].discard(old.resource)
        if not self._scopes[scope]:
            del self._scopes[scope]
        name = old.shown_name
        self._names[name].discard(old.resource)
        if not self._names[name]:
            del self._names[name]

    def listed(self, project: str, domain: str, start: str = "") -> Iterator[Service]:
        """Yield the services of a project and domain ("" matches any) by resource name, from `start` on."""
        if project and domain:
            members = self._scopes.get((project, domain))
            names = members.irange(start or None) if members is not None else iter(())
        else:
            names = self._all.irange(start or None)
        for resource in names:
            service = self._all[resource]
            if service.is_in(project, domain):
                yield service

    def named(self, name: str) -> list[Service]:
        """Return the services of apps with that bare name, by resource name."""
        return [self._all[resource] for resource in sorted(self._names.get(name, ()))]

    def projects(self) -> set[str]:
        """Return the names of the projects that hold an app."""
        return {project for project, _ in self._scopes}
