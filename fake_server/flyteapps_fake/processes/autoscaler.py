"""The number of replicas for the requests at the ingress, within the bounds of a spec. Pure: time is handed in.

As Knative does, which Flyte's clusters use: more replicas at once, fewer only after a calm time, none after the spec's
`scaledown_period` without a request.
"""

from __future__ import annotations

import math
from collections import deque

from flyteidl2.app.app_definition_pb2 import Spec

from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.simulation.admission import Bounds, bounds_of

CALM_SECONDS = 60.0
"""Time with fewer requests before replicas are ended, unless the spec's period is shorter."""


class Autoscaler:
    """The scaling of one revision."""

    def __init__(self, spec: Spec) -> None:
        self.bounds: Bounds = bounds_of(spec)
        self._by_rate = spec.autoscaling.scaling_metric.WhichOneof("metric") == "request_rate"
        self.scaledown_seconds = self.bounds.scaledown / SECOND
        self._calm = min(CALM_SECONDS, self.scaledown_seconds)
        self._wanted: deque[tuple[float, int]] = deque()
        """The numbers that were wanted in the last while, falling, by time: the first one is the greatest."""

    def replicas(self, now: float, in_flight: int, rate: float, last_request: float) -> int:
        """Return the number of replicas. `now`, `last_request`: seconds of one clock. `rate`: requests a second."""
        amount = rate if self._by_rate else in_flight
        target = self.bounds.target
        wanted = math.ceil(amount / target) if target else int(amount > 0)
        if in_flight or now - last_request < self.scaledown_seconds:
            wanted = max(wanted, 1)
        wanted = self.bounds.replicas(wanted)
        if not wanted:  # the period without a request is over
            self._wanted.clear()
            return 0
        while self._wanted and self._wanted[-1][1] <= wanted:
            self._wanted.pop()
        self._wanted.append((now, wanted))
        while len(self._wanted) > 1 and self._wanted[0][0] < now - self._calm:
            self._wanted.popleft()
        return self._wanted[0][1]
