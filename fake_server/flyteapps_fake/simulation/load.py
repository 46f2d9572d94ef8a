"""Declared load in a simulated cluster: the replicas that serve it, and the steps of an app that scales to it."""

from __future__ import annotations

import math

from flyteidl2.app.app_definition_pb2 import Spec, Status

from flyteapps_control.v1.control_pb2 import Load
from flyteapps_fake.core.lifecycle import ACTIVE
from flyteapps_fake.core.time.clock import MILLISECOND, SECOND
from flyteapps_fake.simulation.scenarios import Step, Steps

UP_NS = SECOND
"""The time from a load to the cluster's reaction."""
START_NS = 500 * MILLISECOND
"""The time from that to the replicas' readiness, and from the end of replicas to the report of it."""
JITTER_PART = 6


def target_of(spec: Spec) -> int:
    """Return the load of one replica by the spec's scaling metric, 0 for any load.

    In the simulated cluster a request takes a second: a rate of requests is as many at the same time.
    """
    metric = spec.autoscaling.scaling_metric
    match metric.WhichOneof("metric"):
        case "request_rate":
            return metric.request_rate.target_value
        case "concurrency":
            return metric.concurrency.target_value
        case _:
            return 0


def replicas_for(load: Load, target: int) -> int:
    """Return the number of replicas that serve a load, without bounds."""
    amount = load.concurrent_requests or load.requests_per_second
    if amount <= 0:
        return 0
    return math.ceil(amount / target) if target else 1


def steps_up(replicas: int, wanted: int) -> Steps:
    """Return the steps of a running app that gets more replicas."""
    substate, message = Status.SCALING_UP, f"Busy: scaling up to {wanted}"
    if not replicas:
        substate, message = Status.SCALING_FROM_ZERO, f"Requests received: scaling from zero to {wanted}"
    return _step(substate, message, UP_NS, replicas), _step(Status.RUNNING, "Running", START_NS, wanted)


def steps_down(replicas: int, wanted: int) -> Steps:
    """Return the steps of a running app that gets fewer replicas, but some; the first is due at once."""
    first = Step(ACTIVE, Status.SCALING_DOWN, f"Calm: scaling down to {wanted}", 0, 0, replicas, background=True)
    return first, _step(Status.RUNNING, "Running", START_NS, wanted)._replace(background=True)


def _step(substate: Status.Substate, message: str, delay: int, size: int) -> Step:
    return Step(ACTIVE, substate, message, delay, delay // JITTER_PART, size)
