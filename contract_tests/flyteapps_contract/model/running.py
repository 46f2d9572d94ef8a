"""One app that clients and its cluster race for, as a state machine for the judge of histories (linearizability.py).

Its states are whole apps, as calls showed them: what may follow which is the contract's, in updates.py and reports.py.
Nothing here calls a plane.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.model import lifecycle, reports, updates

OK, NOT_FOUND, ALREADY_EXISTS, ABORTED = "OK", "NOT_FOUND", "ALREADY_EXISTS", "ABORTED"
FAILED_PRECONDITION = "FAILED_PRECONDITION"
STOP = model.Spec.DESIRED_STATE_STOPPED
READS = ("get", "list", "lease")

State = bytes | None
"""The app, serialized; None where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A call and its answer: `sent` by a write, `seen` in the answer. That of a lease is what the cluster got."""

    verb: str
    code: str
    sent: model.App | None = None
    seen: model.App | None = None
    mark: str = ""


def state_of(app: model.App | None) -> State:
    """Return the state in which the app is so."""
    return app.SerializeToString(deterministic=True) if app is not None else None


class Running:
    """The state machine. `at_hand`: a cluster leases the app as soon as it can; no other call need show that."""

    def __init__(self, *, at_hand: bool) -> None:
        self._at_hand = at_hand
        self._apps: dict[bytes, model.App] = {}

    def app(self, state: State) -> model.App | None:
        """Return the app of a state; it isn't to be changed."""
        if state is None:
            return None
        if state not in self._apps:
            self._apps[state] = model.App.FromString(state)
        return self._apps[state]

    def step(self, state: State, asked: Asked) -> Iterator[State]:
        """Return the states that such a call leads to, where its answer can be from that state."""
        before = self.app(state)
        yield from self._after(before, state, asked)
        if before is None or not self._at_hand or not _is_leasable(before):
            return
        if asked.seen is not None and (leased := _leased(before, asked.seen)) is not None:
            yield from self._after(leased, state_of(leased), asked)
        elif asked.code in (ABORTED, FAILED_PRECONDITION):  # for what the lease made of it
            yield state

    def _after(self, before: model.App | None, state: State, asked: Asked) -> Iterator[State]:
        if asked.verb == "create":
            yield from self._created(before, state, asked)
        elif before is None:
            if asked.code == NOT_FOUND:
                yield None
        elif asked.verb in READS:
            if asked.code == OK and asked.seen == before:
                yield state
        elif asked.verb == "delete":
            deletable = before.spec.desired_state == STOP or _status(before) == lifecycle.UNASSIGNED
            if asked.code == (OK if deletable else FAILED_PRECONDITION):
                yield None if deletable else state
        elif asked.verb == "report":
            yield from _reported(before, state, asked)
        else:
            yield from self._updated(before, state, asked)

    def _created(self, before: model.App | None, state: State, asked: Asked) -> Iterator[State]:
        if before is not None:
            if asked.code == ALREADY_EXISTS:
                yield state
        elif asked.code == OK and asked.seen is not None and asked.sent is not None:
            sent, seen = asked.sent, asked.seen
            first = lifecycle.STOPPED if sent.spec.desired_state == STOP else lifecycle.UNASSIGNED
            statuses = [each.deployment_status for each in seen.status.conditions]
            leased = self._at_hand and statuses == [lifecycle.UNASSIGNED, lifecycle.ASSIGNED]
            if seen.metadata.revision == 1 and _is_written(seen, sent) and (statuses == [first] or leased):
                yield state_of(seen)

    def _updated(self, before: model.App, state: State, asked: Asked) -> Iterator[State]:
        assert asked.sent is not None
        if asked.sent.metadata.revision not in (0, before.metadata.revision):
            if asked.code == ABORTED:
                yield state
        elif asked.code == OK and asked.seen is not None and self._is_update(before, asked.sent, asked.seen):
            yield state_of(asked.seen)

    def _is_update(self, before: model.App, sent: model.App, seen: model.App) -> bool:
        expected = updates.updated(before, sent)
        if seen.metadata != expected.metadata or seen.spec != expected.spec:
            return False
        appended = updates.appended(before, seen.spec.desired_state)
        statuses: list[int] = [each.deployment_status for each in before.status.conditions]
        if appended is not None:
            statuses.append(appended)
        found = [each.deployment_status for each in seen.status.conditions]
        if self._at_hand and not before.status.assigned_cluster and seen.status.assigned_cluster:
            leased = found[: len(statuses)] == statuses and found[len(statuses) :] in ([], [lifecycle.ASSIGNED])
            return leased and seen.spec.desired_state != STOP
        return (
            found == statuses
            and seen.status.assigned_cluster == before.status.assigned_cluster
            and seen.status.current_replicas == before.status.current_replicas
            and seen.status.created_at == before.status.created_at
            and seen.status.last_started_at == before.status.last_started_at
        )


def _reported(before: model.App, state: State, asked: Asked) -> Iterator[State]:
    assert asked.sent is not None
    refusals = reports.refusals(before, asked.sent)
    if asked.code in refusals:
        yield state
    elif asked.code == OK and not refusals and asked.seen is not None:
        yield from [state_of(asked.seen)] if reports.reported(before, asked.sent, asked.seen) == asked.seen else []


def _is_written(seen: model.App, sent: model.App) -> bool:
    container = seen.spec.container.image == sent.spec.container.image
    return (
        container
        and seen.metadata.labels == sent.metadata.labels
        and seen.spec.desired_state == sent.spec.desired_state
    )


def _is_leasable(app: model.App) -> bool:
    stops = app.spec.desired_state == STOP
    return not stops and not app.status.assigned_cluster and _status(app) in (lifecycle.UNASSIGNED, lifecycle.PENDING)


def _leased(before: model.App, seen: model.App) -> model.App | None:
    """Return the app once it is leased, as a later look shows that; None where that look shows no lease of it."""
    cluster = seen.status.assigned_cluster or before.status.last_assigned_cluster
    count = len(before.status.conditions)
    if not cluster or len(seen.status.conditions) < count:
        return None
    after = model.App()
    after.CopyFrom(before)
    if _status(before) == lifecycle.UNASSIGNED:
        if [each.deployment_status for each in seen.status.conditions[count : count + 1]] != [lifecycle.ASSIGNED]:
            return None
        after.status.conditions.add().CopyFrom(seen.status.conditions[count])
    else:
        after.status.conditions[-1].revision = seen.status.conditions[count - 1].revision
    after.status.assigned_cluster = cluster
    after.status.lease_expiration.CopyFrom(seen.status.lease_expiration)
    return after


def _status(app: model.App) -> int:
    return app.status.conditions[-1].deployment_status if app.status.conditions else 0
