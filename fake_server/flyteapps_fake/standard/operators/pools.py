"""Cluster pools: the clusters of each, and the queues of apps that wait to be leased.

A cluster serves the pool of its own name and those that the configuration gives it. Where nothing is configured the
plane's own cluster serves whatever no other cluster has come for: no app waits for a cluster that doesn't exist.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

from flyteidl2.app.app_definition_pb2 import Spec

from flyteapps_fake.core.settings import DEFAULT_POOL, OWN_CLUSTERS, Settings
from flyteapps_fake.core.validation import quoted

MAX_CLUSTERS = 10_000
"""Names of clusters that are remembered."""
MAX_NAME_CHARACTERS = 255
"""Characters of a name that is remembered as it is: of a longer one, which a request may have, a digest is."""

Wanted = tuple[str, str]
"""("cluster", NAME) or ("pool", NAME): where an app may be leased."""


def wanted_by(spec: Spec) -> Wanted:
    """Return where an app may be leased: the cluster that it names, else its pool; the SDK names the default one."""
    kind, name = ("cluster", spec.cluster) if spec.cluster else ("pool", spec.cluster_pool or DEFAULT_POOL)
    return _wanted(kind, name) if len(name) <= MAX_NAME_CHARACTERS else (kind, name)


@lru_cache(maxsize=1_024)
def _wanted(kind: str, name: str) -> Wanted:
    """Return one tuple for all apps that want the same."""
    return kind, name


def _short(name: str) -> str:
    return (
        name
        if len(name) <= MAX_NAME_CHARACTERS
        else f"{name[:8]}... {blake2b(name.encode(), digest_size=16).hexdigest()}"
    )


class Pools:
    """The clusters of each pool, those that have opened a Lease stream, and those that let leases run out.

    `touch` is called before either changes.
    """

    def __init__(self, settings: Settings, touch: Callable[[], None]) -> None:
        self._touch = touch
        self._configured = settings.pools_served()
        self._serves_all = settings.serves_all
        self._own = settings.own_cluster
        self._served = frozenset(self.served_by(self._own)) if self._own else frozenset[Wanted]()
        self.come_clusters: dict[str, None] = {}
        """The clusters that have come, the oldest first."""
        self.lapse_counts: dict[str, int] = {}
        """By cluster, the leases that have run out since it acknowledged one; the first to lapse comes first."""

    def come(self, cluster: str) -> None:
        """Record a cluster that leases: the plane's own leaves it the apps that name it, or a pool of its name."""
        if self._serves_all and cluster not in (self._own, DEFAULT_POOL) and _short(cluster) not in self.come_clusters:
            self._touch()
            self.come_clusters[_short(cluster)] = None
            if len(self.come_clusters) > MAX_CLUSTERS:
                del self.come_clusters[next(iter(self.come_clusters))]

    def is_predecessors(self, cluster: str) -> bool:
        """Return whether that is an own cluster which the plane has under other settings alone."""
        if cluster == self._own or cluster not in OWN_CLUSTERS.values():
            return False
        return cluster not in self.come_clusters and not any(cluster in each for each in self._configured.values())

    def lapsed(self, cluster: str) -> None:
        """Count a lease that the cluster let run out."""
        self._touch()
        self.lapse_counts[_short(cluster)] = self.lapses(cluster) + 1
        if len(self.lapse_counts) > MAX_CLUSTERS:
            del self.lapse_counts[next(iter(self.lapse_counts))]

    def acknowledged(self, cluster: str) -> None:
        """Forget the leases that the cluster let run out before."""
        if self.lapse_counts and _short(cluster) in self.lapse_counts:
            self._touch()
            del self.lapse_counts[_short(cluster)]

    def lapses(self, cluster: str) -> int:
        """Return how many leases the cluster let run out since it acknowledged one."""
        return self.lapse_counts.get(_short(cluster), 0)

    def own_as(self, wanted: Wanted) -> str:
        """Return the name under which the plane's own cluster takes an app that wants that; "" if it doesn't."""
        kind, name = wanted
        if wanted in self._served:
            return self._own
        if not self._serves_all or _short(name) in self.come_clusters:
            return ""
        return name if kind == "cluster" else self._own

    def served_by(self, cluster: str) -> tuple[Wanted, ...]:
        """Return what an app may want for the cluster to serve it."""
        pools = (cluster, *(pool for pool, clusters in self._configured.items() if cluster in clusters))
        return ("cluster", cluster), *(("pool", pool) for pool in dict.fromkeys(pools))

    def why_waiting(self, wanted: Wanted) -> str:
        """Return the message of an app that no cluster has leased yet."""
        kind, name = wanted
        if kind == "cluster":
            return f"Waiting for cluster {quoted(name)} to lease it"
        clusters = self._configured.get(name) or ((self._own,) if self.own_as(wanted) else ())
        if clusters:
            return f"Waiting for a cluster of pool {quoted(name)} to lease it: {', '.join(clusters)}"
        return (
            f"Waiting: no cluster serves pool {quoted(name)} yet; one of that name would, "
            f"and so would those that the plane is given by --pool {name[:80]}=CLUSTER"
        )
