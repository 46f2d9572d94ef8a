"""The contract suite: what a control plane that serves Flyte's AppService guarantees, as checks.

Rules of this package: it is an oracle of its own, written from the contract. It never imports `flyteapps_fake`, speaks
to a plane through flyteidl2's raw stubs, and knows `flyteapps` only as one more thing under test.
"""

from __future__ import annotations
