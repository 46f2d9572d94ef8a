"""Leases: an app is assigned to a cluster, which has to acknowledge it in time, or loses it.

Clusters come by the Lease RPC and keep a stream open; what becomes leasable goes at once to a stream with capacity.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from flyteidl2.app.app_definition_pb2 import Condition
from flyteidl2.app.app_payload_pb2 import LeaseRequest

from flyteapps_fake.core.errors import RpcError
from flyteapps_fake.core.lifecycle import ASSIGNED, PENDING, STOPPED, UNASSIGNED, Cause, should_run, traits_of
from flyteapps_fake.core.protobuf import field
from flyteapps_fake.core.streams import OpenStream
from flyteapps_fake.core.time.clock import SECOND, set_timestamp
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.standard.apps import AppKey, AppRecord, Draft
from flyteapps_fake.standard.commits import State
from flyteapps_fake.standard.operators.waiting import app_of_lease, leasable, lease_timer

LEASE_EXPIRY = "lease-expiry"
"""The kind of timer at the end of a lease."""
MAX_APPS = 100
"""Apps in one message of a Lease stream, and apps that a stream holds that were not sent yet."""


def lease(state: State, record: AppRecord, cluster: str) -> AppRecord:
    """Assign the app to the cluster; a restarted one keeps PENDING."""
    draft = Draft(record)
    now = state.clock.tick()
    if traits_of(record.status).leasable:
        condition = Condition(deployment_status=ASSIGNED, message=f"Leased by cluster {cluster}")
        draft.append(condition, Cause.LEASE, now)
    else:
        draft.touch()
    return _assign(state, draft, cluster, now)


def _assign(state: State, draft: Draft, cluster: str, now: int) -> AppRecord:
    """Commit the draft with a lease of that cluster, which begins now."""
    expiration = now + round(state.settings.lease_seconds * SECOND)
    draft.status.assigned_cluster = cluster
    set_timestamp(draft.status.lease_expiration, expiration)
    leased = state.commit(draft)
    state.timers.schedule(expiration, lease_timer(draft.key), LEASE_EXPIRY, draft.key, cluster, progress=False)
    return leased


def steal(state: State, record: AppRecord, cluster: str) -> AppRecord:
    """Move an app from the cluster that has it to another one, which has yet to acknowledge the lease: by a fault.

    An acknowledged app is PENDING then, as one that was restarted; another one as if its lease had run out before.
    """
    if not traits_of(record.status).held:
        take_back(state, record)
        return lease(state, state.require(record.key), cluster)
    draft = Draft(record)
    now = state.clock.tick()
    message = f"Cluster {cluster} took it from cluster {record.cluster}"
    draft.append(Condition(deployment_status=PENDING, message=message), Cause.UPDATE, now)
    return _assign(state, draft, cluster, now)


def expire(state: State, timer: Timer) -> None:
    """End the lease of a timer that is due, unless it was acknowledged."""
    key, cluster = timer.arguments
    step = state.timers.progress.get(key)
    if step is not None and step.due < timer.due:
        return  # acknowledged in time: on the auto clock a cluster's report waits until a client waits for it
    current = state.store.get(key)
    if current is not None and current.lease == timer.due and current.cluster == cluster:
        state.pools.lapsed(cluster)
        take_back(state, current)


def take_back(state: State, record: AppRecord) -> None:
    """End a lease that was not acknowledged: the app has no cluster, and its status is the one before."""
    draft = Draft(record)
    now = state.clock.tick()
    draft.status.assigned_cluster = ""
    draft.status.ClearField("lease_expiration")
    if not should_run(record.desired_state):
        condition = Condition(deployment_status=STOPPED, message=f"Stopped before cluster {record.cluster} took it")
        draft.append(condition, Cause.EXPIRY, now)
    elif not traits_of(record.status).held:
        message = f"The lease of cluster {record.cluster} ran out. {state.pools.why_waiting(record.wanted)}"
        draft.append(Condition(deployment_status=UNASSIGNED, message=message), Cause.EXPIRY, now)
    else:
        draft.touch()
    state.commit(draft)


def release(state: State, record: AppRecord, why: str) -> None:
    """Take an app from a cluster that runs it no more: it waits to be leased, PENDING if it was acknowledged.

    One that should stop is STOPPED, as nothing of it runs.
    """
    state.timers.cancel(record.key)
    draft = Draft(record)
    now = state.clock.tick()
    draft.status.assigned_cluster = ""
    draft.status.ClearField("lease_expiration")
    draft.status.current_replicas = 0
    held = traits_of(record.status).held
    if held and record.status != PENDING:
        draft.append(Condition(deployment_status=PENDING, message=why), Cause.UPDATE, now)
    if not should_run(record.desired_state):
        draft.append(Condition(deployment_status=STOPPED, message=why), Cause.EXPIRY, now)
    elif not held:
        draft.append(Condition(deployment_status=UNASSIGNED, message=why), Cause.EXPIRY, now)
    elif record.status == PENDING:
        draft.touch()
    state.commit(draft)


class LeaseStream(OpenStream):
    """One open Lease stream of one cluster."""

    def __init__(self, streams: LeaseStreams, state: State, cluster: str) -> None:
        super().__init__(("lease", cluster), state.events.remove)
        self.cluster = cluster
        self.wanted = frozenset(state.pools.served_by(cluster))
        self.fed = 0
        self._lease_streams = streams
        self._state = state
        self._held: dict[AppKey, tuple[Timer | None, int]] = {}
        """The apps that were leased and not sent yet, with the timer of that lease and the batch of its change."""

    def capacity(self) -> int:
        """Return how many apps the stream may be leased now."""
        return 0 if self.closed or self._end is not None else MAX_APPS - len(self._held)

    def send(self, record: AppRecord) -> None:
        """Send an app that was leased for the stream."""
        changes = self._state.changes
        timer = self._state.timers.get(lease_timer(record.key))
        batch = changes.batch if changes.saves else 0
        self._held[record.key] = timer, batch
        if changes.is_safe(batch, self):
            self.notify()

    def detached(self) -> None:
        """Take back the leases that were not sent to the cluster."""
        held, self._held = self._held, {}

        def give_back() -> None:
            with suppress(RpcError):  # while nothing can be saved: the leases run out
                for key, (timer, _) in held.items():
                    record = self._current(key, timer)
                    if record is not None:
                        take_back(self._state, record)

        if held:
            self._state.soon(give_back)

    def _ready(self) -> bool:
        with self._state.lock:
            return any(self._state.changes.is_safe(batch, self) for _, batch in self._held.values())

    def _holds_back(self) -> bool:
        return bool(self._held)

    def _next(self) -> bytes | None:
        with self._state.lock:
            is_safe = self._state.changes.is_safe
            held = {key: timer for key, (timer, batch) in self._held.items() if is_safe(batch, self)}
            self._held = {key: each for key, each in self._held.items() if key not in held}
            records = [self._current(key, timer) for key, timer in held.items()]
            apps = b"".join(field(1, record.encoded) for record in records if record is not None)
            if held:
                self._state.soon(lambda: self._lease_streams.fill(self))
            return apps or None

    def _current(self, key: AppKey, timer: Timer | None) -> AppRecord | None:
        """Return the app if it is still leased as it was, or None.

        That very timer has to be there: a plane that returned to a state may lease it again, alike in all.
        """
        return self._state.store.get(key) if self._state.timers.get(lease_timer(key)) is timer else None


class LeaseStreams:
    """The open Lease streams, and the choice of the stream for an app."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._streams: dict[LeaseStream, None] = {}
        self._fed = 0
        state.timeline.handle(LEASE_EXPIRY, partial(expire, state), "its lease runs out", app_of_lease)

    def open(self, request: LeaseRequest) -> LeaseStream:
        """Open a stream for the request's cluster, which begins with the apps that wait for it."""
        state = self._state
        stream = LeaseStream(self, state, request.id.name)
        if request.id.organization != state.organization.name:
            state.organization.require(request.id.organization)
        state.pools.come(stream.cluster)
        state.events.add(stream)
        self._streams[stream] = None
        stream.on_closed.append(self._closed)
        self.fill(stream)
        return stream

    def fill(self, stream: LeaseStream) -> None:
        """Lease to the stream the apps that wait for it, up to its capacity."""
        for key in self._state.waiting.first(stream.wanted, stream.capacity()):
            record = self._state.store.get(key)
            if record is not None:
                self._lease(stream, record)

    def offer(self, record: AppRecord) -> None:
        """Lease a waiting app to a stream that serves it, if one has capacity."""
        if not self._streams or not leasable(record):
            return
        able = [each for each in self._streams if record.wanted in each.wanted and each.capacity()]
        if able:
            self._lease(min(able, key=self._turn), record)

    def _turn(self, stream: LeaseStream) -> tuple[int, int, int]:
        """Return the rank: clusters that acknowledge first, then fewest apps held, then the longest without an app."""
        return self._state.pools.lapses(stream.cluster), -stream.capacity(), stream.fed

    def _lease(self, stream: LeaseStream, record: AppRecord) -> None:
        self._fed += 1
        stream.fed = self._fed
        stream.send(lease(self._state, record, stream.cluster))

    def _closed(self, stream: OpenStream) -> None:
        if isinstance(stream, LeaseStream):
            self._streams.pop(stream, None)
