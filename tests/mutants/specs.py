"""Wrong planes: the effects of a spec on the simulated cluster."""
# pyright: basic, reportPrivateUsage=false
# The overrides take and give what the plane's own functions do, whose types stand there.

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_fake.core.settings import SIMULATED
from flyteapps_fake.core.time.clock import SECOND
from flyteapps_fake.simulation import admission
from flyteapps_fake.simulation.admission import Bounds
from flyteapps_fake.simulation.files.builtin import builtin_scenarios
from flyteapps_fake.standard import writes
from flyteapps_fake.standard.operators.pools import Pools
from flyteapps_fake.standard.simulation import runs

from .planting import around, at_create, mutant, same


@mutant("SP-1")
def an_idle_app_goes_to_zero_early() -> AbstractContextManager[Any]:
    return patch.object(admission, "DEFAULT_SCALEDOWN", 300 * SECOND)


@mutant("SP-1")
def an_app_starts_with_one_replica() -> AbstractContextManager[Any]:
    return patch.object(Bounds, "start", 1)


@mutant("SP-1")
def an_app_with_a_min_goes_to_zero() -> AbstractContextManager[Any]:
    return around(runs, "bounds_of", lambda real, spec: real(spec)._replace(minimum=0))


@mutant("SP-1")
def admission_looks_at_nothing() -> AbstractContextManager[Any]:
    return patch.object(runs, "violation_of", same(""))


@mutant("SP-2")
def a_waiting_app_does_not_say_why() -> AbstractContextManager[Any]:
    return patch.object(Pools, "why_waiting", same("Waiting"))


@mutant("SP-2")
def every_pool_is_served() -> AbstractContextManager[Any]:
    return patch.object(Pools, "own_as", same(SIMULATED))


@mutant("SP-3")
def a_default_timeout_is_written_in() -> AbstractContextManager[Any]:
    return at_create(lambda app: app.spec.timeouts.request_timeout.FromSeconds(app.spec.timeouts.ByteSize() or 300))


@mutant("SP-4")
def two_inputs_may_share_a_name() -> AbstractContextManager[Any]:
    return patch.object(writes, "_check_inputs", same(None))


@mutant("SP-5")
def unknown_registries_do_not_answer() -> AbstractContextManager[Any]:
    def program(real: Any, record: Any, app: model.App, *others: Any) -> Any:
        unknown = app.spec.container.image.startswith("registry.")
        return (builtin_scenarios()["image-pull-error"].steps, "") if unknown else real(record, app, *others)

    return around(runs, "_program", program)
