"""The pieces of a plane that all parts of its interface use."""

from __future__ import annotations

from contextlib import AbstractContextManager

from flyteapps_fake.control.interceptor import Interceptor
from flyteapps_fake.core.dialect import Dialect
from flyteapps_fake.core.state.keeping import Keeping
from flyteapps_fake.core.state.saving import Saving
from flyteapps_fake.core.time.timeline import Timeline


class PlaneParts:
    """The pieces of a plane; `_lock`: the plane's lock."""

    _lock: AbstractContextManager[object]
    _timeline: Timeline
    _dialect: Dialect
    _interceptor: Interceptor
    _keeping: Keeping
    _saving: Saving
