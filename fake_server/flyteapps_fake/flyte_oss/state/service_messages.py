"""A service of the dialect flyte-oss as a message of a plane's state, and back."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from flyteidl2.app.app_definition_pb2 import Identifier

from flyteapps_control.selection import AppName
from flyteapps_control.v1 import state_pb2 as pb
from flyteapps_fake.core.state.stored_timers import timer_of, timer_state
from flyteapps_fake.core.time.timers import Timer
from flyteapps_fake.flyte_oss.answers import CACHE_EXPIRY, CachedAnswer, CacheKey, cache_key
from flyteapps_fake.flyte_oss.conditions import ConditionState, StoredCondition
from flyteapps_fake.flyte_oss.names import resource_name
from flyteapps_fake.flyte_oss.services import Service
from flyteapps_fake.flyte_oss.simulation.operator import (
    IDLE_CHECK,
    REPORT,
    SCALE,
    STOP_REPORT,
    OperatedService,
    Rollout,
)
from flyteapps_fake.flyte_oss.simulation.pods import Pod
from flyteapps_fake.flyte_oss.simulation.scenarios import Phase, Report, Reporting
from flyteapps_fake.simulation.stored_apps import (
    bounds_in,
    bounds_state,
    start_image,
    start_message,
    step_log_message,
    step_log_of,
)
from flyteapps_fake.simulation.stored_steps import place_of, progress_of, size_of, size_text


class ServiceImage(NamedTuple):
    """A service with all that belongs to it. `operated`: the part that the operator has."""

    service: Service
    timer: Timer | None
    operated: OperatedService


def service_message(image: ServiceImage) -> pb.OssService:
    """Return a service as a message."""
    service, operated = image.service, image.operated
    message = pb.OssService(
        org=service.org,
        project=service.project,
        domain=service.domain,
        name=service.name,
        spec=service.spec,
        stopped=service.stopped,
        generation=service.generation,
        conditions=map(_condition_message, service.conditions),
        ready=service.ready,
        replicas=service.replicas,
        created_at=service.created,
        written_at=service.written,
        new=service.new,
        map_order=service.map_order,
        specs_hashed=service.specs_hashed,
        pods=[pb.Pod(**pod._asdict()) for pod in operated.pods],
        step_logs=map(step_log_message, operated.step_logs),
    )
    if image.timer is not None:
        message.timer.CopyFrom(_timer_message(image.timer))
    if operated.rollout is not None:
        message.rollout.CopyFrom(_rollout_message(operated.rollout))
    if operated.start is not None:
        message.start.CopyFrom(start_message(operated.start, _name_of(message)))
    return message


def service_image(message: pb.OssService) -> tuple[str, ServiceImage]:
    """Return the resource name and the service in a message. Raises ValueError for one that can't be."""
    resource = resource_name(Identifier(project=message.project, domain=message.domain, name=message.name))
    if message.generation < 1:
        raise ValueError("a service has no generation")
    service = Service(
        resource=resource,
        org=message.org,
        project=message.project,
        domain=message.domain,
        name=message.name,
        spec=message.spec,
        stopped=message.stopped,
        generation=message.generation,
        conditions=tuple(map(_condition, message.conditions)),
        ready=message.ready,
        replicas=message.replicas,
        created=message.created_at,
        written=message.written_at,
        new=message.new,
        map_order=message.map_order,
        specs_hashed=message.specs_hashed,
    )
    operated = OperatedService(
        _rollout(resource, message.rollout) if message.HasField("rollout") else None,
        tuple(Pod(each.name, each.generation, each.began, each.seed, sys.intern(each.runs)) for each in message.pods),
        start_image(message.start, _name_of(message)) if message.HasField("start") else None,
        tuple(map(step_log_of, message.step_logs)),
    )
    timer = _timer(resource, message.timer) if message.HasField("timer") else None
    return resource, ServiceImage(service, timer, operated)


def answer_message(key: CacheKey, image: CachedAnswer) -> pb.CachedAnswer:
    """Return a cached answer as a message."""
    _, project, domain, name = key
    return pb.CachedAnswer(project=project, domain=domain, name=name, app=image.app, timer=timer_state(image.timer))


def answer_image(message: pb.CachedAnswer) -> tuple[CacheKey, CachedAnswer]:
    """Return the key and the cached answer in a message. Raises ValueError for one that never ends."""
    key = cache_key(Identifier(project=message.project, domain=message.domain, name=message.name))
    if message.timer.kind != CACHE_EXPIRY:
        raise ValueError("a cached answer has no timer of its end")
    return key, CachedAnswer(message.app, timer_of(message.timer, key))


def _name_of(message: pb.OssService) -> AppName:
    return AppName(message.project, message.domain, message.name)


def _condition_message(condition: StoredCondition) -> pb.OssCondition:
    holds, reason, text = condition.state
    message = pb.OssCondition(type=condition.kind, reason=reason, message=text, since=condition.since)
    if holds is not None:
        message.holds = holds
    return message


def _condition(message: pb.OssCondition) -> StoredCondition:
    holds = message.holds if message.HasField("holds") else None
    state = ConditionState(holds, message.reason, message.message)
    return StoredCondition(sys.intern(message.type), state, message.since)


def _timer_message(timer: Timer) -> pb.TimerState:
    message = timer_state(timer)
    if timer.arguments:
        message.generation = timer.arguments[0]
    if timer.kind == REPORT:
        message.operator_report.CopyFrom(_report_message(timer.arguments[1]))
    return message


def _timer(resource: str, message: pb.TimerState) -> Timer:
    arguments: tuple[Any, ...]
    match message.kind:
        case kind if kind == REPORT and message.HasField("operator_report"):
            arguments = message.generation, _report(message.operator_report)
        case kind if kind in (IDLE_CHECK, SCALE):
            arguments = (message.generation,)
        case kind if kind == STOP_REPORT:
            arguments = ()
        case kind:
            raise ValueError(f"a service has a timer of the kind {kind!r} that this version of flyteapps doesn't know")
    return timer_of(message, resource, arguments)


def _rollout_message(rollout: Rollout) -> pb.Rollout:
    reporting = rollout.reporting
    return pb.Rollout(
        generation=rollout.generation,
        written=rollout.written,
        bounds=bounds_state(rollout.bounds),
        place=place_of(reporting.progress),
        observed=reporting.observed,
        served=reporting.served,
        failed=reporting.failed,
        routes=_report_message(reporting.routes) if reporting.routes is not None else None,
        runs=rollout.runs,
        conflicts=rollout.conflicts,
        reason=rollout.reason,
        first=rollout.first,
        reached=rollout.reached,
        delays_drawn=rollout.delays_drawn,
        requested_at=rollout.requested_at,
        loaded=rollout.loaded,
        pods_started=rollout.pods_started,
    )


def _rollout(resource: str, message: pb.Rollout) -> Rollout:
    return Rollout(
        resource=resource,
        generation=message.generation,
        written=message.written,
        bounds=bounds_in(message.bounds),
        reporting=Reporting(
            progress_of(message.place),
            message.observed,
            message.served,
            message.failed,
            _report(message.routes) if message.HasField("routes") else None,
        ),
        runs=sys.intern(message.runs),
        conflicts=message.conflicts,
        reason=message.reason,
        first=message.first,
        reached=message.reached,
        delays_drawn=message.delays_drawn,
        requested_at=message.requested_at,
        loaded=message.loaded,
        pods_started=message.pods_started,
    )


def _report_message(report: Report) -> pb.OperatorReport:
    return pb.OperatorReport(
        phase=report.phase.name,
        delay=report.delay,
        jitter=report.jitter,
        size=size_text(report.size),
        message=report.message,
        background=report.background,
        logs=report.logs,
    )


def _report(message: pb.OperatorReport) -> Report:
    if message.phase not in Phase.__members__:
        raise ValueError(f"an operator's report has the phase {message.phase!r}; {', '.join(Phase.__members__)} exist")
    return Report(
        Phase[message.phase],
        message.delay,
        message.jitter,
        size_of(message.size),
        message.message,
        message.background,
        tuple(message.logs),
    )
