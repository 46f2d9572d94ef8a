"""A plane that runs apps, for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .running import Apps


@pytest.fixture
def apps() -> Iterator[Apps]:
    """A plane that runs apps; nothing of it is left afterwards."""
    with Apps() as apps:
        yield apps
