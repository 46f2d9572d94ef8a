"""The rules of a service's scaling and of its timeout."""

from __future__ import annotations

from collections.abc import Iterator

from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.flyte_oss.kubernetes.field_errors import FieldError
from flyteapps_fake.flyte_oss.kubernetes.specs.durations import text
from flyteapps_fake.flyte_oss.kubernetes.specs.rule import Rule, below, errors_of
from flyteapps_fake.flyte_oss.kubernetes.specs.template import Template
from flyteapps_fake.flyte_oss.kubernetes.specs.wordings import MAX_INT32, out_of_bounds

MAX_TIMEOUT_SECONDS = 600
MIN_WINDOW_NS, MAX_WINDOW_NS = 6 * SECOND, 3600 * SECOND

_PREFIX = "autoscaling.knative.dev/"
MIN_SCALE, MAX_SCALE = f"{_PREFIX}min-scale", f"{_PREFIX}max-scale"
TARGET, WINDOW = f"{_PREFIX}target", f"{_PREFIX}window"


def _count(number: int | None) -> int:
    """Return a number of replicas as Knative goes on with it: one that is too great counts as 0."""
    return number if number is not None and number <= MAX_INT32 else 0


def _has_bad_length(template: Template) -> bool:
    return template.window is not None and not MIN_WINDOW_NS <= template.window <= MAX_WINDOW_NS


ANNOTATIONS: tuple[Rule[Template], ...] = (
    Rule(
        "replicas.min over 2147483647",
        lambda each: (each.minimum or 0) > MAX_INT32,
        lambda each: out_of_bounds(0, each.minimum, MAX_INT32, MIN_SCALE),
    ),
    Rule(
        "replicas.max over 2147483647",
        lambda each: (each.maximum or 0) > MAX_INT32,
        lambda each: out_of_bounds(0, each.maximum, MAX_INT32, MAX_SCALE),
    ),
    Rule(
        "replicas.max under replicas.min, and not 0",
        lambda each: 0 < _count(each.maximum) < _count(each.minimum),
        lambda each: FieldError(
            f"max-scale={_count(each.maximum)} is less than min-scale={_count(each.minimum)}", (MAX_SCALE, MIN_SCALE)
        ),
        seen=True,
    ),
    Rule(
        "a target of the scaling metric that is 0",
        lambda each: each.target == 0,
        lambda each: FieldError(f"target {each.target} should be at least 0.01", (TARGET,)),
        seen=True,
    ),
    Rule(
        "scaledown_period under 6 s or over 1 h",
        _has_bad_length,
        lambda each: out_of_bounds(text(MIN_WINDOW_NS), text(each.window or 0), text(MAX_WINDOW_NS), WINDOW),
        seen=True,
    ),
    Rule(
        "scaledown_period with parts of a second",
        lambda each: not _has_bad_length(each) and (each.window or 0) % SECOND != 0,
        lambda each: FieldError("must be specified with at most second precision", (WINDOW,)),
        seen=True,
    ),
)
TIMEOUTS: tuple[Rule[Template], ...] = (
    Rule(
        "request_timeout over 600 s, or -1 s and less",
        lambda each: not 0 <= each.timeout_seconds <= MAX_TIMEOUT_SECONDS,
        lambda each: out_of_bounds(0, each.timeout_seconds, MAX_TIMEOUT_SECONDS, "timeoutSeconds"),
        seen=True,
    ),
)


def errors_of_scaling(template: Template) -> Iterator[FieldError]:
    """Yield the errors of a template's annotations and timeout, with paths from the template."""
    yield from below("metadata.annotations", errors_of(ANNOTATIONS, template))
    yield from below("spec", errors_of(TIMEOUTS, template))
