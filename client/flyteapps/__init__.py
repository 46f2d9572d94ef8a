"""A typed client for Flyte's AppService: create, list, watch and control apps on a Flyte control plane.

Rules of this package: production code only; it never imports `flyteapps_fake` or `flyteapps_contract`, and importing
it loads nothing heavy.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
