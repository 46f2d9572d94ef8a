"""DEBUG messages of the logger `flyteapps`, at the cost of a look-up where nothing has loaded `logging`."""

from __future__ import annotations

import sys
from typing import Any

DEBUG = 10
"""The level, as `logging` has it."""

_logger: Any = None


def debug(message: str, *args: object) -> None:
    """Log a message for those that look for errors. Arguments never hold a secret in the open."""
    if is_enabled():
        _logger.debug(message, *args)


def is_enabled() -> bool:
    """Return whether such messages are logged: for a call's hot path, which then makes no arguments."""
    return (_logger or _loaded()).isEnabledFor(DEBUG)


def _loaded() -> Any:
    """Return the logger; a silent one as long as nothing has loaded `logging`."""
    global _logger
    if "logging" not in sys.modules:
        return _Silent
    import logging

    _logger = logging.getLogger("flyteapps")
    return _logger


class _Silent:
    @staticmethod
    def isEnabledFor(level: int) -> bool:  # noqa: N802  # as `logging` has it
        return False
