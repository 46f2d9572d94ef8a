"""The command by `python -m flyteapps`."""

from __future__ import annotations

import sys

from flyteapps.cli import main

if __name__ == "__main__":
    sys.exit(main())
