"""A run as JSON, and as the JUnit XML that CI servers read (one test case a guarantee)."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

from flyteapps_contract.outcomes import Outcome, Verdict
from flyteapps_contract.reports.summary import Summary

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(summary: Summary) -> str:
    """Return the run as one JSON object."""
    guarantees = [
        {
            "id": line.guarantee.id,
            "text": line.guarantee.text,
            "evidence": list(line.guarantee.evidence),
            "verdict": line.verdict.value,
            "follows_from": list(line.follows_from()),
            "seconds": round(line.seconds, 3),
            "tried": {"checks": line.evidence.checks, "held": line.evidence.held, **dict(line.evidence.drawn)},
            "checks": [_check(each) for each in line.outcomes if each.check],
            "reason": "; ".join(each.reason for each in line.outcomes if not each.check),
        }
        for line in summary.lines
    ]
    counts = summary.counts()
    whole = {
        "target": summary.target,
        "dialect": summary.dialect,
        "prefix": summary.prefix,
        "profile": summary.profile,
        "seed": summary.seed,
        "seconds": round(summary.seconds, 3),
        "trouble": summary.trouble,
        "exit_code": summary.exit_code,
        "counts": {verdict.value: counts[verdict] for verdict in Verdict},
        "findings": [{"guarantee": each.guarantee, "following": list(each.following)} for each in summary.findings()],
        "guarantees": guarantees,
    }
    return json.dumps(whole, indent=2) + "\n"


def _check(outcome: Outcome) -> dict[str, object]:
    return {
        "name": outcome.check,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason,
        "seconds": round(outcome.seconds, 3),
        **({"follows_from": outcome.follows_from} if outcome.follows_from else {}),
        **({"tried": outcome.tried} if outcome.tried else {}),
        **({"script": outcome.script} if outcome.script else {}),
    }


def as_junit(summary: Summary) -> str:
    """Return the run as JUnit XML."""
    counts = summary.counts()
    suite = ElementTree.Element(
        "testsuite",
        name=f"the contract on {summary.target}",
        tests=str(len(summary.lines)),
        failures=str(counts[Verdict.BROKEN] + counts[Verdict.FOLLOWS]),
        errors=str(counts[Verdict.UNJUDGED]),
        skipped=str(counts[Verdict.NOT_OFFERED] + counts[Verdict.DEVIATES] + counts[Verdict.HARDLY]),
        time=f"{summary.seconds:.3f}",
    )
    tags = {
        Verdict.BROKEN: "failure",
        Verdict.FOLLOWS: "failure",
        Verdict.UNJUDGED: "error",
        Verdict.NOT_OFFERED: "skipped",
        Verdict.DEVIATES: "skipped",
        Verdict.HARDLY: "skipped",
    }
    for line in summary.lines:
        case = ElementTree.SubElement(
            suite, "testcase", classname="flyteapps.contract", name=line.guarantee.id, time=f"{line.seconds:.3f}"
        )
        scripts = [each.script for each in line.outcomes if each.script]
        weight = [f"hardly tried: {line.share() or 'nothing'}"] if line.verdict is Verdict.HARDLY else []
        text = _NOT_XML.sub("?", "\n".join([*weight, *line.reasons(), *scripts]))
        if line.verdict in tags:
            ElementTree.SubElement(case, tags[line.verdict], message=text.partition("\n")[0]).text = text
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
