"""DEBUG messages of the logger `flyteapps`, at the cost of a look-up where nothing has loaded `logging`."""

from __future__ import annotations

import sys
from typing import Any

_logger: Any = None


def debug(message: str, *args: object) -> None:
    """Log a message for those that look for errors. Arguments never hold a secret in the open."""
    global _logger
    if _logger is None:
        if "logging" not in sys.modules:
            return
        import logging

        _logger = logging.getLogger("flyteapps")
    _logger.debug(message, *args)
