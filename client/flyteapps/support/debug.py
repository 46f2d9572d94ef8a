"""DEBUG messages of the logger `flyteapps`, at the cost of a look-up where nobody has loaded `logging`."""

from __future__ import annotations

import sys


def debug(message: str, *args: object) -> None:
    """Log a message for those that look for errors. Arguments never hold a secret in the open."""
    if "logging" in sys.modules:
        import logging

        logging.getLogger("flyteapps").debug(message, *args)
