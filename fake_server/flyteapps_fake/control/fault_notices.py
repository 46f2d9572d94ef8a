"""The line of the terminal about a fault that a call has."""

from __future__ import annotations

from flyteapps_control.durations import text_of
from flyteapps_control.fault_table import Rule
from flyteapps_control.selection import Subject
from flyteapps_fake.core.dialect import Notice
from flyteapps_fake.core.validation import plain

MAX_SHOWN_CHARACTERS = 200
"""Characters of an app's id in a notice."""


def fault_notice(rule: Rule, subject: Subject) -> Notice:
    """Return the notice of an applied fault: "f1 applied: Create of demo/development/hello UNAVAILABLE"."""
    of_app = f" of {plain(str(subject.app)[:MAX_SHOWN_CHARACTERS])}" if any(subject.app) else ""
    return Notice(
        subject.app.name,
        f"{rule.fault.id} applied: {subject.rpc.rpartition('/')[2]}{of_app} {effect_text(rule)}",
    )


def effect_text(rule: Rule) -> str:
    """Return the effect of a rule in a few words, such as "UNAVAILABLE after the commit"."""
    fault = rule.fault
    match rule.effect:
        case "fail":
            text, applied = fault.fail.code, fault.fail.applied
        case "http":
            text, applied = f"HTTP {fault.http.status}", fault.http.applied
        case "reset":
            text, applied = "RESET", fault.reset.applied
        case "cut" | "stall":
            return f"{rule.effect} after message {getattr(fault, rule.effect).after}"
        case "repeat" | "withhold" | "reorder":
            return f"{rule.effect} message {getattr(fault, rule.effect).message}"
        case "stale":
            return f"as of {text_of(rule.age)} ago"
        case "steal_lease":
            return f"after cluster {fault.steal_lease.cluster} took the app"
        case other:
            return other
    return f"{text} after the commit" if applied else text
