"""Checks of the services in a document, which may have been edited."""

from __future__ import annotations

from collections.abc import Mapping

from flyteidl2.app.app_definition_pb2 import App, Spec
from google.protobuf.message import DecodeError

from flyteapps_fake.core.state.numbers import check_counts, check_replicas, check_times
from flyteapps_fake.core.state.stored_timers import check_timer
from flyteapps_fake.core.time.clock import END
from flyteapps_fake.flyte_oss.answers import CachedAnswer, CacheKey
from flyteapps_fake.flyte_oss.building.map_order import ORDER_BYTES
from flyteapps_fake.flyte_oss.conditions import KINDS
from flyteapps_fake.flyte_oss.state.service_messages import ServiceImage
from flyteapps_fake.simulation.stored_apps import check_simulated


def check_services(services: Mapping[str, ServiceImage]) -> None:
    """Check services by resource name. Raises ValueError for the first that can't be."""
    for resource, image in services.items():
        try:
            _check_service(image)
        except (ValueError, DecodeError) as error:
            raise ValueError(f"the service {resource}: {error}") from None


def check_answers(answers: Mapping[CacheKey, CachedAnswer]) -> None:
    """Check cached answers. Raises ValueError for the first that can't be."""
    for key, answer in answers.items():
        try:
            App.FromString(answer.app)
            check_timer(answer.timer)
        except (ValueError, DecodeError) as error:
            raise ValueError(f"the answer {'/'.join(key)}: {error}") from None


def _check_service(image: ServiceImage) -> None:
    service, operated = image.service, image.operated
    Spec.FromString(service.spec)
    if unknown := [each.kind for each in service.conditions if each.kind not in KINDS]:
        raise ValueError(f"conditions: the type {unknown[0]!r} is none of {', '.join(KINDS)}")
    check_counts(generation=service.generation, ready=service.ready, specs_hashed=service.specs_hashed)
    if len(service.map_order) not in (0, ORDER_BYTES):
        raise ValueError(f"map_order: {ORDER_BYTES} bytes or none, not {len(service.map_order)}")
    check_replicas(replicas=service.replicas)
    check_times(created_at=service.created, written_at=service.written)
    if image.timer is not None:
        check_timer(image.timer)
    rollout = operated.rollout
    if rollout is not None:
        check_counts(rollout=rollout.generation, conflicts=rollout.conflicts, pods_started=rollout.pods_started)
        check_counts(delays_drawn=rollout.delays_drawn)
        check_times(written=rollout.written, requested_at=rollout.requested_at)
        if rollout.requested_at > END or rollout.written > END:
            raise ValueError("rollout: it was written or requested after the end of all clocks")
    for pod in operated.pods:
        check_counts(pods=pod.generation)
        check_times(began=pod.began)
    check_simulated(rollout.bounds if rollout is not None else None, operated.start, operated.step_logs)
