"""Get, List and Watch, and the cache of Get.

An answer to Get is cached for 30 seconds, by project, domain and name as they were sent; a write drops that of its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flyteidl2.app.app_definition_pb2 import App, Identifier, Spec
from flyteidl2.app.app_payload_pb2 import GetRequest, ListRequest, WatchRequest

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.lifecycle import STOPPED
from flyteapps_fake.core.operations import CREATE_EVENT, UPDATE_EVENT
from flyteapps_fake.core.protobuf import encode, field
from flyteapps_fake.flyte_oss.answers import Answers, cache_key
from flyteapps_fake.flyte_oss.cluster import Cluster
from flyteapps_fake.flyte_oss.kubernetes.selector import Selector, SelectorError
from flyteapps_fake.flyte_oss.names import resource_name
from flyteapps_fake.flyte_oss.paging.versions import ServicesThen
from flyteapps_fake.flyte_oss.pending_writes import PendingWrites
from flyteapps_fake.flyte_oss.services import Service, Services
from flyteapps_fake.flyte_oss.watch_hub import EVENT_DELAY_NS, Subscription, event_of
from flyteapps_fake.flyte_oss.writes import check_name, require


class Reads:
    """The reads of one plane."""

    def __init__(self, cluster: Cluster, answers: Answers, pending: PendingWrites) -> None:
        self._cluster = cluster
        self._answers = answers
        self._pending = pending
        self._cached = answers.encoded

    def get(self, request: GetRequest) -> bytes:
        """Return the encoded App: as it was read within the last 30 seconds, else as it is. Raises RpcError."""
        if not request.HasField("app_id"):
            raise RpcError(Code.INVALID_ARGUMENT, "app_id is required")
        timeline, key = self._cluster.timeline, cache_key(request.app_id)
        resource = resource_name(request.app_id)
        cached = self._cached.get(key)
        if cached is not None:
            timeline.read_late(resource)
            timeline.read_late(key)
            return cached
        check_name(self._cluster, f"failed to get KService {resource}", resource)
        timeline.read(resource)  # before the app is read: this may let it take a step
        app = self._cluster.app(require(self._cluster, resource))
        encoded = encode(app)
        if not _shows_stale_stop(app):
            self._answers.store(key, encoded)
            self._pending.read(key, encoded)
            timeline.woken(key)
            timeline.read(key)
        return encoded

    def list_(self, request: ListRequest) -> bytes:
        """Return the encoded ListResponse: apps by resource name; filters, sort and total are ignored."""

        def shown(service: Service) -> bytes:
            self._cluster.timeline.read(service.resource)
            return self._cluster.encoded(service)

        return list_services(self._cluster, self._cluster.services, request, shown)

    def watch(self, request: WatchRequest) -> Subscription:
        """Return a subscription by bare name that begins with the apps of that id's project and domain."""
        app_id = watched_id(request)
        name = app_id.name
        snapshot = [
            self._cluster.encoder(each)
            for each in matching(self._cluster, self._cluster.services, app_id)
            if self._cluster.shows(each)
        ]
        return self._cluster.streams.subscribe(name, snapshot, self._recent_events(name) if name else ())

    def _recent_events(self, name: str) -> list[bytes]:
        """Return the events of writes that the watch hub has not received yet."""
        since = self._cluster.clock.now() - EVENT_DELAY_NS
        found = [
            each for each in self._cluster.services.named(name) if each.written >= since and self._cluster.shows(each)
        ]
        return [event_of(CREATE_EVENT if each.new else UPDATE_EVENT, self._cluster.encoded(each)) for each in found]


def list_services(
    cluster: Cluster, services: Services, request: ListRequest, shown: Callable[[Service], bytes]
) -> bytes:
    """Return the encoded ListResponse about those of the services that are shown; `shown` returns an encoded App."""
    match request.WhichOneof("filter_by"):
        case "org" | "cluster_id":
            message = "org and cluster_id filters are not supported by the data plane"
            raise RpcError(Code.UNIMPLEMENTED, message)
        case "project":
            project, domain = request.project.name, request.project.domain
        case _:
            project, domain = "", ""
    selector = _selector(cluster, project, domain)

    def selected(there: Services | ServicesThen, start: str) -> Iterable[Service]:
        return _selected(there, selector, project, domain, start)

    query = request.request
    page = cluster.pages.page(services, query.limit, query.token, f"{project}/{domain}", selected, cluster.shows)
    encoded = [field(1, shown(service)) for service in page.services]
    return b"".join([*encoded, field(2, page.token)] if page.token else encoded)


def watched_id(request: WatchRequest) -> Identifier:
    """Return the id that a Watch is of, an empty one for none. Raises UNIMPLEMENTED."""
    match request.WhichOneof("target"):
        case "app_id":
            return request.app_id
        case None:
            return Identifier()
        case _:
            raise RpcError(Code.UNIMPLEMENTED, "only app_id watch target is supported")


def matching(cluster: Cluster, services: Services, app_id: Identifier) -> list[Service]:
    """Return the services of a bare name, or of all names, in the project and domain of an id. Raises INTERNAL."""
    selector = _selector(cluster, app_id.project, app_id.domain)
    if selector is not None:
        found = _selected(services, selector, app_id.project, app_id.domain)
        return [each for each in found if app_id.name in ("", each.name)]
    found = services.named(app_id.name) if app_id.name else services.listed(app_id.project, app_id.domain)
    return [each for each in found if each.is_in(app_id.project, app_id.domain)]


def _selector(cluster: Cluster, project: str, domain: str) -> Selector | None:
    """Return what the cluster selects services by, if it isn't just their project and domain. Raises INTERNAL."""
    try:
        return cluster.admission.selector_of(project, domain)
    except SelectorError as error:
        raise RpcError(Code.INTERNAL, f"failed to list KServices for {project}/{domain}: {error}") from None


def _selected(
    services: Services | ServicesThen, selector: Selector | None, project: str, domain: str, start: str = ""
) -> Iterable[Service]:
    """Return the services that are selected, by resource name from `start` on."""
    if selector is None:
        return services.listed(project, domain, start)
    return (each for each in services.listed("", "", start) if selector.matches(each.labels()))


def _shows_stale_stop(app: App) -> bool:
    """Return whether an app that should run still shows STOPPED: such an answer is not cached."""
    stopping = app.spec.desired_state == Spec.DESIRED_STATE_STOPPED
    return not stopping and any(each.deployment_status == STOPPED for each in app.status.conditions)
