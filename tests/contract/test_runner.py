"""The verdict of one check."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from flyteapps_contract.checks.support.registry import Check
from flyteapps_contract.outcomes import Broken, Verdict
from flyteapps_contract.runner import judge
from flyteapps_contract.session import Session
from flyteapps_contract.targets.planes import InProcess, PlanesTarget
from flyteapps_contract.verification import fresh_run

from . import standins


@contextmanager
def _complains() -> Generator[InProcess]:
    """Return a plane that can't be closed without an error."""
    with standins.fresh() as plane:
        yield plane
    raise RuntimeError("something is left open")


@pytest.mark.parametrize(("breaks", "verdict"), [(True, Verdict.BROKEN), (False, Verdict.UNJUDGED)])
def test_a_plane_that_complains_when_it_is_closed(breaks: bool, verdict: Verdict) -> None:
    """An error of closing a plane counts less than what its check found; where it found nothing, it isn't judged."""

    def body(session: Session) -> None:
        if breaks:
            raise Broken("found")

    target = PlanesTarget(_complains)
    check = Check("a_check", ("GE-1",), (), "It holds.", body)
    assert judge(target, check, fresh_run(target)).verdict is verdict
