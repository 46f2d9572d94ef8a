"""Judgement of the cluster behind flyte-oss, which refuses what the backend takes.

What one cluster refuses another takes: Kubernetes in memory refuses nothing, the API server of a real one some
services, Knative's validation some more. A check accepts either: a cluster has all rules of a level, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flyteidl2.app import app_definition_pb2 as model

from flyteapps_contract.checks.support.oss import resource
from flyteapps_contract.expectations import expect, expect_equal, expect_refusal
from flyteapps_contract.outcomes import NotOffered, Refused
from flyteapps_contract.session import Session

API, KNATIVE = "the API server", "Knative"
SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of"
DNS_1035 = "not a DNS 1035 label"


class Case(NamedTuple):
    """An app whose service is refused by clusters of a level and of those above, in words that hold `says`."""

    level: str
    app: model.App
    says: str


def judge(s: Session, cases: list[Case], optional: str = "") -> None:
    """Broken unless each service is taken, or refused as it should be, and alike within a level.

    `optional`: a level of which a cluster may have any rules.
    """
    refused: dict[str, list[bool]] = {}
    taken: dict[str, list[str]] = {}
    for level, app, says in cases:
        opening = f"failed to create KService {resource(app.metadata.id)}: "
        refused.setdefault(level, []).append(is_refused(s, app, opening, says))
        if not refused[level][-1]:
            taken.setdefault(level, []).append(says)
    for level, answers in refused.items():
        if level == optional:
            expect_alike(s, [any(answers)], level)
        else:
            expect_alike(s, answers, level, taken.get(level, ()))
    strict = [level for level, answers in refused.items() if all(answers)]
    expect(API in strict or not strict, f"{', '.join(strict)} refuses services here, and the API server does not")


def is_refused(s: Session, app: model.App, opening: str, says: str = "") -> bool:
    """Return whether Create of that app is refused; Broken where it is otherwise than in those words."""
    app_id = app.metadata.id
    what = f"Create of ({app_id.project}, {app_id.domain}, {app_id.name})"
    try:
        s.create(app)
    except Refused as error:
        expect_equal(error.code, "INTERNAL", f"the code of {what}")
        expect(error.message.startswith(opening), f"{what} should be refused with {opening!r}: {error}")
        expect(says in error.message, f"{what} should be refused with {says!r}: {error}")
        if "/" not in app_id.name:
            with expect_refusal("NOT_FOUND", f"Get after the refused {what}"):
                s.get(app_id)
        return True
    expect_equal(s.get(app_id).spec, app.spec, f"the spec after {what}")
    return False


def refuse_update(s: Session, app: model.App, opening: str, what: str, taken: str) -> None:
    """Send an Update that a cluster refuses, in words that begin with `opening`. Raises NotOffered where it is taken.

    `what`: the update in a report; `taken`: what its being taken says of the cluster.
    """
    opening = f"failed to update KService {resource(app.metadata.id)}: {opening}"
    try:
        s.update(app)
    except Refused as error:
        expect_equal(error.code, "INTERNAL", f"the code of an update with {what}")
        expect(error.message.startswith(opening), f"the refusal should begin with {opening!r}: {error}")
    else:
        raise NotOffered(taken)


def expect_alike(s: Session, refused: list[bool], level: str, taken: Sequence[str] = ()) -> None:
    """Broken unless all of some services were refused, or none, and none where no cluster is behind the plane.

    `taken`: the words in which those that were taken should have been refused.
    """
    named = "".join(f"; it takes what should be refused with {says!r}" for says in taken)
    expect(
        len(set(refused)) == 1,
        f"{level} should refuse all or none of these services: it refuses {sum(refused)} of {len(refused)}{named}",
    )
    expect(
        not (refused[0] and s.capabilities.lenient),
        f"{level} refuses services, where nothing behind the plane should",
    )
