"""The run of checks on a target. It prints nothing; the caller receives each outcome."""

from __future__ import annotations

import time

from flyteapps_contract.catalogue.guarantee import STANDARD
from flyteapps_contract.checks.support.registry import Check, ability_checks
from flyteapps_contract.model import watching
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
    verdict, symptoms = Verdict.NOT_OFFERED, ()
    if not reason:
        verdict, reason, symptoms = _attempt(target, check, run)
        if verdict is Verdict.UNJUDGED and run.faults is None and check.ability is None:
            verify_abilities(target, run)
            if run.faults:  # by other means it may come to where it judges
                verdict, reason, symptoms = _attempt(target, check, run)
        if verdict is not Verdict.HOLDS:
            run.ending.require_time()  # what ended with the run was not the plane's doing
    if check.ability is not None and verdict is Verdict.BROKEN:
        run.faults = {**(run.faults or {}), check.ability: reason}
    return Outcome(check.name, check.guarantees, verdict, reason, time.monotonic() - started, symptoms=symptoms)


def verify_abilities(target: Target, run: Run) -> list[Outcome]:
    """Judge what checks prepare with, and keep what is at fault in the run; nothing where its dialect has no checks."""
    run.faults = {}
    return [judge(target, each, run) for each in ability_checks()] if target.dialect == STANDARD else []


def missing_capabilities(capabilities: Capabilities, check: Check) -> str:
    """Return why the check can't run with these offers; "" where it can."""
    if check.dialect not in (STANDARD, capabilities.dialect):
        return f"of the dialect {check.dialect}, and the target is judged by {capabilities.dialect}"
    return "; ".join(reason for need in check.needs if (reason := capabilities.missing(need)))


def _attempt(target: Target, check: Check, run: Run) -> tuple[Verdict, str, tuple[str, ...]]:
    found, symptoms = (Verdict.HOLDS, ""), dict[str, str]()
    try:
        with Session(target.plane(), run) as session:
            try:
                check.body(session)
            except Exception as failure:
                found = _verdict(failure)
            symptoms = session.symptoms.found if found[0] is Verdict.HOLDS else _symptoms(session)
    except Exception as failure:  # of a plane that can't be had, or closed: what the check found counts more
        if found[0] is Verdict.HOLDS:
            found = _verdict(failure)
    return (*found, tuple(symptoms))


def _symptoms(session: Session) -> dict[str, str]:
    """Return what was seen in calls, and in each stream of apps the first rule that its events break."""
    found = dict(session.symptoms.found)
    for watcher in session.watchers:
        events = [event for event in watcher.seen if session.is_own(event.name)]
        for guarantee, rule, _ in watching.RULES:
            # an app may leave a cluster and come back
            if not (watcher.of_cluster and guarantee == "WA-7") and (text := rule(events)):
                found.setdefault(guarantee, text)
                break
    return found


def _verdict(failure: Exception) -> tuple[Verdict, str]:
    match failure:
        case Broken() | StreamEnded():
            return Verdict.BROKEN, str(failure)
        case NotOffered():
            return Verdict.NOT_OFFERED, str(failure)
        case Unjudged():
            return Verdict.UNJUDGED, str(failure)
        case Refused():
            return Verdict.BROKEN, f"a call that should succeed was refused with {failure}"
        case _:  # a defect of the check, or of a plane in this process, must not end the run
            return Verdict.UNJUDGED, describe_failure(failure)
