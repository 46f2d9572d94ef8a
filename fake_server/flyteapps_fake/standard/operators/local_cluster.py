"""The cluster of this machine, as the plane has it: it leases every waiting app, and reports what others tell it.

Who runs the apps, outside of the plane's lock, listens for changes, looks at what should run, and reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import App, Status

from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.lifecycle import should_run
from flyteapps_fake.simulation.log_lines import Line
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.operators.own_cluster import OwnCluster
from flyteapps_fake.standard.operators.reports import MAX_MESSAGE_BYTES, Report, report
from flyteapps_fake.standard.replicas import Replica
from flyteapps_fake.standard.watch import Event, app_scope

Changed = Callable[[AppKey], None]
Log = Callable[[int, int], list[Line]]
"""Returns the lines of a replica that are later than the first time, up to and including the second."""


class HeldApp(NamedTuple):
    """An app that the cluster holds, or one that is stopped. `running`: whether it should run.

    `status`, `substate`: the stored ones. `subdomain`: the one in its public URL, or that it would have there.
    """

    app: App
    incarnation: int
    revision: int
    running: bool
    status: int
    substate: int
    subdomain: str


class ReplicaLogs:
    """The logs of replicas, by the app and the number of the replica."""

    def __init__(self) -> None:
        self._logs: dict[AppKey, dict[int, Log]] = {}

    def put(self, key: AppKey, number: int, log: Log) -> None:
        """Keep a replica's log, as long as the app is there."""
        self._logs.setdefault(key, {})[number] = log

    def keep(self, key: AppKey, numbers: Iterable[int]) -> None:
        """Forget the logs of the app's other replicas."""
        kept, logs = set(numbers), self._logs.get(key, {})
        for number in [each for each in logs if each not in kept]:
            del logs[number]

    def drop(self, key: AppKey) -> None:
        """Forget the logs of an app."""
        self._logs.pop(key, None)

    def between(self, record: AppRecord, replicas: Sequence[Replica], after: int, until: int) -> list[list[Line]]:
        """Return each replica's lines later than `after`, up to and including `until`, in order."""
        logs = self._logs.get(record.key, {})
        found = [logs.get(each.life.number) for each in replicas]
        return [log(after, until) if log is not None else [] for log in found]

    def next_at(self, record: AppRecord, replicas: Sequence[Replica], after: int) -> int | None:
        """Return None: nobody knows when a program logs its next line."""
        return None


class LocalCluster:
    """The apps of one plane that run on this machine. All of it is called under the plane's lock."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._leases = OwnCluster(state)
        self._changed: Changed | None = None
        self._unheard: dict[AppKey, None] = {}
        """The apps that changed before anybody listened."""
        state.lines = self.logs = ReplicaLogs()

    def on_event(self, event: Event) -> None:
        """React to a committed change."""
        new, old = event.new, event.old
        if new is None:
            if old is not None:
                self._leases.forget(old.key)
                self.logs.drop(old.key)
                self._tell(old.key)
        elif self._state.store.get(new.key) is new:
            if name := self._leases.name_for(new):
                self._leases.take(new, name)
            elif not self._leases.holds(new):
                self._leases.forget(new.key)
            self._tell(new.key)

    def asked(self, key: AppKey) -> None:
        """Do nothing: requests are measured at the ingress."""

    def load_changed(self, key: AppKey) -> None:
        """Do nothing: the load is that of requests."""

    def listen(self, changed: Changed) -> None:
        """Call `changed` for each app that changes from now on, and for those that have changed by now."""
        self._changed = changed
        unheard, self._unheard = self._unheard, {}
        for key in unheard:
            changed(key)

    def _tell(self, key: AppKey) -> None:
        if self._changed is not None:
            self._changed(key)
        else:
            self._unheard[key] = None

    def held(self, key: AppKey) -> HeldApp | None:
        """Return an app that the cluster holds, or that is stopped; None for any other."""
        record = self._held(key) or self._stopped(key)
        if record is None:
            return None
        return HeldApp(
            record.parse(),
            record.incarnation,
            record.revision,
            should_run(record.desired_state),
            record.status,
            record.substate,
            self._state.hosts.subdomain(key, record.parse_status().ingress),
        )

    def _held(self, key: AppKey) -> AppRecord | None:
        record = self._state.store.get(key)
        return record if record is not None and record.cluster and self._leases.holds(record) else None

    def _stopped(self, key: AppKey) -> AppRecord | None:
        record = self._state.store.get(key)
        return record if record is not None and not record.cluster and not should_run(record.desired_state) else None

    def report(
        self,
        key: AppKey,
        revision: tuple[int, int],
        status: int,
        substate: int = Status.SUBSTATE_UNSPECIFIED,
        message: str = "",
        replicas: int = 0,
    ) -> list[Replica] | None:
        """Report on an app of that incarnation and revision; return its replicas, None where the app has moved on."""
        record = self._held(key)
        if record is None or (record.incarnation, record.revision) != revision:
            return None
        text = message.encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")
        namespace = f"{key.project}-{key.domain}"
        try:
            record = report(
                self._state, record, Report(record.cluster, status, substate, text, replicas, namespace=namespace)
            )
        except RpcError:  # a move that isn't legal any more: the app has changed since
            return None
        self._state.settle()
        lives = self._state.replicas
        self.logs.keep(key, (each.life.number for each in (*lives.ended(record), *lives.live(record))))
        return lives.live(record)

    def logged(self, key: AppKey) -> None:
        """Wake the streams that follow the app's log."""
        for stream in tuple(self._state.events.of(app_scope(key))):
            stream.stir()
