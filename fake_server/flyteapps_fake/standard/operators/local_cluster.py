"""The cluster of this machine, as the plane has it: it leases every waiting app, and reports what others tell it.

Who runs the apps, outside of the plane's lock, listens for changes, looks at what should run, and reports. A report of
the state that a write leads to is a timer's, so that it waits for a client that is about to watch: core/time/holds.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, cast

from flyteidl2.app.app_definition_pb2 import App, Status

from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.lifecycle import should_run, traits_of
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.simulation.log_lines import Line
from flyteapps_fake.standard.apps import AppKey, AppRecord
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.operators.own_cluster import OwnCluster
from flyteapps_fake.standard.operators.reports import MAX_MESSAGE_BYTES, Report, report
from flyteapps_fake.standard.replicas import Replica
from flyteapps_fake.standard.simulation.reactor import SimulatedApp
from flyteapps_fake.standard.watch import Event, app_scope

LAST_REPORT = "last report"
"""The kind of the timer of a report that a client's write leads to."""

Changed = Callable[[AppKey], None]
Log = Callable[[int, int], list[Line]]
"""Returns the lines of a replica that are later than the first time, up to and including the second."""


class Life(NamedTuple):
    """The part of an app's life that a report is about: a revision, until the plane returns to another state."""

    incarnation: int
    revision: int
    restored: int


class HeldApp(NamedTuple):
    """An app that the cluster holds, or one that is stopped.

    `life`: which start of which app it is. `running`: whether it should run. `subdomain`: the one in its public URL, or
    that it would have there.
    """

    app: App
    life: Life
    running: bool
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
        self._restored: dict[AppKey, int] = {}
        """The apps that were in another state before, with the number of the return to this one."""
        self._returns = 0
        state.lines = self.logs = ReplicaLogs()
        state.timeline.handle(LAST_REPORT, self._commit_due, "the app's state is reported", AppKey.named)

    def on_event(self, event: Event) -> None:
        """React to a committed change."""
        new, old = event.new, event.old
        if old is not None and (new is None or self._life(new) != self._life(old)):
            self._state.timers.cancel(old.key)
        if new is None:
            if old is not None:
                self._leases.forget(old.key)
                self.logs.drop(old.key)
                self._restored.pop(old.key, None)
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

    def image(self, key: AppKey) -> SimulatedApp:
        """Return what is kept of an app: the name of the cluster that it plays for it; the rest are processes."""
        return SimulatedApp(played_cluster=self._leases.played(key))

    def put(self, key: AppKey, image: SimulatedApp) -> None:
        """Replace what is kept of an app."""
        self._leases.play(key, image.played_cluster)

    put_new = put

    def restored(self, key: AppKey) -> None:
        """React to another state of an app: what ran before is not what runs now, so that it is started anew."""
        self.logs.drop(key)
        self._returns += 1
        self._restored[key] = self._returns
        self._tell(key)

    def is_lost(self, record: AppRecord) -> bool:
        """Return whether the cluster has an app of another state, of which nothing runs yet."""
        return self._leases.holds(record) and should_run(record.desired_state)

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
            self._life(record),
            should_run(record.desired_state),
            self._state.hosts.subdomain(key, record.parse_status().ingress),
        )

    def holds(self, key: AppKey) -> bool:
        """Return whether the cluster has leased the app."""
        return self._held(key) is not None

    def _held(self, key: AppKey) -> AppRecord | None:
        record = self._state.store.get(key)
        return record if record is not None and record.cluster and self._leases.holds(record) else None

    def _stopped(self, key: AppKey) -> AppRecord | None:
        record = self._state.store.get(key)
        return record if record is not None and not record.cluster and not should_run(record.desired_state) else None

    def report(
        self,
        key: AppKey,
        life: Life,
        status: int,
        substate: int = Status.SUBSTATE_UNSPECIFIED,
        message: str = "",
        replicas: int = 0,
    ) -> list[Replica] | None:
        """Report on an app in that part of its life; return its replicas, None where the app has moved on."""
        record = self._held(key)
        if record is None or self._life(record) != life:
            return None
        text = message.encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")
        namespace = f"{key.project}-{key.domain}"
        reported = Report(record.cluster, status, substate, text, replicas, namespace=namespace)
        self._state.timers.cancel(key)
        if traits_of(status).terminal:
            self._state.timers.schedule(self._state.clock.now(), key, LAST_REPORT, reported, last=True)
            self._state.timeline.run_due()
            self._state.scheduled()
        elif not self._commit(record, reported):
            return None
        record = self._state.store.get(key)
        if record is None:
            return None
        lives = self._state.replicas
        self.logs.keep(key, (each.life.number for each in (*lives.ended(record), *lives.live(record))))
        return lives.live(record)

    def _commit_due(self, timer: Timer) -> None:
        record = self._held(cast("AppKey", timer.owner))
        if record is not None:
            self._commit(record, timer.arguments[0])

    def _commit(self, record: AppRecord, reported: Report) -> bool:
        """Commit a report; return False for a move that isn't legal any more, as the app has changed since."""
        try:
            report(self._state, record, reported)
        except RpcError:
            return False
        self._state.settle()
        return True

    def takes_reports(self) -> bool:
        """Return whether a report may be committed: not while the plane can't save its state."""
        return self._state.changes.refusal is None

    def logged(self, key: AppKey) -> None:
        """Wake the streams that follow the app's log."""
        for stream in tuple(self._state.events.of(app_scope(key))):
            stream.stir()

    def requested(self, key: AppKey, requests: int) -> None:
        """Record requests that the ingress has had for an app."""
        if self._state.store.get(key) is not None:
            self._state.timeline.usage.requested(key.named(), requests)

    def _life(self, record: AppRecord) -> Life:
        return Life(record.incarnation, record.revision, self._restored.get(record.key, 0))
