"""The replicas of a service, as Knative takes the bounds of its spec."""

from __future__ import annotations

from flyteidl2.app.app_definition_pb2 import Spec

from flyteapps_fake.core.state.numbers import MAX_REPLICAS
from flyteapps_fake.simulation.admission import Bounds, bounds_of
from flyteapps_fake.simulation.scenarios import Size

UNLIMITED = MAX_REPLICAS
"""The greatest number of replicas where the spec has none: a max of 0 is no bound."""


def service_bounds(spec: Spec) -> Bounds:
    """Return the bounds of a service: a max of 0 is none, and of a max under the min the min counts."""
    minimum = min(spec.autoscaling.replicas.min, UNLIMITED)
    maximum = min(spec.autoscaling.replicas.max or UNLIMITED, UNLIMITED)
    return bounds_of(spec)._replace(minimum=minimum, maximum=max(minimum, maximum))


def replicas_of(bounds: Bounds, size: Size | int) -> int:
    """Return the number of replicas of that size; the greatest of a service without a bound is one more than at first.

    Knative gives it as many as its load needs, which the steps of a scenario don't say.
    """
    if size is Size.FULL and bounds.maximum == UNLIMITED:
        return min(bounds.start + 1, UNLIMITED)
    return bounds.replicas(size)
