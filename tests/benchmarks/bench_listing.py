"""A page of List on a plane of 100,000 apps against one of 100: the contract's LI-6, judged by the suite's own check.

Run with `make bench`; `--smoke` only makes sure that the check is there. Exits 1 where it doesn't hold.
"""

from __future__ import annotations

import sys

from flyteapps_contract.outcomes import Verdict
from flyteapps_contract.targets.planes import PlanesTarget
from flyteapps_contract.targets.target import Capabilities
from flyteapps_contract.verification import checks_of, outcomes_of
from flyteapps_fake import FakeControlPlane


def main() -> int:
    """Print the verdict."""
    if "--smoke" in sys.argv:
        print(f"LI-6, a page costs the page: {len(checks_of('LI-6'))} check, run by `make bench` in full")
        return 0
    target = PlanesTarget(
        lambda: FakeControlPlane(clock="manual"), capabilities=Capabilities(fresh=True, measured=True)
    )
    outcomes = outcomes_of(target, "LI-6")
    for outcome in outcomes:
        print(
            f"LI-6, a page costs the page (at most 1.5x): {outcome.verdict}, {outcome.seconds:.0f} s {outcome.reason}"
        )
    return 0 if all(outcome.verdict is Verdict.HOLDS for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
