"""The run of checks on a target. It prints nothing; the caller receives each outcome."""

from __future__ import annotations

import time

from flyteapps_contract.catalogue.guarantee import STANDARD
from flyteapps_contract.checks.support.registry import Check
from flyteapps_contract.outcomes import (
    Broken,
    NotOffered,
    Outcome,
    Refused,
    StreamEnded,
    Unjudged,
    Verdict,
    describe_failure,
)
from flyteapps_contract.run import Run
from flyteapps_contract.session import Session
from flyteapps_contract.targets.target import Capabilities, Target


def judge(target: Target, check: Check, run: Run) -> Outcome:
    """Return one check's outcome on a plane of the target. Only what stops a whole run is raised: Ctrl-C, RunEnded."""
    started = time.monotonic()
    reason = missing_capabilities(target.capabilities, check)
    verdict = Verdict.NOT_OFFERED
    if not reason:
        verdict, reason = _attempt(target, check, run)
        if verdict is not Verdict.HOLDS:
            run.ending.require_time()  # what ended with the run was not the plane's doing
    return Outcome(check.name, check.guarantees, verdict, reason, time.monotonic() - started)


def missing_capabilities(capabilities: Capabilities, check: Check) -> str:
    """Return why the check can't run with these offers; "" where it can."""
    if check.dialect not in (STANDARD, capabilities.dialect):
        return f"of the dialect {check.dialect}, and the target is judged by {capabilities.dialect}"
    return "; ".join(reason for need in check.needs if (reason := capabilities.missing(need)))


def _attempt(target: Target, check: Check, run: Run) -> tuple[Verdict, str]:
    try:
        with Session(target.plane(), run) as session:
            check.body(session)
    except Broken as broken:
        return Verdict.BROKEN, str(broken)
    except NotOffered as missing:
        return Verdict.NOT_OFFERED, str(missing)
    except Unjudged as failure:
        return Verdict.UNJUDGED, str(failure)
    except Refused as error:
        return Verdict.BROKEN, f"a call that should succeed was refused with {error}"
    except StreamEnded as end:
        return Verdict.BROKEN, str(end)
    except Exception as failure:  # a defect of the check, or of a plane in this process, must not end the run
        return Verdict.UNJUDGED, describe_failure(failure)
    return Verdict.HOLDS, ""
