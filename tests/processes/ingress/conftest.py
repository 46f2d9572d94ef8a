"""A running ingress for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from .running import Running


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """An ingress, which is closed after the test; all its counts are at zero then."""
    async with AsyncExitStack() as stack:
        running = Running(stack)
        yield running
        await running.close()
        for route in running.routes:
            assert route.in_flight == 0, route
            assert all(each.in_flight == 0 for each in route.backends), route
