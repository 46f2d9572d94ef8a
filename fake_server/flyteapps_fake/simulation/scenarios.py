"""What happens to an app that is started, stopped, left idle or asked for: scenarios as data.

A new scenario is a new row; no code asks for a scenario by name. Nothing is
guessed from a spec: an app names its scenario by a label or a variable.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import Status

from flyteapps_fake.core.lifecycle import ACTIVE, DEPLOYING, FAILED, PENDING, STOPPED
from flyteapps_fake.core.time.clock import MILLISECOND, SECOND

LABEL = "flyteapps.dev/scenario"
VARIABLE = "FLYTEAPPS_SCENARIO"


class Size(enum.Enum):
    """How many replicas there are, in the words of an app's autoscaling."""

    NONE = "none"
    START = "as many as it starts with"
    FULL = "as many as it may have"


class Step(NamedTuple):
    """One report of the cluster: what it says, and how long after the step before, give or take the jitter.

    `delay` and `jitter` are nanoseconds. `trip`: the size that the step is on the way to, or back from; it is left out
    for an app whose bounds don't let it get there. `background`: it happens by itself, and nobody can wait for it.
    """

    status: int
    substate: int
    message: str
    delay: int
    jitter: int = 0
    size: Size = Size.NONE
    trip: Size | None = None
    background: bool = False


@dataclass(frozen=True, slots=True)
class Backoff:
    """A container that is started again and again: how long it waits, from the first time to the longest."""

    first: int
    longest: int

    def wait(self, restart: int) -> int:
        """Nanoseconds before that restart; the first is number 1."""
        doublings = min(restart - 1, 62)
        return min(self.first << doublings, self.longest)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to an app that is started, and what then repeats."""

    summary: str
    steps: tuple[Step, ...]
    backoff: Backoff | None = None


def _near(milliseconds: int) -> tuple[int, int]:
    """A delay with a sixth of it as jitter."""
    return milliseconds * MILLISECOND, milliseconds * MILLISECOND // 6


_NO_SUBSTATE = Status.SUBSTATE_UNSPECIFIED
_ACCEPTED = Step(PENDING, _NO_SUBSTATE, "Accepted by the cluster", 50 * MILLISECOND)
_PULLING = Step(DEPLOYING, Status.PULLING_IMAGE, "Pulling image", *_near(150))
_INITIALIZING = Step(DEPLOYING, Status.INITIALIZING, "Starting containers", *_near(300), Size.START)
_RUNNING = Step(ACTIVE, Status.RUNNING, "Running", *_near(500), Size.START)
_STARTED = (_ACCEPTED, _PULLING, _INITIALIZING)
_HEALTHY = (*_STARTED, _RUNNING)
_RESTARTS = Backoff(10 * SECOND, 300 * SECOND)

_DOWN = Step(ACTIVE, Status.SCALING_DOWN, "Idle: scaling to zero", *_near(500), Size.START, Size.NONE)
_ZERO = Step(ACTIVE, Status.SCALED_TO_ZERO, "Scaled to zero", *_near(300), Size.NONE, Size.NONE)
_WAKING = Step(ACTIVE, Status.SCALING_FROM_ZERO, "Asked for: scaling from zero", *_near(100), Size.START, Size.NONE)
_AWAKE = Step(ACTIVE, Status.RUNNING, "Running", *_near(500), Size.START, Size.NONE)

HEALTHY = "healthy"
SCENARIOS: dict[str, Scenario] = {
    HEALTHY: Scenario("It starts and runs.", _HEALTHY),
    "slow-image": Scenario(
        "A large image: pulling it takes minutes.",
        (
            _ACCEPTED,
            _PULLING,
            Step(DEPLOYING, Status.PULLING_IMAGE, "Pulling image: 4.1 of 12.3 GB", *_near(60_000)),
            Step(DEPLOYING, Status.PULLING_IMAGE, "Pulling image: 8.2 of 12.3 GB", *_near(60_000)),
            Step(DEPLOYING, Status.INITIALIZING, "Starting containers", *_near(60_000), Size.START),
            _RUNNING,
        ),
    ),
    "image-pull-error": Scenario(
        "The image isn't there.",
        (
            _ACCEPTED,
            _PULLING,
            Step(FAILED, Status.IMAGE_PULL_ERROR, "Failed to pull image: not found", *_near(500)),
        ),
    ),
    "secret-mount-error": Scenario(
        "A secret that the app mounts isn't there.",
        (
            _ACCEPTED,
            _PULLING,
            Step(DEPLOYING, Status.INITIALIZING, "Mounting secrets", *_near(300)),
            Step(FAILED, Status.SECRET_MOUNT_ERROR, "Failed to mount secret: not found", *_near(500)),
        ),
    ),
    "crash-loop": Scenario(
        "The container exits at once, each time that it is started again, which takes longer and longer.",
        (*_STARTED, Step(FAILED, Status.CRASH_LOOP, "Container exited with code 1", *_near(500), Size.START)),
        _RESTARTS,
    ),
    "oom-killed": Scenario(
        "The container takes more memory than it may, each time that it is started again.",
        (
            *_STARTED,
            Step(FAILED, Status.OOM_KILLED, "Container was killed: out of memory", *_near(500), Size.START),
        ),
        _RESTARTS,
    ),
    "webhook-error": Scenario(
        "The cluster's admission refuses the app.",
        (
            _ACCEPTED,
            Step(DEPLOYING, Status.WEBHOOK_ERROR, "Admission webhook denied the app", *_near(200)),
            Step(FAILED, Status.WEBHOOK_ERROR, "Admission webhook denied the app", *_near(2_000)),
        ),
    ),
    "webhook-error-heals": Scenario(
        "The cluster's admission can't be reached at first.",
        (
            _ACCEPTED,
            Step(DEPLOYING, Status.WEBHOOK_ERROR, "Admission webhook can't be reached; trying again", *_near(200)),
            Step(DEPLOYING, Status.PULLING_IMAGE, "Pulling image", *_near(2_000)),
            _INITIALIZING,
            _RUNNING,
        ),
    ),
    "never-ready": Scenario(
        "The container runs, but never says that it is ready: the app stays DEPLOYING.",
        (
            *_STARTED,
            Step(DEPLOYING, Status.INITIALIZING, "Readiness probe failed", *_near(10_000), Size.START),
        ),
    ),
    "fails-later": Scenario(
        "It runs for a minute, then its container dies.",
        (
            *_HEALTHY,
            Step(FAILED, Status.CRASH_LOOP, "Container exited with code 137", *_near(60_000), Size.START),
        ),
        _RESTARTS,
    ),
    "recovers-in-place": Scenario(
        "Its container dies once, and runs when it is started again.",
        (
            *_HEALTHY,
            Step(FAILED, Status.CRASH_LOOP, "Container exited with code 1", *_near(30_000), Size.START),
            Step(ACTIVE, Status.RUNNING, "Running again", *_near(10_000), Size.START),
        ),
    ),
    "scales-to-zero": Scenario("Nobody asks for it, so it soon scales to zero.", (*_HEALTHY, _DOWN, _ZERO)),
    "wakes-up": Scenario("It scales to zero, and is soon asked for.", (*_HEALTHY, _DOWN, _ZERO, _WAKING, _AWAKE)),
    "busy": Scenario(
        "Many ask for it, so it scales as far as it may, and down again.",
        (
            *_HEALTHY,
            Step(ACTIVE, Status.SCALING_UP, "Busy: scaling up", *_near(1_000), Size.START, Size.FULL),
            Step(ACTIVE, Status.RUNNING, "Running", *_near(500), Size.FULL, Size.FULL),
            Step(ACTIVE, Status.SCALING_DOWN, "Calm: scaling down", *_near(60_000), Size.FULL, Size.FULL),
            Step(ACTIVE, Status.RUNNING, "Running", *_near(500), Size.START, Size.FULL),
        ),
    ),
}

STOP: tuple[Step, ...] = (Step(STOPPED, _NO_SUBSTATE, "Stopped", *_near(300)),)
"""What happens to an app that shall stop."""

REJECTED: tuple[Step, ...] = (
    _ACCEPTED,
    Step(DEPLOYING, Status.WEBHOOK_ERROR, "Admission webhook denied the app: {reason}", *_near(200)),
    Step(FAILED, Status.WEBHOOK_ERROR, "Admission webhook denied the app: {reason}", *_near(2_000)),
)
"""What happens to an app that no cluster could run."""

SECRETLESS: tuple[Step, ...] = (
    _ACCEPTED,
    _PULLING,
    Step(DEPLOYING, Status.INITIALIZING, "Mounting secrets", *_near(300)),
    Step(FAILED, Status.SECRET_MOUNT_ERROR, "Failed to mount secret {reason}", *_near(500)),
)
"""What happens to an app that mounts a secret which was declared to be missing."""

UNKNOWN: tuple[Step, ...] = (_ACCEPTED, Step(FAILED, Status.WEBHOOK_ERROR, "{reason}", *_near(200)))
"""What happens to an app that names a scenario which isn't there: it fails at once, and says which there are."""

IDLE: tuple[Step, ...] = (
    Step(ACTIVE, Status.SCALING_DOWN, "Idle: scaling to zero", 0, 0, Size.START, Size.NONE, background=True),
    Step(ACTIVE, Status.SCALED_TO_ZERO, "Scaled to zero", *_near(300), Size.NONE, Size.NONE, background=True),
)
"""What happens to an app that nobody has asked for during its scaledown_period."""

WAKE: tuple[Step, ...] = (_WAKING, _AWAKE)
"""What happens to an app at zero that is asked for."""
