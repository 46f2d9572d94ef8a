"""Scenarios as data: the steps of an app that starts, stops, goes idle or receives a request.

A new scenario is a new row of SCENARIOS; no code depends on a scenario's name. Nothing is guessed from a spec: an app
names its scenario by a label or a variable.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from flyteidl2.app.app_definition_pb2 import Status

from flyteapps_fake.core.lifecycle import ACTIVE, DEPLOYING, FAILED, PENDING, STOPPED
from flyteapps_fake.core.time.clock import MILLISECOND, SECOND

LABEL = "flyteapps.dev/scenario"
VARIABLE = "FLYTEAPPS_SCENARIO"


class Size(enum.Enum):
    """A number of replicas, relative to an app's autoscaling bounds."""

    NONE = "none"
    START = "as many as at the start"
    FULL = "the maximum"


class Step(NamedTuple):
    """One report of the cluster, `delay` after the step before, plus or minus up to `jitter`, both in nanoseconds.

    `trip` is the size that the step scales to, or back from; the step is left out if the app's bounds exclude that
    size. A `background` step happens by itself: no client can wait for it.
    """

    status: int
    substate: int
    message: str
    delay: int
    jitter: int = 0
    size: Size = Size.NONE
    trip: Size | None = None
    background: bool = False


class Backoff(NamedTuple):
    """The delays before restarts of a container: from the first to the longest, doubled each time, in nanoseconds."""

    first: int
    longest: int

    def wait(self, restart: int) -> int:
        """Return the nanoseconds before that restart; the first is number 1."""
        doublings = min(restart - 1, 62)
        return min(self.first << doublings, self.longest)


class Scenario(NamedTuple):
    """The steps of an app that starts, and the restarts after them."""

    summary: str
    steps: tuple[Step, ...]
    backoff: Backoff | None = None


def _with_jitter(milliseconds: int) -> tuple[int, int]:
    """Return a delay in nanoseconds, with a sixth of it as jitter."""
    return milliseconds * MILLISECOND, milliseconds * MILLISECOND // 6


_NO_SUBSTATE = Status.SUBSTATE_UNSPECIFIED
_ACCEPTED = Step(PENDING, _NO_SUBSTATE, "Accepted by the cluster", 50 * MILLISECOND)
_PULLING = Step(DEPLOYING, Status.PULLING_IMAGE, "Pulling image", *_with_jitter(150))
_INITIALIZING = Step(DEPLOYING, Status.INITIALIZING, "Starting containers", *_with_jitter(300), Size.START)
_RUNNING = Step(ACTIVE, Status.RUNNING, "Running", *_with_jitter(500), Size.START)
_STARTED = (_ACCEPTED, _PULLING, _INITIALIZING)
_HEALTHY = (*_STARTED, _RUNNING)
_RESTARTS = Backoff(10 * SECOND, 300 * SECOND)

_DOWN = Step(ACTIVE, Status.SCALING_DOWN, "Idle: scaling to zero", *_with_jitter(500), Size.START, Size.NONE)
_ZERO = Step(ACTIVE, Status.SCALED_TO_ZERO, "Scaled to zero", *_with_jitter(300), Size.NONE, Size.NONE)
_WAKING = Step(
    ACTIVE, Status.SCALING_FROM_ZERO, "Request received: scaling from zero", *_with_jitter(100), Size.START, Size.NONE
)
_AWAKE = Step(ACTIVE, Status.RUNNING, "Running", *_with_jitter(500), Size.START, Size.NONE)

HEALTHY = "healthy"
SCENARIOS: dict[str, Scenario] = {
    HEALTHY: Scenario("The app starts and runs.", _HEALTHY),
    "slow-image": Scenario(
        "A large image: pulling it takes minutes.",
        (
            _ACCEPTED,
            _PULLING,
            Step(DEPLOYING, Status.PULLING_IMAGE, "Pulling image: 4.1 of 12.3 GB", *_with_jitter(60_000)),
            Step(DEPLOYING, Status.PULLING_IMAGE, "Pulling image: 8.2 of 12.3 GB", *_with_jitter(60_000)),
            Step(DEPLOYING, Status.INITIALIZING, "Starting containers", *_with_jitter(60_000), Size.START),
            _RUNNING,
        ),
    ),
    "image-pull-error": Scenario(
        "The image doesn't exist.",
        (
            _ACCEPTED,
            _PULLING,
            Step(FAILED, Status.IMAGE_PULL_ERROR, "Failed to pull image: not found", *_with_jitter(500)),
        ),
    ),
    "secret-mount-error": Scenario(
        "A secret that the app mounts doesn't exist.",
        (
            _ACCEPTED,
            _PULLING,
            Step(DEPLOYING, Status.INITIALIZING, "Mounting secrets", *_with_jitter(300)),
            Step(FAILED, Status.SECRET_MOUNT_ERROR, "Failed to mount secret: not found", *_with_jitter(500)),
        ),
    ),
    "crash-loop": Scenario(
        "The container exits at once after each start; the wait before a restart doubles.",
        (*_STARTED, Step(FAILED, Status.CRASH_LOOP, "Container exited with code 1", *_with_jitter(500), Size.START)),
        _RESTARTS,
    ),
    "oom-killed": Scenario(
        "The container exceeds its memory limit after each start.",
        (
            *_STARTED,
            Step(FAILED, Status.OOM_KILLED, "Container was killed: out of memory", *_with_jitter(500), Size.START),
        ),
        _RESTARTS,
    ),
    "webhook-error": Scenario(
        "The cluster's admission webhook rejects the app.",
        (
            _ACCEPTED,
            Step(DEPLOYING, Status.WEBHOOK_ERROR, "Admission webhook denied the app", *_with_jitter(200)),
            Step(FAILED, Status.WEBHOOK_ERROR, "Admission webhook denied the app", *_with_jitter(2_000)),
        ),
    ),
    "webhook-error-heals": Scenario(
        "The cluster's admission webhook can't be reached at first.",
        (
            _ACCEPTED,
            Step(
                DEPLOYING, Status.WEBHOOK_ERROR, "Admission webhook can't be reached; trying again", *_with_jitter(200)
            ),
            Step(DEPLOYING, Status.PULLING_IMAGE, "Pulling image", *_with_jitter(2_000)),
            _INITIALIZING,
            _RUNNING,
        ),
    ),
    "never-ready": Scenario(
        "The container runs, but its readiness probe never succeeds: the app stays DEPLOYING.",
        (
            *_STARTED,
            Step(DEPLOYING, Status.INITIALIZING, "Readiness probe failed", *_with_jitter(10_000), Size.START),
        ),
    ),
    "fails-later": Scenario(
        "The app runs for a minute, then its container dies.",
        (
            *_HEALTHY,
            Step(FAILED, Status.CRASH_LOOP, "Container exited with code 137", *_with_jitter(60_000), Size.START),
        ),
        _RESTARTS,
    ),
    "recovers-in-place": Scenario(
        "The app's container dies once, and runs after a restart.",
        (
            *_HEALTHY,
            Step(FAILED, Status.CRASH_LOOP, "Container exited with code 1", *_with_jitter(30_000), Size.START),
            Step(ACTIVE, Status.RUNNING, "Running again", *_with_jitter(10_000), Size.START),
        ),
    ),
    "scales-to-zero": Scenario("The app receives no requests, so it soon scales to zero.", (*_HEALTHY, _DOWN, _ZERO)),
    "wakes-up": Scenario(
        "The app scales to zero, and soon receives a request.", (*_HEALTHY, _DOWN, _ZERO, _WAKING, _AWAKE)
    ),
    "busy": Scenario(
        "The app receives many requests, so it scales to its maximum, and down again.",
        (
            *_HEALTHY,
            Step(ACTIVE, Status.SCALING_UP, "Busy: scaling up", *_with_jitter(1_000), Size.START, Size.FULL),
            Step(ACTIVE, Status.RUNNING, "Running", *_with_jitter(500), Size.FULL, Size.FULL),
            Step(ACTIVE, Status.SCALING_DOWN, "Calm: scaling down", *_with_jitter(60_000), Size.FULL, Size.FULL),
            Step(ACTIVE, Status.RUNNING, "Running", *_with_jitter(500), Size.START, Size.FULL),
        ),
    ),
}

STOP: tuple[Step, ...] = (Step(STOPPED, _NO_SUBSTATE, "Stopped", *_with_jitter(300)),)
"""The steps of an app that should stop."""

REJECTED: tuple[Step, ...] = (
    _ACCEPTED,
    Step(DEPLOYING, Status.WEBHOOK_ERROR, "Admission webhook denied the app: {reason}", *_with_jitter(200)),
    Step(FAILED, Status.WEBHOOK_ERROR, "Admission webhook denied the app: {reason}", *_with_jitter(2_000)),
)
"""The steps of an app that no cluster could run."""

MISSING_SECRET: tuple[Step, ...] = (
    _ACCEPTED,
    _PULLING,
    Step(DEPLOYING, Status.INITIALIZING, "Mounting secrets", *_with_jitter(300)),
    Step(FAILED, Status.SECRET_MOUNT_ERROR, "Failed to mount secret {reason}", *_with_jitter(500)),
)
"""The steps of an app that mounts a missing secret."""

UNKNOWN: tuple[Step, ...] = (_ACCEPTED, Step(FAILED, Status.WEBHOOK_ERROR, "{reason}", *_with_jitter(200)))
"""The steps of an app that names an unknown scenario: it fails at once, with a message that lists the known ones."""

IDLE: tuple[Step, ...] = (
    Step(ACTIVE, Status.SCALING_DOWN, "Idle: scaling to zero", 0, 0, Size.START, Size.NONE, background=True),
    Step(ACTIVE, Status.SCALED_TO_ZERO, "Scaled to zero", *_with_jitter(300), Size.NONE, Size.NONE, background=True),
)
"""The steps of an app without a request during its scaledown_period."""

WAKE: tuple[Step, ...] = (_WAKING, _AWAKE)
"""The steps of an app at zero that receives a request."""
