"""The parts of a simulated app that all dialects have, as messages of a plane's state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from flyteapps_control.selection import AppName
from flyteapps_control.v1.state_pb2 import AppRef, ReplicaBounds, ScenarioStart, StepLogState
from flyteapps_fake.core.state.numbers import MAX_COUNT, MAX_REPLICAS, check_counts, check_replicas, check_times
from flyteapps_fake.simulation.admission import Bounds
from flyteapps_fake.simulation.choice import Start, StartImage
from flyteapps_fake.simulation.given import Given
from flyteapps_fake.simulation.step_logs import StepLog


def bounds_state(bounds: Bounds) -> ReplicaBounds:
    """Return the bounds of an app's replicas as a message."""
    return ReplicaBounds(
        minimum=bounds.minimum, maximum=bounds.maximum, scaledown=bounds.scaledown, target=bounds.target
    )


def bounds_in(state: ReplicaBounds) -> Bounds:
    """Return the bounds in a message."""
    return Bounds(state.minimum, state.maximum, state.scaledown, state.target)


def check_simulated(bounds: Bounds | None, image: StartImage | None, logs: Iterable[StepLog]) -> None:
    """Check these parts of an app in a document. Raises ValueError."""
    if bounds is not None:
        minimum, maximum, scaledown, target = bounds
        if not 0 <= minimum | maximum | target <= MAX_REPLICAS or scaledown < 0:
            check_replicas(minimum=minimum, maximum=maximum)
            check_counts(target=target)
            check_times(scaledown=scaledown)
    if image is not None and not 0 <= image.start.number <= MAX_COUNT:
        check_counts(number=image.start.number)
    for log in logs:
        check_times(at=log.at)
        check_counts(condition=log.condition)


def start_message(image: StartImage, app: AppName) -> ScenarioStart:
    """Return the last start of an app, which has that name now, as a message."""
    start, given = image
    message = ScenarioStart(number=start.number, base=start.base, scenario=start.scenario)
    version: Any = start.version
    message.version.extend(cast("tuple[int, ...]", version) if isinstance(version, tuple) else (version,))
    if start.app != app:
        message.app.CopyFrom(AppRef(project=start.app.project, domain=start.app.domain, name=start.app.name))
    if given is not None:
        message.known = True
        message.reason, message.detail, message.own = given.reason, given.detail, given.own
    return message


def start_image(message: ScenarioStart, app: AppName) -> StartImage:
    """Return the last start in a message, of an app that has that name now."""
    numbers = message.version[:]
    version: tuple[int, ...] | int = numbers[0] if len(numbers) == 1 else tuple(numbers)
    if message.HasField("app"):
        app = AppName(message.app.project, message.app.domain, message.app.name)
    start = Start(message.number, version, message.base, message.scenario, app)
    given = None
    if message.known:
        given = Given(app, message.scenario, None, message.reason, message.detail, message.own)
    return StartImage(start, given)


def step_log_message(log: StepLog) -> StepLogState:
    """Return the lines of a step as a message."""
    return StepLogState(at=log.at, replicas=sorted(map(str, log.replicas)), lines=log.texts, condition=log.condition)


def step_log_of(message: StepLogState) -> StepLog:
    """Return the lines of a step in a message."""
    replicas = frozenset(int(each) if each.isdecimal() else each for each in message.replicas)
    return StepLog(message.at, replicas, tuple(message.lines), message.condition)
