"""The configuration of a stand-in, the same in process and behind `flyteapps serve`."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from flyteapps_control.arguments import number, parse_dialect, texts, whole
from flyteapps_fake.auth.settings import Auth
from flyteapps_fake.core.hostnames import is_hostname
from flyteapps_fake.core.time.start import start_nanoseconds
from flyteapps_fake.dialects import DIALECTS, VERSIONS
from flyteapps_fake.processes.settings import Processes
from flyteapps_fake.simulation.book import ScenarioBook
from flyteapps_fake.simulation.files.sources import Sources

StateSync = Literal["always", "group", "never"]
TimeBetween = Literal["passes", "stands"]
ClockMode = Literal["realtime", "auto", "manual"]
DataPlane = Literal["simulated", "processes", "none"]
IngressForm = Literal["path", "host", "port"]
Kubernetes = Literal["none", "api", "knative"]

STATE_SYNCS: tuple[StateSync, ...] = ("always", "group", "never")
TIMES_BETWEEN: tuple[TimeBetween, ...] = ("passes", "stands")
CLOCK_MODES: tuple[ClockMode, ...] = ("realtime", "auto", "manual")
DATA_PLANES: tuple[DataPlane, ...] = ("simulated", "processes", "none")
INGRESS_FORMS: tuple[IngressForm, ...] = ("path", "host", "port")
KUBERNETES: tuple[Kubernetes, ...] = ("none", "api", "knative")

MAX_NAME = 255
"""Characters of the name of a task or an artifact: the protos' rule."""
_ARTIFACT = re.compile(r"[A-Za-z0-9._-]{1,255}(?:@.{1,255})?")

WRITE_SECONDS = 0.005
"""Real seconds that a write takes on the clock realtime, where no number is given."""
CALLS = 1_000
"""Recorded calls that are kept where the log of calls is on, and no number is given."""
APPS = "apps"
"""The directory of apps in that of the state."""
DEFAULT_POOL = "default"
SIMULATED = "simulated"
"""The name of the simulated cluster."""
LOCAL = "local"
"""The name of the cluster whose apps are processes of this machine."""
OWN_CLUSTERS: Mapping[DataPlane, str] = {"simulated": SIMULATED, "processes": LOCAL}
"""The plane's own cluster, by the data plane that has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one stand-in control plane.

    `dialect`: whose behaviour it shows, a name in DIALECTS, or with one of its versions, as in "flyte-oss@2.0.43".
    `dialect_version`: that version by itself; None for the newest, "" for a dialect without any. `org`: the plane's own
    org, None to take it from the first request. `seed`: of every random draw.
    `speed`: virtual seconds a real second, in `realtime`. `start_time`: the time at
    which the clock begins, a datetime or a text such as "2026-12-24T09:00:00Z"; None
    for now in `realtime`, 2026-01-01 in the others. `ingress`: the form of the
    apps' public URLs: "path", SCHEME://INGRESS_HOST:PORT/apps/SUBDOMAIN/, "host",
    SCHEME://SUBDOMAIN.BASE_DOMAIN:PORT, which is also that of a plane without a port,
    or "port", http://localhost:PORT with a port for each app, where apps really run;
    None for "port" there, and else for "path".
    `ingress_port`: None for the port of the server that `serve` starts, if it starts
    one. `own_hosts`: names that its servers answer under, which no app may take.
    `subject`: the user that unauthenticated callers are.
    `watch_buffer`: events that a slow watcher may fall behind, None for as many as
    the dialect allows. `data_plane`: "simulated" plays that apps start and stop;
    "processes" runs each as processes of this machine, on the clock `realtime`;
    "none" leaves that to clusters that come by the Lease RPC. `processes`: how it
    runs them, a Processes or a mapping of its fields. `pools`: the clusters
    that serve a pool, by its name; each cluster also serves the pool of its own
    name, and the simulated one the pool "default". Without any, the simulated
    cluster serves every pool, and stands in for every cluster that an app names,
    unless a cluster of that name has come. `lease_seconds`: of the plane's
    clock, in which a lease has to be acknowledged. `report_seconds`: of the plane's
    clock, between a change of an app and the simulated cluster's first word about
    it, None for the time in its scenario. `kubernetes`: what checks the services of the
    dialect flyte-oss, as the cluster behind it: "none", "api", the API server of
    Kubernetes, or "knative", Knative's own validation, too; None for "knative". `write_seconds`: of the plane's
    clock, between a write's read of its service and its end in the dialect flyte-oss, in
    which it can meet other writes; None for 5 ms of real time on the clock realtime, 0 on the others.
    `app_scenarios`: the scenario of apps that name none themselves, by a pattern of their names such as "worker-*"; the
    first that fits. `scenarios`: further ones, as the path of a YAML or JSON file, as a
    mapping as in such a file, or as a list of these. `missing_secrets`: names of secrets that apps can't mount until
    they are created. `artifacts`: URIs of files, or of directories where they end in a
    slash, by NAME or NAME@VERSION. `run_outputs`: the outputs of a run or a task by its
    name, each a URI or another text. `call_log`: recorded calls that are kept, 0 to
    record none, which is faster. `auth`: who may call, None for everyone: "demo", an
    Auth, or a mapping of its fields. `state`: a directory that keeps the plane's state,
    whose `~` is the home directory; None for memory alone. `state_sync`: what a power loss may take: with "always" and
    "group" nothing that was answered; "always" writes each change by itself, "group" all
    that come together; with "never" the last seconds. `time_between`: whether the time
    between two runs counts, on a clock that is realtime: it "passes" or "stands".
    """

    dialect: str = "standard"
    dialect_version: str | None = None
    org: str | None = None
    seed: int = 0
    clock: ClockMode = "auto"
    speed: float = 1.0
    start_time: datetime.datetime | str | None = None
    ingress: IngressForm | None = None
    base_domain: str = "apps.localhost"
    ingress_host: str = "localhost"
    ingress_scheme: str = "http"
    ingress_port: int | None = None
    own_hosts: Sequence[str] = ()
    subject: str = "anonymous"
    watch_buffer: int | None = None
    data_plane: DataPlane = "simulated"
    processes: Processes | Mapping[str, Any] | None = None
    pools: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    lease_seconds: float = 60.0
    report_seconds: float | None = None
    kubernetes: Kubernetes | None = None
    write_seconds: float | None = None
    missing_secrets: Sequence[str] = ()
    artifacts: Mapping[str, str] = field(default_factory=dict[str, str])
    run_outputs: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    app_scenarios: Mapping[str, str] = field(default_factory=dict[str, str])
    scenarios: Sources = ()
    call_log: int = 0
    auth: Auth | str | Mapping[str, Any] | None = None
    state: str | os.PathLike[str] | None = None
    state_sync: StateSync = "group"
    time_between: TimeBetween = "passes"

    def __post_init__(self) -> None:
        self._name_dialect()
        if self.clock not in CLOCK_MODES:
            raise ValueError(f"clock must be one of {', '.join(CLOCK_MODES)}, not {self.clock!r}")
        if not 0 < number("speed", self.speed) <= 1e6:
            raise ValueError(f"speed must be over 0 and at most 1,000,000 virtual seconds a second, not {self.speed!r}")
        if self.speed != 1 and self.clock != "realtime":
            raise ValueError(
                f"speed {self.speed:g} is for the clock realtime, and this one is {self.clock}: leave it out, or use "
                "the clock realtime (--clock realtime)"
            )
        if self.start_time is not None:
            start_nanoseconds(self.start_time)
        if self.org is not None and not self.org:
            raise ValueError("org must not be empty; leave it out to take it from the first request")
        if not self.subject:
            raise ValueError("subject must not be empty")
        if self.ingress is None:
            object.__setattr__(self, "ingress", "port" if self.data_plane == "processes" else "path")
        if self.ingress not in INGRESS_FORMS:
            raise ValueError(f"ingress must be one of {', '.join(INGRESS_FORMS)}, not {self.ingress!r}")
        if not is_hostname(self.ingress_host) and not _is_ip_address(self.ingress_host):
            raise ValueError(
                f"ingress_host must be a host name or an address, such as localhost, not {self.ingress_host!r}"
            )
        if self.ingress_scheme not in ("http", "https"):
            raise ValueError(f"ingress_scheme must be http or https, not {self.ingress_scheme!r}")
        bare = not self.base_domain and DIALECTS[self.dialect].base_domain_optional
        if not bare and not is_hostname(self.base_domain):
            raise ValueError(f"base_domain must be a DNS name such as apps.localhost, not {self.base_domain!r}")
        if self.ingress_port is not None and not 0 < self.ingress_port < 65_536:
            raise ValueError(f"ingress_port must be from 1 to 65535, not {self.ingress_port}")
        if self.watch_buffer is not None and self.watch_buffer < 1:
            raise ValueError(f"watch_buffer must be at least 1 event, not {self.watch_buffer}")
        if self.data_plane not in DATA_PLANES:
            raise ValueError(f"data_plane must be one of {', '.join(DATA_PLANES)}, not {self.data_plane!r}")
        self._check_leases()
        if self.state is not None and os.fspath(self.state).startswith("~"):
            object.__setattr__(self, "state", os.path.expanduser(self.state))
        self._check_processes()
        if not 0 < number("lease_seconds", self.lease_seconds) <= 1e9:
            raise ValueError(f"lease_seconds must be over 0 and at most 1e9 seconds, not {self.lease_seconds!r}")
        if self.report_seconds is not None and not 0 <= self.report_seconds <= 1e9:
            raise ValueError(f"report_seconds must be from 0 to 1e9 seconds, not {self.report_seconds!r}")
        self._check_kubernetes()
        self._check_write_seconds()
        whole("call_log", self.call_log, most=1_000_000)
        if self.auth is not None:
            object.__setattr__(self, "auth", Auth.of(self.auth))
        if self.state is not None and (not (path := os.fspath(self.state)) or "\0" in path):
            raise ValueError(f"state must name a directory, not {path!r}; leave it out to keep the state in memory")
        if self.state_sync not in STATE_SYNCS:
            raise ValueError(f"state_sync must be one of {', '.join(STATE_SYNCS)}, not {self.state_sync!r}")
        if self.time_between not in TIMES_BETWEEN:
            raise ValueError(f"time_between must be one of {', '.join(TIMES_BETWEEN)}, not {self.time_between!r}")
        self._check_declared()
        self._check_scenarios()
        for pool, clusters in self.pools.items():
            if isinstance(clusters, str):
                raise ValueError(f"pools[{pool!r}] must be a list of cluster names, not the text {clusters!r}")
            if not pool or not clusters or not all(clusters):
                raise ValueError(f"pools: a pool has a name and at least one cluster, each with a name: {pool!r}")

    def _name_dialect(self) -> None:
        """Take the version off the name of the dialect, so that all that names dialects has the name alone."""
        name, version = parse_dialect(self.dialect, VERSIONS)
        if self.dialect_version is not None and self.dialect_version != version:
            if "@" in self.dialect:
                raise ValueError(f"dialect_version {self.dialect_version!r} isn't that of dialect {self.dialect!r}")
            name, version = parse_dialect(f"{self.dialect}@{self.dialect_version}", VERSIONS)
        object.__setattr__(self, "dialect", name)
        object.__setattr__(self, "dialect_version", version)

    def _check_leases(self) -> None:
        """Check that nothing is given which needs clusters that lease apps, where the dialect has no leases."""
        if not DIALECTS[self.dialect].leases:
            if self.data_plane != "simulated":
                raise ValueError(no_leases(f"data_plane {self.data_plane!r}", self.dialect))
            if self.pools:
                raise ValueError(no_leases("pools", self.dialect))

    def _check_kubernetes(self) -> None:
        """Check what stands for the cluster, which only some dialects have; it is Knative where none is named."""
        if not DIALECTS[self.dialect].kubernetes:
            if self.kubernetes is not None:
                raise ValueError(
                    f"kubernetes (--kubernetes {self.kubernetes}) is for the dialect flyte-oss, whose apps are "
                    f"services of Kubernetes; the dialect is {self.dialect}: leave it out"
                )
        elif self.kubernetes is None:
            object.__setattr__(self, "kubernetes", "knative")
        elif self.kubernetes not in KUBERNETES:
            raise ValueError(f"kubernetes must be one of {', '.join(KUBERNETES)}, not {self.kubernetes!r}")

    def _check_write_seconds(self) -> None:
        """Check the time of a write, which only dialects have whose writes meet each other."""
        if self.write_seconds is None:
            return
        if not DIALECTS[self.dialect].write_conflicts:
            raise ValueError(
                f"write_seconds (--write-seconds {self.write_seconds}) is for the dialect flyte-oss, whose writes are "
                f"refused where they meet; the dialect is {self.dialect}: leave it out"
            )
        if not 0 <= number("write_seconds", self.write_seconds) <= 60:
            raise ValueError(f"write_seconds must be from 0 to 60 seconds, not {self.write_seconds!r}")

    def _check_processes(self) -> None:
        """Check what apps that really run need: real time, which the default clock gives way to."""
        if self.data_plane == "processes":
            processes = Processes.of(self.processes)
            if processes.directory is None and self.state is not None:
                processes = replace(processes, directory=os.path.join(os.path.abspath(self.state), APPS))
            object.__setattr__(self, "processes", processes)
            if self.clock == "auto":
                object.__setattr__(self, "clock", "realtime")
            if self.clock != "realtime" or self.speed != 1:
                raise ValueError("data_plane 'processes' runs in real time: leave out clock and speed")
            return
        if self.processes is not None:
            raise ValueError("processes are for data_plane 'processes' (--run)")
        if self.ingress == "port":
            raise ValueError("ingress 'port' is for apps that really run: data_plane 'processes' (--run)")

    def _check_scenarios(self) -> None:
        if self.data_plane == "processes" and (self.scenarios or self.app_scenarios):
            raise ValueError(
                "scenarios and app_scenarios (--scenarios, --scenario) are for the simulated cluster: with data_plane "
                "'processes' (--run) apps do what their code does; leave them out"
            )
        book = ScenarioBook(self.dialect, self.scenarios)
        for glob, name in texts("app_scenarios", self.app_scenarios).items():
            if not glob:
                raise ValueError(
                    f"app_scenarios (--scenario): {glob}={name} has no pattern of apps' names before the ="
                )
            if book.find(name) is None:
                known = ", ".join(book.names())
                raise ValueError(
                    f"app_scenarios (--scenario): {name!r}, of {glob}={name}, is an unknown scenario; there are {known}"
                )

    def _check_declared(self) -> None:
        if self.missing_secrets and (self.dialect != "standard" or self.data_plane == "none"):
            raise ValueError("missing_secrets are for apps that the plane's own cluster of the standard dialect runs")
        for what, given in (("missing_secrets", self.missing_secrets), *self.run_outputs.items()):
            if isinstance(given, str):
                raise ValueError(f"{what}: give a list of texts, not the text {given!r}")
        for name, uri in self.artifacts.items():
            if not _ARTIFACT.fullmatch(name) or "://" not in uri:
                raise ValueError(
                    f"artifacts: {name}={uri} is no name, with or without @VERSION, of a file or directory; "
                    "give one such as model@2=s3://bucket/model/"
                )
        for name, values in self.run_outputs.items():
            if not 0 < len(name) <= MAX_NAME or not values:
                raise ValueError(f"run_outputs: {name!r} must be a run or a task, with at least one output")

    @property
    def start(self) -> int | None:
        """Return `start_time` in nanoseconds since 1970."""
        return None if self.start_time is None else start_nanoseconds(self.start_time)

    @property
    def authentication(self) -> Auth | None:
        """The settings of authentication, None without it."""
        return self.auth if isinstance(self.auth, Auth) else None

    @property
    def write_nanoseconds(self) -> int:
        """Return `write_seconds` in nanoseconds; by default so many that clients meet as often at any speed."""
        seconds = self.write_seconds
        if seconds is None:
            seconds = WRITE_SECONDS * self.speed if self.clock == "realtime" else 0.0
        return round(seconds * 1e9)

    @property
    def report_delay(self) -> int | None:
        """Return `report_seconds` in nanoseconds."""
        return None if self.report_seconds is None else round(self.report_seconds * 1e9)

    def pools_served(self) -> dict[str, tuple[str, ...]]:
        """Return the clusters that serve a pool, by its name, the plane's own included if there is one."""
        pools = {pool: tuple(clusters) for pool, clusters in self.pools.items()}
        if self.own_cluster and self.own_cluster not in pools.get(DEFAULT_POOL, ()):
            pools[DEFAULT_POOL] = (*pools.get(DEFAULT_POOL, ()), self.own_cluster)
        return pools

    @property
    def own_cluster(self) -> str:
        """The name of the plane's own cluster, "" where there is none."""
        return OWN_CLUSTERS.get(self.data_plane, "")

    @property
    def serves_all(self) -> bool:
        """Whether the plane's own cluster serves every pool, and plays every cluster, that no other has leased for."""
        return bool(self.own_cluster) and not self.pools

    @property
    def runs_apps(self) -> Processes | None:
        """The way in which apps are run as processes, None where they aren't."""
        return self.processes if isinstance(self.processes, Processes) else None


def no_leases(given: str, dialect: str) -> str:
    """Return the error of an option, in the words of its user, that needs leases in a dialect without them."""
    return (
        f"{given}: clusters get the apps that they run by leases, and {dialect} has no leases: leave it out, and the "
        "plane simulates its apps, or use the dialect standard"
    )


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
