"""TailLogs: the last lines of an app's pods, or of one pod, and further ones until the pods end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from flyteidl2.app.app_definition_pb2 import Identifier
from flyteidl2.app.app_logs_payload_pb2 import TailLogsRequest, TailLogsResponse
from flyteidl2.app.replica_definition_pb2 import ReplicaIdentifier
from flyteidl2.logs.dataplane import payload_pb2 as logs

from flyteapps_fake.core.errors import Code, RpcError
from flyteapps_fake.core.log_tails import Tail
from flyteapps_fake.core.protobuf import encode
from flyteapps_fake.core.state.sections import Entry
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.clock import timestamp
from flyteapps_fake.flyte_oss.cluster import FLYTE_OSS_SERVICES, Cluster
from flyteapps_fake.flyte_oss.kubernetes.selector import SelectorError
from flyteapps_fake.flyte_oss.names import resource_name
from flyteapps_fake.flyte_oss.services import NAMESPACE
from flyteapps_fake.flyte_oss.simulation.environment import ClusterEnvironment
from flyteapps_fake.flyte_oss.simulation.operator import Operator, log_scope
from flyteapps_fake.flyte_oss.simulation.pods import Pod
from flyteapps_fake.flyte_oss.writes import check_name
from flyteapps_fake.simulation.log_lines import Line
from flyteapps_fake.simulation.step_logs import StepLog

MAX_STREAMS = 100
MAX_BATCH_LINES = 100
"""Lines in one message."""


class Logs:
    """The log streams of one plane."""

    def __init__(self, cluster: Cluster, operator: Operator, environment: ClusterEnvironment) -> None:
        self.cluster = cluster
        self.operator = operator
        self.environment = environment
        self.open: set[OpenStream] = set()

    def tail(self, request: TailLogsRequest) -> LogStream:
        """Return a stream of the lines of the app's pods, or of one of them. Raises RpcError."""
        if len(self.open) >= MAX_STREAMS:
            raise RpcError(Code.RESOURCE_EXHAUSTED, "too many concurrent log streams")
        match request.WhichOneof("target"):
            case "app_id":
                return self._of_app(request.app_id)
            case "replica_id":
                return self._of_replica(request.replica_id)
            case _:
                raise RpcError(Code.INVALID_ARGUMENT, "target (app_id or replica_id) is required")

    def _of_app(self, app_id: Identifier) -> LogStream:
        resource = resource_name(app_id)
        self._check(app_id, resource)
        pods = self.operator.pods(resource)
        if not pods:
            raise RpcError(Code.NOT_FOUND, "no replicas found")
        return LogStream(self, resource, {pod: ReplicaIdentifier(app_id=app_id, name=pod.name) for pod in pods})

    def _check(self, app_id: Identifier, resource: str) -> None:
        """Reject an app whose service, or whose pods, the cluster can't be asked for. Raises INTERNAL."""
        path = f"{app_id.project}/{app_id.domain}/{app_id.name}"
        check_name(self.cluster, f"failed to get KService for app {path}", resource)
        try:
            self.cluster.admission.check_pods_of(resource)
        except SelectorError as error:
            raise RpcError(Code.INTERNAL, f"failed to list pods for app {path}: {error}") from None

    def _of_replica(self, replica: ReplicaIdentifier) -> LogStream:
        if not replica.HasField("app_id") or not replica.name:
            raise RpcError(Code.INVALID_ARGUMENT, "replica_id with app_id and name is required")
        found = self.operator.pod(replica.name)
        if found is not None:
            return LogStream(self, found[0], {found[1]: replica})
        stream = LogStream(self, resource_name(replica.app_id), {}, named=(replica,))
        message = f"pod {replica.name} not found in namespace {NAMESPACE}"
        stream.end(RpcError(Code.NOT_FOUND, message))
        return stream


class LogStream(Tail):
    """The lines of some pods; `named` lists requested replicas without a pod."""

    def __init__(
        self, owner: Logs, resource: str, pods: dict[Pod, ReplicaIdentifier], named: Iterable[ReplicaIdentifier] = ()
    ) -> None:
        self._owner = owner
        self._pods = pods
        self._resource = resource
        self._read = 0
        """The time up to which lines were read."""
        first = TailLogsResponse()
        first.replicas.replicas.extend([*pods.values(), *named])
        cluster = owner.cluster
        entry = Entry(FLYTE_OSS_SERVICES, resource)
        super().__init__(log_scope(resource), cluster.streams, cluster.timeline, encode(first), entry)
        owner.open.add(self)

    def detached(self) -> None:
        self._owner.open.discard(self)
        super().detached()

    def _since(self) -> Iterator[bytes]:
        after, self._read = self._read, self._owner.cluster.clock.now()
        return self._between(after, self._read, tuple(self._owner.operator.step_logs.of(self._resource)))

    def _between(self, after: int, until: int, steps: Sequence[StepLog]) -> Iterator[bytes]:
        """Yield the messages of one pod after the other; a pod's lines are computed when they are read."""
        for pod, replica in self._pods.items():
            lines = self._owner.environment.lines(pod, after, until)
            lines += [line for step in steps for line in step.lines(pod.name) if after < line.at <= until]
            lines.sort(key=attrgetter("at"))
            for first in range(0, len(lines), MAX_BATCH_LINES):
                yield _message(replica, lines[first : first + MAX_BATCH_LINES])

    def _over(self) -> bool:
        operator, environment = self._owner.operator, self._owner.environment
        return all(operator.pod(pod.name) is None or environment.ends(pod) for pod in self._pods)

    def _next_at(self) -> int | None:
        times = [at for pod in self._pods if (at := self._owner.environment.next_line(pod, self._read)) is not None]
        return min(times, default=None)


def _message(replica: ReplicaIdentifier, lines: list[Line]) -> bytes:
    response = TailLogsResponse()
    group = response.batches.logs.add(replica_id=replica)
    for line in lines:
        group.structured_lines.add(timestamp=timestamp(line.at), message=line.text, originator=logs.USER)
    return encode(response)
