"""A check's own data plane: a cluster that leases apps and reports them. No check is here.

A cluster serves the pool of its own name, so that an unused name gets the check's apps and no others.
"""

from __future__ import annotations

import time
from typing import Any

from flyteidl2.app import app_definition_pb2 as model
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapps_contract.outcomes import Unjudged
from flyteapps_contract.session import (
    ACTIVE,
    ASSIGNED,
    DEPLOYING,
    FAILED,
    PENDING,
    RUN,
    STOP,
    STOPPED,
    Session,
    copy,
    last_status,
    preparing,
    status_name,
)
from flyteapps_contract.streams import Leases

RUNNING = model.Status.RUNNING
ANY = model.Status.SUBSTATE_UNSPECIFIED
TO: dict[int, tuple[int, ...]] = {
    ASSIGNED: (),
    PENDING: (PENDING,),
    DEPLOYING: (PENDING, DEPLOYING),
    ACTIVE: (PENDING, ACTIVE),
    FAILED: (PENDING, FAILED),
}
"""The reports of a cluster, one after the other, until a leased app has that status."""


LATE = 2.0
"""Real seconds in which a plane notices that a client has closed its stream, mostly."""


class Cluster:
    """One cluster of a check's own."""

    def __init__(self, s: Session, name: str = "") -> None:
        s.require_pools()
        self._s = s
        self.name = name or s.name("-cluster")
        self._leases: Leases | None = None

    @property
    def leases(self) -> Leases:
        """Its Lease stream, opened at first use."""
        if self._leases is None:
            self._leases = self._s.lease(self.name)
        return self._leases

    def leave(self) -> None:
        """Close its Lease stream; what it was leased it keeps."""
        if self._leases is not None:
            self._leases.close()
            self._leases = None

    def app(self, **options: Any) -> model.App:
        """Return an app that this cluster alone is leased, not yet created."""
        app = self._s.app(**options)
        app.spec.cluster_pool = self.name
        return app

    def given_leased(self, app: model.App | None = None) -> model.App:
        """Return an app that was just created, or started, and leased."""
        with preparing("a lease"):
            made = self._s.create(app if app is not None else self.app())
            leased = self.leases.take(1)[0]
        if leased.metadata.id != made.metadata.id:
            raise Unjudged(f"app {leased.metadata.id.name} was leased, not {made.metadata.id.name}")
        return leased

    def given(self, status: int, app: model.App | None = None, **reported: Any) -> model.App:
        """Return an app that the cluster reported as ASSIGNED, PENDING, DEPLOYING, ACTIVE, FAILED or STOPPED."""
        if status == STOPPED:
            return self.given_stopped(self.given(ACTIVE, app))
        return self.given_reports(self.given_leased(app), *TO[status], **reported)

    def given_reports(self, app: model.App, *states: int, **reported: Any) -> model.App:
        """Return the app after these reports, which must work."""
        for status in states:
            with preparing(f"the report {status_name(status)}"):
                app = self.report(app, status, **(reported if status == states[-1] else {}))
        return app

    def given_stopped(self, app: model.App) -> model.App:
        """Return the app once it should stop and its cluster has stopped it."""
        asked = copy(app)
        asked.spec.desired_state = STOP
        return self.given_reports(self._s.given_update(asked), STOPPED, replicas=0)

    def given_started(self, app: model.App) -> model.App:
        """Return a stopped app once it should run again, leased again."""
        asked = copy(app)
        asked.spec.desired_state = RUN
        self._s.given_update(asked)
        with preparing("a lease of the app that was started again"):
            return self.leases.take(1)[0]

    def report(self, app: model.App, status: int | None, **reported: Any) -> model.App:
        """UpdateStatus of the app by this cluster: the app as the plane returned it."""
        return self._s.update_status(self.message(app, status, **reported))

    def message(
        self,
        app: model.App,
        status: int | None,
        *,
        substate: int = ANY,
        message: str = "",
        replicas: int | None = None,
        revision: int = 0,
        counter: int = 0,
    ) -> model.App:
        """Return the report as it is sent; without a number of replicas, as many as there are."""
        sent = model.App(metadata=model.Meta(id=app.metadata.id, revision=revision), spec=app.spec)
        sent.status.assigned_cluster = self.name
        sent.status.current_replicas = app.status.current_replicas if replicas is None else replicas
        if status is not None:
            sent.status.conditions.add(
                deployment_status=status,  # type: ignore[arg-type]  # an enum value of protobuf is a plain int
                substate=substate,  # type: ignore[arg-type]
                message=message,
                revision=counter,
            )
        return sent


def counter(app: model.App) -> int:
    """Return the revision of the app's last condition."""
    return app.status.conditions[-1].revision if app.status.conditions else 0


def require(app: model.App, status: int) -> None:
    """Unjudged unless the app has that status."""
    if last_status(app) != status:
        raise Unjudged(f"the app should be {status_name(status)} by now, but is {status_name(last_status(app))}")


def run_out(s: Session, app: model.App) -> model.App:
    """Return the app once the time of its lease is over.

    A plane may be late to notice that a client has closed its Lease stream, and lease the app to it once more: then the
    time of that lease is over, too.
    """
    holder = s.get(app.metadata.id).status.assigned_cluster
    until = time.monotonic() + LATE
    while True:
        before = s.get(app.metadata.id)
        if not before.status.HasField("lease_expiration"):  # the plane noticed in between, and nobody has it
            return before
        last = before.status.conditions[-1]
        s.advance(seconds_of(before.status.lease_expiration) - seconds_of(last.last_transition_time) + 1)
        after = s.get(app.metadata.id)
        if after.status.assigned_cluster != holder or time.monotonic() > until:
            return after


def seconds_of(moment: Timestamp) -> float:
    """Return the seconds since 1970."""
    return moment.seconds + moment.nanos / 1e9
